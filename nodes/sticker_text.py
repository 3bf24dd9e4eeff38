"""SEALStickerText: a caption on stickers."""

from __future__ import annotations

from typing import Any

import torch

from ..seal_core.stickers.caption import ALIGNS, PLACES, Caption, add_caption
from .comfy.api import io
from .comfy.folders import found_or_why
from .comfy.fonts import chosen_fonts, font_times, spare_fonts
from .comfy.node_ui import notes_on_node, progress_bar
from .input_checks import inputs_checked
from .schema import schema
from .shared_inputs import SHOWN_OUT, STICKER_OUT, STICKERS, colour_input, font_input, shown_mask


class SEALStickerText(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        def percent(name: str, default: float, low: float, high: float, tooltip: str) -> io.Input:
            return io.Float.Input(name, default=default, min=low, max=high, step=0.5, tooltip=tooltip)

        return schema(
            node_id="SEALStickerText",
            display_name="SEAL Sticker Text",
            category=STICKERS,
            description="Write a caption on stickers, as large as fits, in one or several lines, with an outline.",
            search_aliases=["caption", "text overlay", "meme text", "title", "lettering", "font", "emoji", "subtitle"],
            inputs=[
                io.Image.Input("image", tooltip="The stickers; their alpha stays."),
                io.String.Input(
                    "text",
                    default="Hello!",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="The caption. It is broken into lines where that makes it larger. Empty = none.",
                ),
                font_input(),
                io.Combo.Input(
                    "place",
                    options=list(PLACES),
                    default="bottom",
                    tooltip="bottom, top, middle: over the picture. below, above: the canvas grows.",
                ),
                percent("size", 16.0, 1, 100, "Height of a line at most, in percent of the picture's height."),
                percent("width", 92.0, 5, 100, "Room for the text, in percent of the picture's width."),
                percent("height", 40.0, 2, 100, "Room for the text, in percent of the picture's height."),
                io.Combo.Input("align", options=list(ALIGNS), default="centre", tooltip="How the lines are aligned."),
                colour_input("fill", "#ffffff", "the letters"),
                percent("stroke", 12.0, 0, 50, "Width of the letters' outline, in percent of their size; 0 = none."),
                colour_input("stroke_colour", "#202028", "the outline"),
                shown_mask("What of the image is shown."),
            ],
            outputs=[io.Image.Output("image", tooltip=STICKER_OUT), io.Mask.Output("mask", tooltip=SHOWN_OUT)],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        image: torch.Tensor,
        text: str,
        font: str,
        place: str,
        size: float,
        width: float,
        height: float,
        align: str,
        fill: str,
        stroke: float,
        stroke_colour: str,
        mask: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        caption = Caption(text, place, size, width, height, fill, stroke, stroke_colour, align)
        with notes_on_node() as ui:
            made = add_caption(image, mask, caption, chosen_fonts(font), progress_bar(), spare_fonts(font))
        return io.NodeOutput(*made, ui=ui)

    @classmethod
    def validate_inputs(cls, font: str | None = None) -> str | bool:
        """Accepts fonts that are not listed: what was typed when the widget was a text field."""
        return found_or_why(chosen_fonts, font)

    @classmethod
    def fingerprint_inputs(cls, font: str = "", **_: Any) -> Any:
        """Runs again where a font file has changed."""
        return font_times(font or "")


NODES = [SEALStickerText]
