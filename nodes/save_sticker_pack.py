"""SEALSaveStickerPack: stickers as a pack that a chat platform takes."""

from __future__ import annotations

import json

import torch

from ..seal_core.messages import escaped_surrogates
from ..seal_core.stickers.pack.batches import lines_of, stickers_of
from ..seal_core.stickers.pack.pack_request import PackRequest, with_emoji
from ..seal_core.stickers.pack.save_pack import pack_in_words, save_pack
from ..seal_core.stickers.platforms import PLATFORMS
from .comfy.api import io
from .comfy.folders import output_folder
from .comfy.node_ui import notes_on_node, progress_within, stop_on_cancel
from .comfy.pack_ui import pack_on_node
from .comfy.workflow_tags import workflow_tags
from .input_checks import inputs_checked
from .schema import reads, schema
from .shared_inputs import STICKERS, fps_input

FORMATS = ("auto", "png", "webp", "apng", "gif", "webm")
CUT = "cut"
TOO_LONG = ("play faster", CUT)
FOLDER = "stickers"


class SEALSaveStickerPack(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALSaveStickerPack",
            display_name="SEAL Save Sticker Pack",
            category=STICKERS,
            description="Save stickers, still or animated, as a pack for a chat platform, every file within its "
            "limits. The pack goes into output/stickers; nothing is uploaded.",
            search_aliases=[
                *("telegram", "whatsapp", "signal", "discord", "line", "imessage", "export stickers"),
                *("gif", "animated gif", "APNG", "webp", "save gif"),
            ],
            is_output_node=True,
            is_input_list=True,
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            inputs=[
                io.Image.Input(
                    "images",
                    tooltip="The stickers: a batch, or a list of pictures of any size. RGBA keeps its transparency.",
                ),
                io.Combo.Input(
                    "platform",
                    options=list(PLATFORMS),
                    default="telegram",
                    tooltip="Whose limits to keep. plain: none; PNG or animated WebP in the pictures' own size.",
                ),
                io.Boolean.Input(
                    "animated",
                    default=False,
                    tooltip="Off: every picture is a sticker. On: every batch of the list is one animated sticker, as "
                    "SEAL Load Stickers gives them.",
                ),
                fps_input("Frames a second of animated stickers: one number, or a list with one for each."),
                io.String.Input("title", default="My Stickers", tooltip="The pack's title in the chat app."),
                io.String.Input("author", default="Me", tooltip="Who made the pack, shown in the chat app."),
                io.String.Input(
                    "emoji",
                    default="😀",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="The emoji that stand for a sticker: one line for all stickers, one line each, or lines "
                    "such as sad = 😢 for stickers with that word in their names (wire `names`).",
                ),
                io.String.Input(
                    "name",
                    default="",
                    tooltip="The pack's folder. Empty: made from the title. The platform is added, as in "
                    "My_Stickers-telegram. A name that exists gets -2, -3, ...",
                ),
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    default="auto",
                    tooltip="auto: the platform's best. Another where the platform takes several.",
                ),
                io.Boolean.Input(
                    "embed_workflow",
                    default=True,
                    tooltip="Put the workflow into the files where format and limit allow. Switch it off for stickers "
                    "whose receivers should not read your prompts.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="What of the pictures is the sticker (1), e.g. from SEAL Sticker Cutout.",
                ),
                io.String.Input(
                    "names",
                    default="",
                    optional=True,
                    force_input=True,
                    tooltip="Names of the stickers: the labels of SEAL Sticker Attribute Sweep, or one a line. `emoji` "
                    "can go by them.",
                ),
                io.Combo.Input(
                    "too_long",
                    options=list(TOO_LONG),
                    default=TOO_LONG[0],
                    optional=True,
                    tooltip="What to do with animations that are longer than the platform allows.",
                ),
                io.Int.Input(
                    "size",
                    default=0,
                    min=0,
                    max=4096,
                    optional=True,
                    extra_dict=reads((0, "platform's own")),
                    tooltip="platform's own (0): as it wants it. imessage: 300, 408 or 618 px. plain: the longer side "
                    "in pixels.",
                ),
            ],
            outputs=[
                io.String.Output("folder", tooltip="Where the pack is."),
                io.String.Output("report", tooltip="JSON: every file's size, limit and settings, and notes."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        images: list[torch.Tensor],
        platform: list[str],
        animated: list[bool],
        fps: list[float],
        title: list[str],
        author: list[str],
        emoji: list[str],
        name: list[str],
        format: list[str],
        embed_workflow: list[bool],
        mask: list[torch.Tensor] | None = None,
        names: list[str] | None = None,
        too_long: list[str] | None = None,
        size: list[int] | None = None,
    ) -> io.NodeOutput:
        with notes_on_node() as said:
            stickers = stickers_of(images, mask or [], animated[0], fps, lines_of(names or []), stop_on_cancel)
        stickers = with_emoji(stickers, lines_of(emoji), platform[0])
        request = PackRequest(
            platform[0],
            title[0],
            author[0],
            name=name[0],
            form=format[0],
            cut=bool(too_long) and too_long[0] == CUT,
            size=size[0] if size else 0,
            tags=workflow_tags(cls.hidden) if embed_workflow[0] else {},
        )
        pack = save_pack(stickers, request, output_folder() / FOLDER, *progress_within())
        report = pack.report | {"notes": [*pack.report["notes"], *said["text"]]}
        shown = pack_on_node(pack, stickers)
        return io.NodeOutput(
            escaped_surrogates(str(pack.folder)),
            escaped_surrogates(json.dumps(report, ensure_ascii=False, indent=2)),
            ui=shown | {"text": [escaped_surrogates(pack_in_words(pack)), *said["text"]]},
        )


NODES = [SEALSaveStickerPack]
