"""Where a workflow may take fonts from: known folders, and nowhere else.

People run workflows from strangers. One that could name any path could find out which files exist, and a path to
another machine (UNC on Windows) would make ComfyUI log in there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..messages import SealError, require_utf8
from .font import SUFFIXES

_LONGEST = 255
_MOST_FILES = 20_000
_MOST_LISTED = 500


def font_file(name: str, folders: Sequence[Path]) -> Path:
    """The font called `name`: a file in one of `folders` or their sub-folders ("serif/a.ttf"), or an installed font.

    Raises SealError naming `font` if there is none, and for other kinds of names, without touching the disk.
    """
    parts = require_utf8(name, "font").replace("\\", "/").split("/")
    if any(part in ("", ".", "..") for part in parts) or ":" in name or not name.isprintable():
        raise SealError(
            f"font: {name[:80]!r} is a path; copy the file to {folders[0]} and write its name alone, e.g. MyFont.ttf."
        )
    if len(name.encode()) > _LONGEST or not name.lower().endswith(SUFFIXES):
        raise SealError(
            f"font: {name[:80]!r} cannot be a font's name; write one such as MyFont.ttf ({', '.join(SUFFIXES)})."
        )
    for folder in folders:
        if (found := folder.joinpath(*parts)).is_file():
            return found
    for found in installed_fonts() if len(parts) == 1 else ():
        if found.name.lower() == name.lower():
            return found
    raise SealError(
        f"font: there is no {name!r} in {' or '.join(map(str, folders))}, and none is installed; put the file "
        "there, or leave the field empty for the built-in font."
    )


def listed_fonts(folders: Sequence[Path]) -> list[str]:
    """Names, as `font_file` takes them, of the fonts in some folders and their sub-folders, sorted."""
    found = {path.relative_to(folder).as_posix() for folder in folders for path in _fonts_in([folder])}
    return sorted(found, key=str.casefold)[:_MOST_LISTED]


def installed_fonts() -> Iterator[Path]:
    """The font files of the operating system and of the user there."""
    return _fonts_in(system_folders())


def _fonts_in(folders: Sequence[Path]) -> Iterator[Path]:
    count = 0
    for folder in folders:
        for where, _, names in os.walk(folder):
            for name in names:
                if (count := count + 1) > _MOST_FILES:
                    return
                if name.lower().endswith(SUFFIXES):
                    yield Path(where, name)


def system_folders() -> list[Path]:
    """Where the operating system keeps fonts, its own and the user's."""
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local"
        return [Path(os.environ.get("WINDIR") or r"C:\Windows", "Fonts"), Path(local, "Microsoft", "Windows", "Fonts")]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts"]
    return [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts", home / ".fonts"]
