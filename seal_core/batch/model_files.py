"""A digest of a model's files without loading them, so that a batch knows its finished work before any model is."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..messages import SealError

_BLOCK, _BLOCKS = 1 << 14, 16
"""Bytes read at a place, and places in a file, evenly spread: another training of the weights changes them all."""


def model_files_digest(path: Path) -> str:
    """Of one file, or of all in a folder: names, sizes, and a sample of what is in them. The place does not matter.

    Raises SealError naming `model`.
    """
    if not path.exists():
        raise SealError(f"model: {path} is not there; give a local diffusers folder, the one with model_index.json.")
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and _counts(p, path))
    total = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        total.update(f"{file.relative_to(path).as_posix() if file != path else ''} {size}\n".encode())
        try:
            with open(file, "rb") as stream:
                for place in range(_BLOCKS):
                    stream.seek(max(0, size - _BLOCK) * place // (_BLOCKS - 1))
                    total.update(stream.read(_BLOCK))
        except OSError as error:
            raise SealError(f"model: {file} cannot be read ({error.strerror or error}); allow reading it.") from None
    return total.hexdigest()[:16]


def _counts(file: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in file.relative_to(folder).parts)
