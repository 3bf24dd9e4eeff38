"""The fonts that a workflow names, found in ComfyUI's folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import folder_paths

from ...seal_core.messages import SealError
from ...seal_core.stickers.font_folders import font_file

_KIND = "fonts"


def font_folders() -> list[Path]:
    """models/fonts, then what ComfyUI, another pack or extra_model_paths.yaml has registered for fonts (newer ComfyUIs:
    fonts beside models), then the input folder."""
    others = folder_paths.get_folder_paths(_KIND) if _KIND in folder_paths.folder_names_and_paths else []
    folders = [os.path.join(folder_paths.models_dir, _KIND), *others, folder_paths.get_input_directory()]
    return list(dict.fromkeys(map(Path, folders)))


def chosen_fonts(names: str) -> list[Path]:
    """Files of the fonts in a widget: names with ; or line breaks between them. Raises SealError for unknown ones."""
    parts = (part.strip().strip('"') for part in names.replace("\n", ";").split(";"))
    return [font_file(name, font_folders()) for name in parts if name]


def font_times(names: str) -> Any:
    """When the chosen fonts were last changed, or why that cannot be told: for fingerprint_inputs, which must not
    raise."""
    try:
        return [file.stat().st_mtime_ns for file in chosen_fonts(names)]
    except (OSError, SealError) as error:
        return str(error)
