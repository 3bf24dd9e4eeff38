"""Arrays on disk, written whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..files.whole_file import write_output
from ..messages import SealError


def write_array(path: Path, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_output(path, buffer.getvalue())


def cached_array(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The array in a file, mapped from disk; made now if the file is missing."""
    if not path.exists():
        write_array(path, make())
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise SealError(f"cache: {path} cannot be read ({error}); delete it and try again.") from None
