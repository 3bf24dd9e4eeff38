"""SEALStickerBorder: die-cut line and drop shadow."""

from __future__ import annotations

import torch

from ..seal_core.stickers.border import Border, Shadow, add_border
from .comfy.api import io
from .comfy.node_ui import notes_on_node, progress_bar
from .input_checks import inputs_checked
from .schema import schema
from .shared_inputs import STICKER_OUT, STICKERS, colour_input, shown_mask


class SEALStickerBorder(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        def pixels(name: str, default: float, tooltip: str, low: float = 0.0) -> io.Input:
            return io.Float.Input(name, default=default, min=low, max=512.0, step=0.5, tooltip=tooltip)

        return schema(
            node_id="SEALStickerBorder",
            display_name="SEAL Sticker Border",
            category=STICKERS,
            description="Draw a die-cut line and a drop shadow around a cut-out. The canvas grows, so nothing is "
            "clipped.",
            search_aliases=["outline", "stroke", "die cut", "white border", "drop shadow", "sticker effect"],
            inputs=[
                io.Image.Input("image", tooltip="Cut-outs (RGBA) from SEAL Sticker Cutout, or pictures with a mask."),
                pixels("width", 8.0, "Width of the line in pixels; 0 = no line."),
                colour_input("colour", "#ffffff", "the line"),
                pixels("softness", 0.0, "Pixels over which the line's outer edge fades; 0 = crisp."),
                pixels("gap", 0.0, "Transparent pixels between the subject and the line."),
                pixels("smooth", 6.0, "Round the line's inner corners up to this radius in pixels."),
                io.Boolean.Input(
                    "fill_holes", default=False, tooltip="Fill holes (inside a mug's handle) with the line's colour."
                ),
                io.Float.Input(
                    "shadow", default=0.0, min=0.0, max=1.0, step=0.05, tooltip="Opacity of a drop shadow; 0 = none."
                ),
                pixels("shadow_x", 4.0, "Pixels that the shadow falls to the right.", -512.0),
                pixels("shadow_y", 6.0, "Pixels that the shadow falls down.", -512.0),
                pixels("shadow_blur", 6.0, "Pixels over which the shadow's edge is blurred."),
                colour_input("shadow_colour", "#000000", "the shadow"),
                shown_mask("The subject, where the image has no alpha or you mean only a part of it."),
            ],
            outputs=[
                io.Image.Output("image", tooltip=STICKER_OUT),
                io.Mask.Output("mask", tooltip="Subject, line and shadow."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        image: torch.Tensor,
        width: float,
        colour: str,
        softness: float,
        gap: float,
        smooth: float,
        fill_holes: bool,
        shadow: float,
        shadow_x: float,
        shadow_y: float,
        shadow_blur: float,
        shadow_colour: str,
        mask: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        line = Border(width, colour, softness, gap, smooth, fill_holes)
        cast = Shadow(shadow, shadow_x, shadow_y, shadow_blur, shadow_colour)
        with notes_on_node() as ui:
            made = add_border(image, mask, line, cast, progress_bar())
        return io.NodeOutput(*made, ui=ui)


NODES = [SEALStickerBorder]
