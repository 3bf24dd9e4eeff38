"""What the trainings share."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

WORK = Path("~/.cache/seal-world").expanduser()
"""Where trainings keep their states."""

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8  # mallopt's parameters in glibc's malloc.h


def keep_memory() -> bool:
    """Ask glibc to keep freed memory instead of giving it back to the system, for this process.

    Each step of a training on the CPU frees and asks again for the same large blocks; getting them from the system
    afresh (page by page, zeroed) took a fifth of the time. Returns whether it could be set: on Linux with glibc only.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 1 << 28))
    return [mallopt(name, value) for name, value in settings] == [1] * len(settings)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
