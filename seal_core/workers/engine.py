"""One way to map over tasks: in this process, in several, or on a Ray cluster (ours).

Results come as they are ready, in any order. A failure is a value, so one bad task stops no other. Workers load what
they need once. What becomes of a task depends on the task alone, never on the engine.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..messages import SealError
from .process_pool import process_results
from .worker_job import NotReady, WorkerJob, attempted_together, handfuls, prepared

LOCAL = "local"
"""`Engine.ray` for a cluster on this machine alone, started and stopped with the work."""


@dataclass(frozen=True)
class Engine:
    """Where the work is done. jobs: workers on this machine; 0 on Ray = one for each device. ray: "" for none, "local",
    or a cluster's address ("auto", "ray://host:10001", "host:6379")."""

    jobs: int = 1
    ray: str = ""

    def results(self, job: WorkerJob, tasks: Sequence[Any]) -> Generator[tuple[Any, Any], None, None]:
        """(task, its result or `Failure`) for every task. Raises SealError where no worker can begin.

        Close it (`contextlib.closing`) to end all work at once, also what is under way.
        """
        if not tasks:
            return
        if self.ray:
            from .ray_cluster import ray_results

            yield from ray_results(job, tasks, "" if self.ray == LOCAL else self.ray, self.jobs)
        elif self.jobs > 1:
            yield from process_results(job, tasks, self.jobs)
        else:
            yield from _here(job, tasks)


HERE = Engine()
"""This process alone."""


def _here(job: WorkerJob, tasks: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    state = prepared(job, 0)
    if isinstance(state, NotReady):
        raise SealError(state.reason)
    for few in handfuls(job, tasks):
        yield from zip(few, attempted_together(job, state, few), strict=True)
