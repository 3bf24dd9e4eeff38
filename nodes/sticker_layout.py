"""SEALStickerLayout: stickers on a chat platform's canvas."""

from __future__ import annotations

import torch

from ..seal_core.stickers.layout import ANCHORS, LAYOUTS, lay_out
from .comfy.api import io
from .comfy.node_ui import notes_on_node, progress_bar
from .input_checks import inputs_checked
from .schema import schema
from .shared_inputs import SHOWN_OUT, STICKER_OUT, STICKERS, shown_mask


class SEALStickerLayout(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALStickerLayout",
            display_name="SEAL Sticker Layout",
            category=STICKERS,
            description="Scale stickers and centre them on a chat platform's canvas. SEAL Save Sticker Pack does this "
            "by itself; use this node to see it or to change it.",
            search_aliases=["fit", "pad", "resize sticker", "telegram", "whatsapp", "512", "canvas", "center"],
            inputs=[
                io.Image.Input("image", tooltip="Stickers (RGBA). A batch is scaled as one, so animations stay still."),
                io.Combo.Input(
                    "platform",
                    options=list(LAYOUTS),
                    default=LAYOUTS[0],
                    tooltip="Whose canvas. custom: `width` x `height` below.",
                ),
                io.Boolean.Input(
                    "animated", default=False, tooltip="The canvas for animated stickers; only LINE's differs."
                ),
                io.Float.Input(
                    "margin",
                    default=3.0,
                    min=0.0,
                    max=40.0,
                    step=0.5,
                    tooltip="Free space all round, in percent of the canvas's shorter side.",
                ),
                io.Combo.Input(
                    "anchor",
                    options=list(ANCHORS),
                    default="centre",
                    tooltip="Where a sticker stands if the canvas is higher than it.",
                ),
                io.Boolean.Input("enlarge", default=True, tooltip="Scale small stickers up to the canvas."),
                io.Int.Input(
                    "width",
                    default=512,
                    min=1,
                    max=4096,
                    tooltip="For custom: pixels. For imessage: 300, 408 or 618.",
                ),
                io.Int.Input("height", default=512, min=1, max=4096, tooltip="Only for custom: pixels."),
                shown_mask("What of the image is shown."),
            ],
            outputs=[io.Image.Output("image", tooltip=STICKER_OUT), io.Mask.Output("mask", tooltip=SHOWN_OUT)],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        image: torch.Tensor,
        platform: str,
        animated: bool,
        margin: float,
        anchor: str,
        enlarge: bool,
        width: int,
        height: int,
        mask: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        options = {"margin": margin, "anchor": anchor, "enlarge": enlarge, "width": width, "height": height}
        with notes_on_node() as ui:
            made = lay_out(image, mask, platform, animated=animated, **options, progress=progress_bar())
        return io.NodeOutput(*made, ui=ui)


NODES = [SEALStickerLayout]
