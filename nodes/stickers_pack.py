"""SEALSaveStickerPack: stickers as a pack that a chat platform takes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import folder_paths
import torch
from comfy.cli_args import args

from ..seal_core.callbacks import stoppable
from ..seal_core.messages import SealError, escaped_surrogates
from ..seal_core.stickers.canvas import rgba8
from ..seal_core.stickers.layers import layers_of
from ..seal_core.stickers.pack.clip import Clip
from ..seal_core.stickers.pack.pack_request import PackRequest, Sticker, with_emoji
from ..seal_core.stickers.pack.save_pack import save_pack
from ..seal_core.stickers.platforms import PLATFORMS
from .comfy.api import io, ui
from .comfy.progress import noted, progress_of, stop_on_cancel
from .schema import inputs_checked, schema

FORMATS = ("auto", "png", "webp", "apng", "gif", "webm")
TOO_LONG = ("play faster", "cut")
FOLDER = "stickers"


class SEALSaveStickerPack(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALSaveStickerPack",
            display_name="Save Sticker Pack",
            category="SEAL/stickers",
            description="Save stickers as a pack for a chat platform, static or animated, every file within the "
            "platform's limits. Goes into output/stickers; nothing is uploaded.",
            search_aliases=["telegram", "whatsapp", "signal", "discord", "line", "imessage", "export stickers", "APNG"],
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
                    tooltip="Whose limits to keep. plain: PNG or animated WebP in the pictures' own size.",
                ),
                io.Boolean.Input(
                    "animated",
                    default=False,
                    tooltip="Off: every picture is a sticker. On: every batch in the list is one animated sticker.",
                ),
                io.Float.Input(
                    "fps", default=12.0, min=0.1, max=120.0, step=0.1, tooltip="Frames a second of animated stickers."
                ),
                io.String.Input("title", default="My Stickers", tooltip="The pack's title, shown in the chat app."),
                io.String.Input("author", default="Me", tooltip="Who made it, shown in the chat app."),
                io.String.Input(
                    "emoji",
                    default="😀",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="The emoji that a sticker stands for: one line for all stickers, or one line each, or "
                    "lines such as sad = 😢: these go by the words in the stickers' names (wire names).",
                ),
                io.String.Input(
                    "name",
                    default="",
                    tooltip="Name of the pack's folder. Empty: made of the title. If it exists, -2, -3, ... is added.",
                ),
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    default="auto",
                    tooltip="Where the platform takes several formats: auto is its best.",
                ),
                io.Boolean.Input(
                    "embed_workflow",
                    default=True,
                    tooltip="Put the workflow into the files where format and limit allow. Switch it off for stickers "
                    "that go to people who should not read your prompts.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="What of the pictures is the sticker (1), e.g. from SEALStickerCutout or SemanticMask.",
                ),
                io.String.Input(
                    "names",
                    default="",
                    optional=True,
                    force_input=True,
                    tooltip="Names of the stickers: a list, e.g. the labels of Sticker Attribute Sweep, or one a line. "
                    "Emoji can go by them.",
                ),
                io.Combo.Input(
                    "too_long",
                    options=list(TOO_LONG),
                    default=TOO_LONG[0],
                    optional=True,
                    tooltip="What to do with animations that last longer than the platform allows.",
                ),
                io.Int.Input(
                    "size",
                    default=0,
                    min=0,
                    max=4096,
                    optional=True,
                    tooltip="0: the platform's own. imessage: 300, 408 or 618 px; plain: the longer side in pixels.",
                ),
            ],
            outputs=[
                io.String.Output("folder", tooltip="Where the pack is."),
                io.String.Output("report", tooltip="JSON: every file's size, limit and setting, and notes."),
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
        with noted() as said:
            stickers = _stickers(images, mask or [], animated[0], fps[0], _lines(names or []))
        stickers = with_emoji(stickers, _lines(emoji), platform[0])
        request = PackRequest(
            platform[0],
            title[0],
            author[0],
            name=name[0],
            form=format[0],
            cut=bool(too_long) and too_long[0] == "cut",
            size=size[0] if size else 0,
            tags=_tags(cls.hidden) if embed_workflow[0] and not args.disable_metadata else {},
        )
        output = Path(folder_paths.get_output_directory())
        pack = save_pack(stickers, request, output / FOLDER, progress_of(), check=stop_on_cancel)
        where = str(pack.folder.relative_to(output))
        shown = [ui.SavedResult(path.name, where, io.FolderType.output) for path in pack.stickers]
        report = pack.report | {"notes": [*pack.report["notes"], *said["text"]]}
        return io.NodeOutput(
            escaped_surrogates(str(pack.folder)),
            escaped_surrogates(json.dumps(report, ensure_ascii=False, indent=2)),
            ui=ui.SavedImages(shown, is_animated=animated[0]).as_dict() | said,
        )


def _stickers(
    images: Sequence[torch.Tensor], masks: Sequence[torch.Tensor], animated: bool, fps: float, names: Sequence[str]
) -> list[Sticker]:
    if len(masks) not in (0, 1, len(images)):
        raise SealError(f"mask: {len(masks)} masks for {len(images)} batches; give one for all, or one each.")
    found: list[Clip] = []
    for i, batch in enumerate(stoppable(images, stop_on_cancel)):
        frames = rgba8(layers_of(batch, masks[i if len(masks) > 1 else 0] if masks else None, "images"))
        if not animated:
            found += [Clip.still(frame) for frame in frames]
        elif len(frames) > 1:
            found.append(Clip.at_rate(frames, fps))
        else:
            raise SealError(
                f"images: batch {i + 1} has one picture, and an animated sticker needs frames; put each animation's "
                "frames into one batch, or switch animated off."
            )
    if names and len(names) != len(found):
        raise SealError(f"names: {len(names)} for {len(found)} stickers; give one each, or none.")
    return [Sticker(names[i] if names else "", animated, partial(_given, clip)) for i, clip in enumerate(found)]


def _given(clip: Clip) -> Clip:
    return clip


def _lines(texts: Sequence[str]) -> list[str]:
    """The lines of one text, or the texts of a list; nothing where all are empty."""
    lines = texts[0].strip("\n").splitlines() if len(texts) == 1 else list(texts)
    return [line.strip() for line in lines] if any(line.strip() for line in lines) else []


def _tags(hidden) -> Mapping[str, str]:
    """Workflow and prompt as ComfyUI's own save nodes write them."""
    tags = {key: json.dumps(value) for key, value in (hidden.extra_pnginfo or {}).items()}
    if hidden.prompt is not None:
        tags["prompt"] = json.dumps(hidden.prompt)
    return tags


NODES = [SEALSaveStickerPack]
