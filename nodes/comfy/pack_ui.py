"""A saved pack on its node: the files, or, where they move, all of them in one small animation."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import folder_paths

from ...seal_core.messages import log_warning
from ...seal_core.stickers.pack.moving_preview import moving_preview
from ...seal_core.stickers.pack.pack_request import Sticker
from ...seal_core.stickers.pack.save_pack import Pack
from .api import io, ui
from .folders import output_folder

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
    together = _moving_preview(stickers) if moving else []
    return ui.SavedImages([*together, *shown], is_animated=moving).as_dict()


def _moving_preview(stickers: Sequence[Sticker]) -> list[Any]:
    """Whatever goes wrong here must not cost the pack, which is saved already."""
    try:
        folder = Path(folder_paths.get_temp_directory())
        folder.mkdir(parents=True, exist_ok=True)
        data = moving_preview([sticker.read() for sticker in stickers])
        handle, name = tempfile.mkstemp(".webp", "seal_pack_", folder)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        return [ui.SavedResult(Path(name).name, "", io.FolderType.temp)]
    except Exception as error:
        log_warning("SEAL: the pack is saved, but its preview could not be made (%s).", error)
        return []
