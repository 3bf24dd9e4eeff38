"""SEALReferenceModel: a MODEL that looks at pictures of the character while it draws."""

from __future__ import annotations

from typing import Any

import torch

from ..seal_core.concept.settings import Layers
from ..seal_core.style.style_source import BESIDE
from .comfy.api import io
from .comfy.style_sampling import style_of, with_style
from .input_checks import inputs_checked
from .schema import schema
from .shared_inputs import PATCHED_OUT, resolution_input, seed_input, strength_input, window_inputs


class SEALReferenceModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALReferenceModel",
            display_name="SEAL Reference Model",
            category="SEAL",
            description="Look at the sticker while drawing, so that the character's colours and patterns come back: "
            "for plain words and embeddings of others. To what a LoRA or SEAL's best presets learned it adds nothing. "
            "Each sampling step costs one more pass of the model per picture.",
            search_aliases=["reference only", "DreamMatcher", "identity", "character reference", "consistency"],
            inputs=[
                io.Model.Input("model", tooltip="An SD 1.x, SD 2.x or SDXL model, patched or not. It is not changed."),
                io.Vae.Input("vae", tooltip="Its VAE."),
                io.Image.Input("image", tooltip="The sticker that the concept was learned from, or several pictures."),
                strength_input(
                    "How much it looks at the sticker: 0 not at all. Lower it if the sticker's style comes along."
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="The character in it, 1 = yes, as SEAL Semantic Mask gives it. Without one its ground "
                    "comes along.",
                ),
                io.String.Input(
                    "layers",
                    default=BESIDE.sites,
                    optional=True,
                    tooltip="Where it looks, as in SEAL Layer Restriction: appearance, up, up.3-8, ...",
                ),
                *window_inputs(
                    BESIDE.start_percent,
                    "From which share of the sampling on; before it the prompt alone decides on the layout.",
                    optional=True,
                ),
                seed_input("Of the noise on the picture.", optional=True),
                resolution_input(
                    "Longer side in pixels at which the picture is read; 0 = the model's own.", optional=True
                ),
            ],
            outputs=[io.Model.Output("model", tooltip=PATCHED_OUT)],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        model: Any,
        vae: Any,
        image: torch.Tensor,
        strength: float = 1.0,
        mask: torch.Tensor | None = None,
        layers: str = BESIDE.sites,
        start_percent: float = BESIDE.start_percent,
        end_percent: float = 1.0,
        seed: int = 0,
        resolution: int = 0,
    ) -> io.NodeOutput:
        acts = Layers(layers, start_percent, end_percent)
        source = style_of(
            model, vae, image, mask, strength=strength, layers=acts, seed=seed, resolution=resolution, beside=True
        )
        return io.NodeOutput(with_style(model, source))


NODES = [SEALReferenceModel]
