"""What the trainings share.

On Linux they run a fifth faster where glibc keeps freed memory instead of giving it back, since every step frees and
asks again for the same large blocks: MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=2147483647 MALLOC_TOP_PAD_=268435456
in the environment.
"""

from __future__ import annotations

import os
from pathlib import Path

WORK = Path("~/.cache/seal-world").expanduser()
"""Where trainings keep their states."""


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
