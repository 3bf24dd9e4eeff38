"""Tasks on a Ray cluster: one actor a device keeps its state, and Ray says where it runs and whether it lives.

An actor that is lost with its node takes one task along. The task goes to the next free actor, and Ray places a new
actor wherever there is room; nodes that join get one as well.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import signal
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..messages import SealError, notify_user
from .worker_job import Failure, NotReady, WorkerJob, attempted_together, handfuls, prepared, received

MEMORY = 200_000_000
"""Bytes of a local cluster's object store; pictures and results are small."""
LOOK_EVERY = 5.0
"""Seconds between two looks at whether the cluster has grown."""
TRIES = 3
"""How often a task may lose its worker."""


def ray_results(
    job: WorkerJob, tasks: Sequence[Any], address: str, jobs: int
) -> Generator[tuple[Any, Any], None, None]:
    """(task, result or Failure) of every task, as they come. address: "" starts a cluster on this machine.

    jobs: actors at most, 0 = one for each device. Raises SealError, naming `ray`, where Ray is not installed, the
    cluster is not there, or no worker can begin.
    """
    ray = _ray()
    with _connected(ray, address, jobs):
        crew = _Crew(ray, job, jobs)
        try:
            yield from crew.results(tasks)
        finally:
            crew.dismiss()


@dataclass(frozen=True)
class _Turn:
    """What an actor is doing: a handful of tasks with their places, or getting ready (none). where: its machine's name;
    far: see `WorkerJob.is_far`."""

    actor: Any
    tasks: Sequence[tuple[int, Any]] = ()
    far: bool = False
    where: str = ""


class _Crew:
    """The actors of one run."""

    def __init__(self, ray: Any, job: WorkerJob, most: int) -> None:
        self._ray, self._job, self._most = ray, job, most
        self._gpus = ray.cluster_resources().get("GPU", 0) >= 1
        device = {"num_gpus": 1} if self._gpus else {"num_cpus": 1}
        kind = ray.remote(max_restarts=0, scheduling_strategy="SPREAD", **device)(_Actor)
        self._hire_one = lambda: kind.remote(job, __version__)
        self._turns: dict[Any, _Turn] = {}
        self._unfit: list[str] = []
        self._lost_in_a_row = 0

    def devices(self) -> int:
        """How many actors the cluster has room for."""
        found = int(self._ray.cluster_resources().get("GPU" if self._gpus else "CPU", 0))
        return min(found, self._most) if self._most else found

    def results(self, tasks: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        waiting = deque(handfuls(self._job, list(enumerate(tasks))))
        strikes: Counter[int] = Counter()
        self._hire(min(self.devices(), len(waiting)))
        looked = time.monotonic()
        while waiting or any(turn.tasks for turn in self._turns.values()):
            if not self._turns:
                raise SealError(f"ray: no worker can begin: {self._unfit[-1] if self._unfit else 'no device'}")
            done, _ = self._ray.wait(list(self._turns), timeout=LOOK_EVERY)
            if time.monotonic() - looked > LOOK_EVERY:
                looked = time.monotonic()
                self._hire(min(self.devices() - len(self._unfit), len(self._turns) + len(waiting)) - len(self._turns))
            for ref in done:
                turn = self._turns.pop(ref)
                try:
                    answer = self._ray.get(ref)
                except self._ray.exceptions.RayError as error:
                    self._replace(error)
                    for place, task in turn.tasks:
                        strikes[place] += 1
                        if strikes[place] < TRIES:
                            waiting.appendleft([(place, task)])  # alone: one of them may be what kills
                        else:
                            yield task, Failure(f"its worker died {TRIES} times (out of memory?); leave it out.")
                    continue
                if isinstance(answer, NotReady):
                    self._unfit.append(answer.reason)
                    notify_user(f"ray: a worker is left out: {answer.reason}")
                    continue
                if not turn.tasks:
                    turn = _Turn(turn.actor, (), *answer)
                self._lost_in_a_row = 0
                self._give(turn, waiting)
                for (_, task), result in zip(turn.tasks, answer):
                    yield task, received(self._job, task, result) if turn.far else result

    def dismiss(self) -> None:
        for turn in self._turns.values():
            with contextlib.suppress(Exception):
                self._ray.kill(turn.actor)
        self._turns.clear()

    def _hire(self, count: int) -> None:
        for _ in range(count):
            actor = self._hire_one()
            self._turns[actor.ready.remote()] = _Turn(actor)

    def _replace(self, error: Exception) -> None:
        self._lost_in_a_row += 1
        if self._lost_in_a_row > TRIES * max(1, self.devices()):
            first = str(error).strip().splitlines()[:1]
            raise SealError(
                f"ray: workers die before they finish anything ({' '.join(first)[:300]}); install the same "
                "seal-stickers[cluster] on every node, and look into its memory."
            )
        self._hire(1)

    def _give(self, turn: _Turn, waiting: deque[list[tuple[int, Any]]]) -> None:
        """The actor's next handful; without one it goes, and leaves its device to others."""
        if not waiting:
            self._ray.kill(turn.actor)
            return
        few = waiting.popleft()
        ref = turn.actor.work.remote([self._job.sent(task) if turn.far else task for _, task in few])
        self._turns[ref] = _Turn(turn.actor, few, turn.far, turn.where)


class _Actor:
    """One worker, on the device that Ray gives it."""

    def __init__(self, job: WorkerJob, version: str) -> None:
        self._job, self._version, self._state = job, version, None

    def ready(self) -> NotReady | tuple[bool, str]:
        """(whether it is far, its machine)."""
        here = platform.node()
        if self._version != __version__:
            return NotReady(f"{here} has SEAL {__version__}, not {self._version}; install the same on every node.")
        self._state = prepared(self._job, 0)
        if isinstance(self._state, NotReady):
            return NotReady(f"{here}: {self._state.reason}")
        return self._job.is_far(self._state), here

    def work(self, tasks: list[Any]) -> list[Any]:
        return attempted_together(self._job, self._state, tasks)


# -- the cluster -----------------------------------------------------------------------------------


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call home
    os.environ.setdefault("RAY_worker_niceness", "0")  # else a local cluster's workers wait for everything else
    try:
        import ray
    except ImportError:
        raise SealError('ray: Ray is not installed; install it: pip install "seal-stickers[cluster]".') from None
    return ray


@contextlib.contextmanager
def _connected(ray: Any, address: str, jobs: int) -> Iterator[None]:
    """Connected to the cluster, which is left alone afterwards; a local one ends with the block."""
    if ray.is_initialized():
        yield
        return
    own = {"num_cpus": jobs or None, "include_dashboard": False, "object_store_memory": MEMORY}
    handlers = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(
            **({"address": address} if address else own),
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:  # whatever its many layers raise
        what = " ".join(str(error).split())[:300]
        where = address or "this machine"
        raise SealError(f"ray: no cluster at {where} ({what}); start one: ray start --head.") from None
    with contextlib.suppress(ValueError):  # not the main thread
        for name, handler in handlers.items():
            signal.signal(name, handler)  # Ray takes SIGTERM for itself
    try:
        yield
    finally:
        ray.shutdown()
