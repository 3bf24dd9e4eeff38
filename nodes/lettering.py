"""Words on stickers and around them: captions and contact sheets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..seal_core.messages import SealError
from ..seal_core.stickers.caption import ALIGNS, PLACES, Caption, add_caption
from ..seal_core.stickers.contact_sheet import GROUNDS, contact_sheet
from ..seal_core.stickers.font_folders import font_file
from .comfy.api import io
from .comfy.folders import font_folders
from .comfy.progress import noted, progress_of
from .schema import inputs_checked, schema
from .stickers import CATEGORY, COLOUR, SHOWN, STICKER, mask_input

FONT = (
    "Font file: its name in ComfyUI's models/fonts or input folder, or of an installed one; several with ; between "
    "them: each character comes from the first that has it, emoji from an emoji font, digits from a text font. Empty = "
    "the built-in font (Latin, Greek, Cyrillic, kana)."
)


class SEALStickerText(io.ComfyNode):
    """A caption."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        def percent(name: str, default: float, low: float, high: float, tooltip: str) -> io.Input:
            return io.Float.Input(name, default=default, min=low, max=high, step=0.5, tooltip=tooltip)

        return schema(
            node_id="SEALStickerText",
            display_name="Sticker Text",
            category=CATEGORY,
            description="Write a caption on stickers: fitted, in several lines, with fill and stroke.",
            search_aliases=["caption", "text overlay", "meme text", "title", "lettering", "font"],
            inputs=[
                io.Image.Input("image", tooltip="The stickers; their alpha is kept."),
                io.String.Input(
                    "text",
                    default="Hello!",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="The caption; it is broken into lines where that makes it larger. Empty = no caption.",
                ),
                io.String.Input("font", default="", tooltip=FONT),
                io.Combo.Input(
                    "place",
                    options=list(PLACES),
                    default="bottom",
                    tooltip="bottom, top, middle: over the picture. below, above: the canvas grows.",
                ),
                percent("size", 16.0, 1, 100, "Percent of the picture's height that a line has at most."),
                percent("width", 92.0, 5, 100, "Percent of the picture's width that the text may take."),
                percent("height", 40.0, 2, 100, "Percent of the picture's height that the text may take."),
                io.Combo.Input("align", options=list(ALIGNS), default="centre", tooltip="How the lines are aligned."),
                io.String.Input("fill", default="#ffffff", tooltip=f"Colour of the letters: {COLOUR}"),
                percent("stroke", 12.0, 0, 50, "Width of the line around the letters in percent of their size."),
                io.String.Input("stroke_colour", default="#202028", tooltip=f"Colour of that line: {COLOUR}"),
                mask_input("What of the image is shown."),
            ],
            outputs=[io.Image.Output("image", tooltip=STICKER), io.Mask.Output("mask", tooltip=SHOWN)],
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
        with noted() as ui:
            made = add_caption(image, mask, caption, _font_files(font), progress_of())
        return io.NodeOutput(*made, ui=ui)

    @classmethod
    def fingerprint_inputs(cls, font: str = "", **_: Any) -> Any:
        """Runs again where a font file has changed; which files there are is told when it runs."""
        return _font_times(font or "")


def _font_times(names: str) -> Any:
    """When the fonts that the widget names were last changed, or why that cannot be told."""
    try:
        return [file.stat().st_mtime_ns for file in _font_files(names)]
    except (OSError, SealError) as error:
        return str(error)


def _font_files(names: str) -> list[Path]:
    """Paths of the fonts that the widget names."""
    parts = (part.strip().strip('"') for part in names.replace("\n", ";").split(";"))
    return [font_file(name, font_folders()) for name in parts if name]


class SEALContactSheet(io.ComfyNode):
    """Many stickers in a labelled grid."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALContactSheet",
            display_name="Contact Sheet",
            category=CATEGORY,
            description="Put many stickers into one labelled grid: rows and columns from SEALStickerAttributeSweep's "
            "labels, scores if wired.",
            search_aliases=["image grid", "xy plot", "overview", "collage", "montage", "compare"],
            is_input_list=True,
            inputs=[
                io.Image.Input("images", tooltip="All stickers of a list or batch, of any sizes."),
                io.Combo.Input(
                    "ground", options=list(GROUNDS), default="checkered", tooltip="What transparent places show."
                ),
                io.Int.Input("cell", default=256, min=32, max=1024, tooltip="Pixels of a sticker's cell."),
                io.Int.Input(
                    "columns",
                    default=0,
                    min=0,
                    max=64,
                    tooltip="0 = from the labels (two swept attributes give rows and columns), else nearly square. "
                    "Nearly square too where the sheet would be larger than 8192 pixels.",
                ),
                io.String.Input("title", default="", tooltip="Words above the grid."),
                io.String.Input(
                    "font",
                    default="",
                    optional=True,
                    tooltip=f"{FONT} Characters that no font has are shown as code points such as U+65E5.",
                ),
                io.String.Input(
                    "labels",
                    optional=True,
                    force_input=True,
                    tooltip="SEALStickerAttributeSweep's labels: one for each batch or for each picture.",
                ),
                io.Float.Input(
                    "scores",
                    optional=True,
                    force_input=True,
                    tooltip="A number for each picture (or batch), shown under it; the highest is marked.",
                ),
            ],
            outputs=[io.Image.Output("image", tooltip="The sheet, RGB.")],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        images: list[torch.Tensor],
        ground: list[str],
        cell: list[int],
        columns: list[int],
        title: list[str],
        font: list[str] | None = None,
        labels: list[str] | None = None,
        scores: list[float] | None = None,
    ) -> io.NodeOutput:
        words = [w for w in labels or [] if w is not None]
        marks = [float(s) for s in scores or [] if s is not None]
        look = {"columns": columns[0], "cell": cell[0], "ground": ground[0], "title": title[0]}
        fonts = _font_files((font or [""])[0])
        with noted() as ui:
            sheet = contact_sheet(images, words, marks, **look, fonts=fonts, progress=progress_of())
        return io.NodeOutput(sheet, ui=ui)

    @classmethod
    def fingerprint_inputs(cls, font: list[str] | None = None, **_: Any) -> Any:
        """Runs again where a font file has changed."""
        return _font_times((font or [""])[0] or "")


NODES = [SEALStickerText, SEALContactSheet]
