"""Names of embedding files that every disk takes and every prompt can name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ..messages import SealError

EMBEDDING_EXTENSIONS = (".safetensors", ".pt", ".bin")
"""What ComfyUI tries after `embedding:NAME`, in this order, after NAME itself."""

TAKEN_BY = ("", *EMBEDDING_EXTENSIONS)
"""Endings of the files that `embedding:NAME` can mean. NAME is free only where none of these exists."""

_PORTS = (f"{port}{number}" for port in ("COM", "LPT") for number in "123456789¹²³")
_RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *_PORTS}
_MAX_STEM = 64


def safe_stem(name: str) -> str:
    """`name` itself where it can be a file's stem and stand after `embedding:` in a prompt; else SealError.

    Allowed are 1 to 64 of A-Z, a-z, 0-9, _ and -. Not allowed are names that Windows reserves (CON, NUL, ...) and
    numbers, since ComfyUI reads `(embedding:123)` as the weight 123.
    """
    if not name:
        raise SealError("name: empty; give the file a name of letters, digits, _ and -, e.g. my-cat.")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise SealError(
            f"name: {name!r} has characters that a file name or a prompt cannot take; "
            "use only letters, digits, _ and - (no spaces, dots or slashes), e.g. my-cat."
        )
    if len(name) > _MAX_STEM:
        raise SealError(f"name: {len(name)} characters are too many; use at most {_MAX_STEM}.")
    if is_windows_device(name):
        raise SealError(f"name: {name!r} is reserved by Windows; choose another, e.g. {name}-1.")
    if _is_number(name):
        raise SealError(f"name: {name!r} is a number, which prompts read as a weight; try cat-{name}.")
    return name


def is_windows_device(name: str) -> bool:
    """Whether Windows reads a name, with or without an ending, as a device: CON, nul, com1.txt, COM¹."""
    return name.partition(".")[0].strip().upper() in _RESERVED


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def unique_stem(folder: Path, stem: str, suffixes: Iterable[str] = TAKEN_BY) -> str:
    """`stem`, or stem-2, stem-3, ...: the first that is no file in `folder` with any of the suffixes, in any case.

    With its number it stays as safe as `stem` is.
    """
    taken = {entry.name.lower() for entry in folder_entries(folder)}
    endings = [suffix.lower() for suffix in suffixes]
    candidate, count = stem, 1
    while any(candidate.lower() + ending in taken for ending in endings):
        count += 1
        candidate = _numbered(stem, count)
    return candidate


def _numbered(stem: str, count: int) -> str:
    number = f"-{count}"
    kept = stem if len(stem) > _MAX_STEM else stem[: _MAX_STEM - len(number)]
    return f"{kept}_{count}" if _is_number(kept + number) else kept + number  # 1e-2 would be a weight


def folder_entries(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder, sorted by name; none where the folder is missing or may not be read."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []
