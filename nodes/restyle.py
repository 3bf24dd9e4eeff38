"""SEALRestyle: a picture in the look of others, region by region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..seal_core.style.matching import Pairs
from ..seal_core.style.regional_style import CONTENT_WEIGHT, RestyleSettings
from .comfy.api import io
from .comfy.comfy_host import ComfyHost
from .comfy.restyling import restyled
from .input_checks import inputs_checked
from .schema import ADVANCED, PairsType, schema
from .shared_inputs import STYLE, strength_input


class SEALRestyle(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALRestyle",
            display_name="SEAL Restyle",
            category=STYLE,
            description="Redraw a picture in the look of its style pictures, region by region. Shapes stay; it takes "
            "about as long as a short training. SEAL Style Model is the quick way for pictures that are drawn anew.",
            search_aliases=["style transfer", "StyleGallery", "attention distillation", "restyle"],
            inputs=[
                io.Model.Input("model", tooltip="The model of SEAL Style Regions. It is not changed."),
                io.Clip.Input("clip", tooltip="Its text encoder, for the empty prompt."),
                io.Vae.Input("vae", tooltip="Its VAE."),
                PairsType.Input("pairs", tooltip="From SEAL Style Match."),
                io.Int.Input(
                    "steps",
                    default=150,
                    min=1,
                    max=1000,
                    tooltip="More steps: more of the style. Time grows with them.",
                ),
                strength_input("0 = the picture's own look, 1 = the style's."),
                io.Float.Input(
                    "content_weight",
                    default=CONTENT_WEIGHT,
                    min=0.0,
                    max=100.0,
                    step=0.01,
                    tooltip="How firmly shapes stay. Lower: looser, more like the style.",
                ),
                io.Combo.Input(
                    "colours",
                    options=["style", "own"],
                    default="style",
                    optional=True,
                    tooltip="style: colours come along. own: only the manner of drawing does; the colours stay.",
                ),
                io.Combo.Input(
                    "look_from",
                    options=["matched regions", "anywhere"],
                    default="matched regions",
                    optional=True,
                    extra_dict=ADVANCED,
                    tooltip="matched regions: as SEAL Style Match paired them. anywhere: every place looks at all of "
                    "the style pictures: more of the look, less of the picture. Use it with content_weight 0.5.",
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="At the size in which SEAL Style Regions saw the picture."),
                io.Latent.Output("latent", tooltip="The same for KSampler, to be refined at low denoise."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        model: Any,
        clip: Any,
        vae: Any,
        pairs: Sequence[Pairs],
        steps: int,
        strength: float,
        content_weight: float,
        colours: str = "style",
        look_from: str = "matched regions",
    ) -> io.NodeOutput:
        settings = RestyleSettings(steps, strength, content_weight, regional=look_from == "matched regions")
        with torch.inference_mode(False), torch.enable_grad(), ComfyHost(model, clip, vae) as host:
            images, latents = restyled(host, pairs, settings, colours == "own")
        return io.NodeOutput(images, latents)


NODES = [SEALRestyle]
