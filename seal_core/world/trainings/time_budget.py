"""Shared by the trainings: the folder for their states, and a time budget that survives stops.

On Linux they run a fifth faster if glibc keeps freed memory, since every step frees and requests the same large blocks:
set MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=2147483647 MALLOC_TOP_PAD_=268435456 in the environment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORK = Path("~/.cache/seal-world").expanduser()
"""Where trainings keep their states."""
SAVE_SECONDS = 120
"""Time between two saves of a training's state."""


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class TimeBudget:
    """A time budget that survives stops: a stopped run resumes; after a finished one a new run begins.

    about: stored with the training's state; this class owns its "seconds" (of all runs) and "run". step: steps done
    before. fresh: begin a new run even if the last one was stopped.
    """

    def __init__(self, about: dict[str, Any], minutes: float, step: int, fresh: bool = False) -> None:
        run = about.get("run") or {}
        if not run or run["done"] >= 1 or fresh:
            run = {"minutes": minutes, "first_step": step, "seconds": 0.0, "done": 0.0}
        about["run"] = run
        self._about, self._run = about, run
        self._before, self._started = about["seconds"] - run["seconds"], time.monotonic() - run["seconds"]
        self._begun = time.monotonic()
        self._marks: dict[str, float] = {}

    @property
    def done(self) -> float:
        """Share of the budget used, 0 to 1."""
        return self._run["done"]

    @property
    def first_step(self) -> int:
        return self._run["first_step"]

    def tick(self, agree: Callable[[float], float] = float) -> None:
        """Read the clock; `agree` gives all processes the same answer."""
        self._run["seconds"] = time.monotonic() - self._started
        self._run["done"] = agree(min(1.0, self._run["seconds"] / (self._run["minutes"] * 60)))
        self._about["seconds"] = self._before + self._run["seconds"]

    def due(self, what: str, seconds: float) -> bool:
        """Whether `seconds` have passed since `what` was last due (or this process began), or the run is done."""
        now = time.monotonic()
        if now - self._marks.get(what, self._begun) < seconds and self.done < 1:
            return False
        self._marks[what] = now
        return True
