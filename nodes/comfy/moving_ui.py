"""Animations that move on their node."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import folder_paths

from ...seal_core.messages import log_warning
from ...seal_core.stickers.pack.clip import Clip
from ...seal_core.stickers.pack.moving_preview import moving_preview
from .api import io, ui


def moving_sheet(clips: Sequence[Clip]) -> list[Any]:
    """One animation of all clips side by side in ComfyUI's temp folder, as a list for `ui.SavedImages`.

    Whatever goes wrong here must not cost the result that the node has worked for: then the list is empty.
    """
    try:
        folder = Path(folder_paths.get_temp_directory())
        folder.mkdir(parents=True, exist_ok=True)
        data = moving_preview(clips)
        handle, name = tempfile.mkstemp(".webp", "seal_moving_", folder)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        return [ui.SavedResult(Path(name).name, "", io.FolderType.temp)]
    except Exception as error:
        log_warning("SEAL: all is made, but the moving preview on the node could not be (%s).", error)
        return []


def clips_on_node(clips: Sequence[Clip]) -> dict[str, Any]:
    """The `ui` of a node that has made animations and saved none."""
    shown = moving_sheet(clips)
    return ui.SavedImages(shown, is_animated=True).as_dict() if shown else {}
