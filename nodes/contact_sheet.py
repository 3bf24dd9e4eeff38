"""SEALContactSheet: many stickers in a labelled grid."""

from __future__ import annotations

from typing import Any

import torch

from ..seal_core.stickers.contact_sheet import GROUNDS, contact_sheet
from .comfy.api import io
from .comfy.folders import found_or_why
from .comfy.fonts import AUTOMATIC, chosen_fonts, font_times, spare_fonts
from .comfy.node_ui import notes_on_node, progress_bar
from .input_checks import inputs_checked
from .schema import reads, schema
from .shared_inputs import STICKERS, font_input


class SEALContactSheet(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALContactSheet",
            display_name="SEAL Contact Sheet",
            category=STICKERS,
            description="Put many stickers into one grid. Labels from SEAL Sticker Attribute Sweep name its rows and "
            "columns; scores stand under the pictures.",
            search_aliases=["image grid", "xy plot", "overview", "collage", "montage", "compare"],
            is_input_list=True,
            inputs=[
                io.Image.Input("images", tooltip="The stickers: a list or a batch, of any sizes."),
                io.Combo.Input(
                    "ground", options=list(GROUNDS), default="checkered", tooltip="What transparent places show."
                ),
                io.Int.Input("cell", default=256, min=32, max=1024, tooltip="Pixels of a sticker's cell."),
                io.Int.Input(
                    "columns",
                    default=0,
                    min=0,
                    max=64,
                    extra_dict=reads((0, "auto")),
                    tooltip="auto (0) = from the labels (two swept attributes give rows and columns), else nearly "
                    "square, as also where the sheet would be over 8192 pixels.",
                ),
                io.String.Input("title", default="", tooltip="Words above the grid."),
                font_input(" Characters that no font has appear as code points such as U+65E5.", optional=True),
                io.String.Input(
                    "labels",
                    optional=True,
                    force_input=True,
                    tooltip="The labels of SEAL Sticker Attribute Sweep: one for each batch or for each picture, or "
                    "one text with a line for each.",
                ),
                io.Float.Input(
                    "scores",
                    optional=True,
                    force_input=True,
                    tooltip="A number for each picture or batch, shown under it. The highest is marked.",
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
        chosen = (font or [AUTOMATIC])[0]
        fonts = {"fonts": chosen_fonts(chosen), "spare": spare_fonts(chosen)}
        with notes_on_node() as ui:
            sheet = contact_sheet(images, words, marks, **look, **fonts, progress=progress_bar())
        return io.NodeOutput(sheet, ui=ui)

    @classmethod
    def validate_inputs(cls, font: list[str] | str | None = None) -> str | bool:
        """Accepts fonts that are not listed: what was typed when the widget was a text field."""
        return found_or_why(chosen_fonts, font[0] if isinstance(font, list) else font)

    @classmethod
    def fingerprint_inputs(cls, font: list[str] | None = None, **_: Any) -> Any:
        """Runs again where a font file has changed."""
        return font_times((font or [""])[0] or "")


NODES = [SEALContactSheet]
