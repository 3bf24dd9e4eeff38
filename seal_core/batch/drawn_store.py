"""What a batch draws with a concept: a folder of pictures, and a pack of them, found again by what they were made of.

pictures/NAME/01-sad.png ... pictures.json      packs/NAME-telegram/...
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..files.whole_folder import write_new_folder
from .batch_index import IndexRow

PICTURES, PACKS, LIST = "pictures", "packs", "pictures.json"


def with_drawn(out: Path, row: IndexRow, key: str) -> IndexRow | None:
    """The row with what was drawn for it; None where that was not yet."""
    number = 1
    while (folder := out / PICTURES / (row.name if number == 1 else f"{row.name}-{number}")).is_dir():
        number += 1
        try:
            found = json.loads((folder / LIST).read_text(encoding="utf-8"))
            if found["key"] != key or not all((folder / name).is_file() for name in found["files"]):
                continue
            pack, warnings = str(found["pack"]), list(found["warnings"])
            if pack and not (out / pack).is_dir():
                continue
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return _with(row, folder.name, found["files"], pack, warnings)
    return None


def store_drawn(
    out: Path,
    row: IndexRow,
    key: str,
    files: Mapping[str, bytes],
    pack: tuple[str, Mapping[str, bytes]] | None,
    warnings: list[str],
) -> IndexRow:
    """Write the pictures, and the pack (name, files) before them. Returns the row with both.

    Raises SealError naming `out` where the disk refuses.
    """
    where = ""
    if pack is not None:
        packed, _ = write_new_folder(out / PACKS, pack[0], lambda folder: _fill(folder, pack[1]), "out")
        where = f"{PACKS}/{packed.name}"
    listed = json.dumps({"key": key, "files": list(files), "pack": where, "warnings": warnings}, indent=1).encode()
    # Last: their list marks pictures and pack as complete.
    folder, _ = write_new_folder(out / PICTURES, row.name, lambda path: _fill(path, {**files, LIST: listed}), "out")
    return _with(row, folder.name, list(files), where, warnings)


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _with(row: IndexRow, folder: str, files: list[str], pack: str, warnings: list[str]) -> IndexRow:
    drawn = [f"{PICTURES}/{folder}/{name}" for name in files]
    return replace(row, pictures=drawn, pack=pack, warnings=[*row.warnings, *warnings])
