"""The fonts that a node offers and a workflow names, found in ComfyUI's folders and the system's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import folder_paths

from ...seal_core.messages import SealError
from ...seal_core.stickers.font_chain import SpareFonts, no_spare_fonts
from ...seal_core.stickers.font_folders import font_file, listed_fonts
from ...seal_core.stickers.system_fonts import FontFile, system_fonts

AUTOMATIC, BUNDLED_ONLY = "automatic", "bundled"
_KIND = "fonts"


def font_options() -> list[str]:
    """What a font widget offers: the two words above, the system's emoji and East Asian fonts, models/fonts."""
    names = [*(font.path.name for font in system_fonts()), *listed_fonts(_model_folders())]
    return list(dict.fromkeys([AUTOMATIC, BUNDLED_ONLY, *names]))


def font_folders() -> list[Path]:
    """models/fonts, then what ComfyUI, another pack or extra_model_paths.yaml has registered for fonts (newer ComfyUIs:
    fonts beside models), then the input folder."""
    return list(dict.fromkeys([*_model_folders(), Path(folder_paths.get_input_directory())]))


def _model_folders() -> list[Path]:
    others = folder_paths.get_folder_paths(_KIND) if _KIND in folder_paths.folder_names_and_paths else []
    return list(dict.fromkeys(map(Path, [os.path.join(folder_paths.models_dir, _KIND), *others])))


def chosen_fonts(names: str) -> list[Path]:
    """Files of the fonts in a widget; none for automatic and bundled. Raises SealError for unknown ones.

    Workflows from when the widget was a text field may have several names, with ; or line breaks between them, or none.
    """
    parts = (part.strip().strip('"') for part in names.replace("\n", ";").split(";"))
    return [font_file(name, font_folders()) for name in parts if name not in ("", AUTOMATIC, BUNDLED_ONLY)]


def spare_fonts(names: str) -> SpareFonts:
    """Where to look for characters that the chosen fonts lack: models/fonts, then the system; nowhere for bundled."""
    return no_spare_fonts if names.strip() == BUNDLED_ONLY else _users_and_systems


def _users_and_systems(text: str) -> list[FontFile]:
    folders = _model_folders()
    found = (FontFile(font_file(name, folders)) for name in listed_fonts(folders))
    return [*found, *system_fonts(text)]


def font_times(names: str) -> Any:
    """When the chosen fonts were last changed, which others there are, or why that cannot be told: for
    fingerprint_inputs, which must not raise."""
    try:
        others = [str(font.path) for font in spare_fonts(names)("")]
        return [others, [file.stat().st_mtime_ns for file in chosen_fonts(names)]]
    except (OSError, SealError) as error:
        return str(error)
