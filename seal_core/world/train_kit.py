"""What the trainings share."""

from __future__ import annotations

import ctypes
import sys

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
    return all([mallopt(name, value) == 1 for name, value in settings])
