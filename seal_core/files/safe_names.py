"""Names of embedding files that are safe on every disk and readable in every prompt."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ..messages import SealError

EMBEDDING_EXTENSIONS = (".safetensors", ".pt", ".bin")
"""What ComfyUI tries after `embedding:NAME`, in this order, after NAME itself."""

TAKEN_BY = ("", *EMBEDDING_EXTENSIONS)
"""Suffixes of what `embedding:NAME` could mean: none of these files may be there where NAME is to be saved."""

_PORTS = (f"{port}{number}" for port in ("COM", "LPT") for number in "123456789¹²³")
_RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *_PORTS}
_MAX_STEM = 64


def safe_stem(name: str) -> str:
    """`name` itself, if it can be a file's stem and stand after `embedding:` in a prompt. Raises SealError.

    Allowed: 1 to 64 of A-Z, a-z, 0-9, _ and -; no name that Windows reserves (CON, NUL, ...) and none
    that reads as a number, since ComfyUI takes `(embedding:123)` for the weight 123.
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
        raise SealError(f"name: {name!r} reads as a number, which prompts take for a weight; try cat-{name}.")
    return name


def is_windows_device(name: str) -> bool:
    """Whether Windows takes a name, with or without an ending, for a device: CON, nul, com1.txt, COM¹."""
    return name.partition(".")[0].strip().upper() in _RESERVED


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def unique_stem(folder: Path, stem: str, suffixes: Iterable[str] = TAKEN_BY) -> str:
    """`stem`, or stem-2, stem-3, ... : the first that with no suffix is a file's name in `folder`, whatever its case.

    With its number it keeps to the length that `safe_stem` allows, if `stem` did.
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
    """What lies in a folder, sorted by name; nothing where the folder is missing or closed to us."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []
