"""Tasks in several processes of this machine: `concurrent.futures` with workers that never outlive their parent."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from ..messages import SealError
from .worker_job import Failure, NotReady, WorkerJob, attempted_together, handfuls, prepared

DIED = "its process died twice, the second time alone (out of memory?); use a smaller resolution, or leave it out."

_SPAWN = get_context("spawn")  # a fork would share the parent's threads and its card


def process_results(job: WorkerJob, tasks: Sequence[Any], jobs: int) -> Generator[tuple[Any, Any], None, None]:
    """(task, result or Failure) of every task, as they come.

    Where a process dies, the tasks under way are tried once more, each alone: the one that kills is a Failure then.
    """
    few = handfuls(job, tasks)
    waiting = iter(few)
    while True:
        under_way = yield from _pool(job, waiting, min(jobs, len(few)))
        if not under_way:
            return
        for task in under_way:
            if (yield from _pool(job, iter([[task]]), 1)):
                yield task, Failure(DIED)


def _pool(job: WorkerJob, waiting: Iterator[list[Any]], jobs: int) -> Generator[tuple[Any, Any], None, list[Any]]:
    """Results until nothing waits or a process dies. Returns the tasks that were under way then."""
    ours_ends, ours = _SPAWN.Pipe(duplex=False)
    pool = ProcessPoolExecutor(jobs, _SPAWN, _start, (job, ours_ends, _SPAWN.Value("i", 0)))
    running: dict[Future[Any], list[Any]] = {}
    lost: list[Any] = []

    def submit(count: int) -> None:
        for few in islice(waiting, count):
            try:
                running[pool.submit(_attempt, few)] = few
            except BrokenProcessPool:
                lost.extend(few)

    try:
        submit(jobs)
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                few = running.pop(future)
                try:
                    results = future.result()
                except BrokenProcessPool:
                    lost.extend(few)
                    continue
                if isinstance(results, NotReady):
                    raise SealError(results.reason)
                submit(0 if lost else 1)
                yield from zip(few, results, strict=True)
    except BaseException:
        ours.close()  # the workers stop in the middle of their work
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        ours.close()
    return lost


# -- in the workers --------------------------------------------------------------------------------

_job: WorkerJob | None = None
_number = 0
_states: list[Any] = []


def _start(job: WorkerJob, parent: Connection, count: Any) -> None:
    global _job, _number
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent says what follows
    threading.Thread(target=_stop_with, args=(parent,), daemon=True).start()
    with count.get_lock():
        _number = count.value
        count.value += 1
    _job = job


def _stop_with(parent: Connection) -> None:
    """End this process once the parent's end of the pipe is closed, which it is also where the parent was killed."""
    with contextlib.suppress(OSError, EOFError):
        parent.poll(None)
    os._exit(1)


def _attempt(tasks: list[Any]) -> list[Any] | NotReady:
    assert _job is not None
    if not _states:
        _states.append(prepared(_job, _number))
    return _states[0] if isinstance(_states[0], NotReady) else attempted_together(_job, _states[0], tasks)
