"""Folders that appear whole or not at all, never in another's place: `whole_file` for folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..messages import SealError
from .safe_names import folder_entries, unique_stem
from .whole_file import LEFTOVER, hidden_beside, sweep_leftovers, sync_folder, why_not_writable

_TRIES = 1000

T = TypeVar("T")


def write_new_folder(parent: Path, stem: str, fill: Callable[[Path], T], what: str) -> tuple[Path, T]:
    """Make a folder that nothing had before, `stem` or stem-2, stem-3, ..., with the files that `fill(folder)` writes.

    It is filled under a hidden name, synced, and renamed at the end. If `fill` raises anything, nothing is left.
    Returns the folder and what `fill` returned.
    Raises SealError, beginning with `what`, if the disk refuses.
    """
    hidden = hidden_beside(parent, stem)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        sweep_leftovers(parent)
        hidden.mkdir()
        result = fill(hidden)
        for entry in folder_entries(hidden):
            with open(entry.path, "rb+") as file:
                os.fsync(file.fileno())
        sync_folder(hidden)
        folder = _renamed(hidden, parent, stem)
        sync_folder(parent)
        return folder, result
    except OSError as error:
        raise SealError(
            f"{what}: cannot write into {parent}: {why_not_writable(error)}. Nothing was changed."
        ) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def unfinished_folders(parent: Path) -> list[str]:
    """Names of the hidden folders that are being filled, or that a killed process left less than a day ago."""
    return [entry.name for entry in folder_entries(parent) if LEFTOVER.fullmatch(entry.name) and entry.is_dir()]


def _renamed(hidden: Path, parent: Path, stem: str) -> Path:
    for _ in range(_TRIES):
        target = parent / unique_stem(parent, stem, ("",))
        try:
            os.rename(hidden, target)
        except OSError:
            if not target.exists():
                raise
            continue  # somebody was quicker: the next number
        return target
    raise OSError(f"{_TRIES} names like it are taken")
