"""SEALStyleModel: a MODEL that draws in the look of pictures."""

from __future__ import annotations

from typing import Any

import torch

from ..seal_core.concept.settings import Layers
from .comfy.api import io
from .comfy.style_sampling import style_of, with_style
from .input_checks import inputs_checked
from .schema import schema
from .shared_inputs import PATCHED_OUT, STYLE, resolution_input, seed_input, strength_input, window_inputs


class SEALStyleModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALStyleModel",
            display_name="SEAL Style Model",
            category=STYLE,
            description="Draw in the look of one or several pictures, without training: prompts, learned concepts and "
            "LoRAs go on working. Each sampling step costs one more pass of the model per style picture.",
            search_aliases=["style transfer", "style reference", "reference only", "StyleAligned", "look"],
            inputs=[
                io.Model.Input("model", tooltip="An SD 1.x, SD 2.x or SDXL model, patched or not. It is not changed."),
                io.Vae.Input("vae", tooltip="Its VAE."),
                io.Image.Input("image", tooltip="The style picture, or several."),
                strength_input("How much of the style: 0 none, 1 all."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="What of the style picture counts, 1 = yes: its subject, so that its ground does not come "
                    "along.",
                ),
                io.Mask.Input(
                    "where", optional=True, tooltip="Which part of the drawing takes the style, 1 = yes. None: all."
                ),
                io.String.Input(
                    "layers",
                    default="up",
                    optional=True,
                    tooltip="Where it acts, as in SEAL Layer Restriction: up, appearance (finer: less of the style's "
                    "shapes and colours), up.3-8, ...",
                ),
                *window_inputs(
                    0.0,
                    "From which share of the sampling on; later keeps composition and colours of the prompt.",
                    optional=True,
                ),
                seed_input("Of the noise on the style picture.", optional=True),
                resolution_input(
                    "Longer side in pixels at which the style picture is read; 0 = the model's own. Strokes "
                    "keep the size that they have there.",
                    optional=True,
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
        strength: float,
        mask: torch.Tensor | None = None,
        where: torch.Tensor | None = None,
        layers: str = "up",
        start_percent: float = 0.0,
        end_percent: float = 1.0,
        seed: int = 0,
        resolution: int = 0,
    ) -> io.NodeOutput:
        acts = Layers(layers, start_percent, end_percent)
        source = style_of(model, vae, image, mask, strength=strength, layers=acts, seed=seed, resolution=resolution)
        return io.NodeOutput(with_style(model, source, where))


NODES = [SEALStyleModel]
