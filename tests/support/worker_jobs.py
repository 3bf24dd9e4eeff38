"""Jobs that worker processes import: they need no torch."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from seal_core.messages import SealError
from seal_core.workers.worker_job import WorkerJob


class Squares(WorkerJob):
    """Squares numbers; notes each worker's start in a folder. Some tasks fail in their own ways."""

    def __init__(self, folder: Path, broken: str = "", together: int = 1) -> None:
        self.folder, self.broken, self.together = folder, broken, together

    def prepare(self, number):
        if self.broken:
            raise SealError(self.broken)
        (self.folder / f"started-{os.getpid()}").touch()
        return number

    def work_together(self, state, tasks):
        assert len(tasks) <= self.together
        return super().work_together(state, tasks)

    def work(self, state, task):
        if task == "bad":
            raise SealError("image: is bad; give another.")
        if task == "bug":
            raise KeyError("nobody expects this")
        if task == "memory":
            raise MemoryError
        if task == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "kill once" and not (self.folder / "killed").exists():
            (self.folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "sleep":
            time.sleep(60)
        return task if isinstance(task, str) else task**2


class FarSquares(Squares):
    """The same on a machine that sees none of our files."""

    def is_far(self, state):
        return True

    def sent(self, task):
        return task + 1

    def received(self, task, result):
        return ("received", result)
