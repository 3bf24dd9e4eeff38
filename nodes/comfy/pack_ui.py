"""A saved pack on its node: the files, or, where they move, all of them in one small animation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...seal_core.stickers.pack.pack_request import Sticker
from ...seal_core.stickers.pack.save_pack import Pack
from .api import io, ui
from .folders import output_folder
from .moving_ui import moving_sheet

_PICTURES = (".png", ".webp", ".gif")


def pack_on_node(pack: Pack, stickers: Sequence[Sticker]) -> dict[str, Any]:
    """The `ui` of a node that has saved a pack.

    The front end shows the first only of several animations, and videos by themselves: hence one that has all, in
    ComfyUI's temp folder, comes first.
    """
    where = str(pack.folder.relative_to(output_folder()))
    moving = any(sticker.animated for sticker in stickers)
    shown = [
        ui.SavedResult(path.name, where, io.FolderType.output)
        for path in pack.stickers
        if not moving or path.suffix in _PICTURES
    ]
    together = moving_sheet([sticker.read() for sticker in stickers]) if moving else []
    return ui.SavedImages([*together, *shown], is_animated=moving).as_dict()
