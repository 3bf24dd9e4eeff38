"""What workers do, whichever engine runs them (ours)."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..messages import SealError


@dataclass(frozen=True)
class Failure:
    """Why a task has no result, as a value. trace: of an error that nobody foresaw, else ""."""

    reason: str
    trace: str = ""


@dataclass(frozen=True)
class NotReady:
    """Why a worker cannot begin: what `prepare` raised."""

    reason: str


class WorkerJob:
    """The work of one worker. It is sent to other processes and machines: hold paths and settings, nothing loaded.

    together: how many tasks a worker takes at once, at most.
    """

    together = 1

    def prepare(self, number: int) -> Any:
        """What all tasks of this worker share, such as a loaded model. number: 0, 1, ... of the workers of one
        machine. SealError: no task can be done."""
        raise NotImplementedError

    def work(self, state: Any, task: Any) -> Any:
        """The result of one task. Whatever it raises becomes a `Failure` of this task."""
        raise NotImplementedError

    def work_together(self, state: Any, tasks: Sequence[Any]) -> list[Any]:
        """The result or `Failure` of each of a few tasks; here one after the other."""
        return [attempted(self, state, task) for task in tasks]

    def is_far(self, state: Any) -> bool:
        """Whether a worker does not see the disk of who sends it tasks. Asked there, once."""
        return False

    def sent(self, task: Any) -> Any:
        """What a far worker gets in place of a task: with the content of its files. Asked at the sender's."""
        return task

    def received(self, task: Any, result: Any) -> Any:
        """What becomes of a far worker's result: its files are written. Asked at the sender's."""
        return result


def attempted(job: WorkerJob, state: Any, task: Any) -> Any:
    """The result of a task, or its `Failure`."""
    return _caught(job.work, state, task)


def handfuls(job: WorkerJob, tasks: Sequence[Any]) -> list[list[Any]]:
    """The tasks as a worker takes them, in order."""
    return [list(tasks[at : at + job.together]) for at in range(0, len(tasks), job.together)]


def attempted_together(job: WorkerJob, state: Any, tasks: Sequence[Any]) -> list[Any]:
    """The result of each task, or its `Failure`."""
    found = _caught(job.work_together, state, tasks)
    return [found] * len(tasks) if isinstance(found, Failure) else found


def received(job: WorkerJob, task: Any, result: Any) -> Any:
    """A far worker's result once its files are here, or a `Failure`."""
    return result if isinstance(result, Failure) else _caught(job.received, task, result)


def _caught(call: Any, *given: Any) -> Any:
    try:
        return call(*given)
    except SealError as error:
        return Failure(str(error))
    except MemoryError:
        remedy = "use a smaller resolution, batch_size 1, fewer jobs, less together, or dtype bfloat16."
        return Failure(f"out of memory; {remedy}")
    except Exception as error:  # one task must not stop the others
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return Failure(f"unexpected {what}; the program is at fault: please report it.", traceback.format_exc())


def prepared(job: WorkerJob, number: int) -> Any:
    """The worker's state, or `NotReady`."""
    try:
        return job.prepare(number)
    except SealError as error:
        return NotReady(str(error))
    except MemoryError:
        return NotReady("out of memory while the model was loaded; use fewer jobs, or dtype bfloat16.")
