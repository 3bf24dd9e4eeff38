"""Several trainings of one model at once: what they ask of it at one time is one pass (ours).

Each keeps its own loop, generators, optimiser, probe, merge and Cancel. A training runs in a thread of its own until it
asks for a pass, and waits there; never do two run at once, so nothing has to be locked and the order is always the
same. Threads, and not generators, because the loop, the probe and the search for words then stay as they are for one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from itertools import groupby
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from ..hosts.base import Context, Host
from .passes import Pass, Passes, Wording, denoise_side_by_side, encode_side_by_side

T = TypeVar("T")


def side_by_side(host: Host, works: Sequence[Callable[[Passes], T]]) -> list[T]:
    """What each work returns; the trainings in them are given the `Passes` that it is called with.

    A work that fails should return its failure: whatever one raises ends all of them, and is raised here. Each may be
    as long as it likes, and use the host by itself between its trainings' passes.
    """
    plain: dict[Any, Context] = {}
    seats = [_Seat(host, work, len(works)) for work in works]
    try:
        for seat in seats:
            seat.plain = plain
            seat.resume()
        while waiting := [seat for seat in seats if seat.asked is not None]:
            # A gradient is taken of all losses at once, since passes that were one have one graph. So it waits until
            # nobody can come to it any more. That also brings trainings into step that began at different times.
            asking = [seat for seat in waiting if not isinstance(seat.asked, Tensor)] or waiting
            for group in _alike(asking):
                for seat, answer in zip(group, _answers(host, group), strict=True):
                    seat.resume(answer)
        return [seat.result for seat in seats]
    finally:
        for seat in seats:
            seat.end()


class _Ended(BaseException):
    """Unwinds a work that is waiting for an answer."""


class _Seat(Passes, Generic[T]):
    """One work in its thread. asked: what it waits for, or None once it has returned."""

    result: T

    def __init__(self, host: Host, work: Callable[[Passes], T], shared_by: int) -> None:
        super().__init__(host)
        self.shared_by = shared_by
        self.asked: Pass | Wording | Tensor | None = None
        self.needs_gradient = False
        self._work, self._answer, self._raised = work, None, None
        self._its_turn, self._our_turn = threading.Semaphore(0), threading.Semaphore(0)
        # What belongs to the caller's context (who collects notices, which node runs) is the work's, too.
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), daemon=True)
        self._running = False

    # -- the caller's side -------------------------------------------------------------------------

    def resume(self, answer: Any = None) -> None:
        """Let the work go on until it asks again or ends. Raises what it raised."""
        self.asked, self._answer, self._running = None, answer, True
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._its_turn.release()
        self._wait()
        if self._raised is not None:
            raise self._raised

    def end(self) -> None:
        """End a work that has not ended; one that runs, since Ctrl-C came in between, ends when it asks next."""
        if self._running:
            self._wait()
        while self.asked is not None:
            self.asked, self._answer = None, _Ended()
            self._its_turn.release()
            self._wait()

    def _wait(self) -> None:
        self._our_turn.acquire()
        self._running = False

    # -- the work's side ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self.result = self._work(self)
        except _Ended:
            pass
        except BaseException as error:
            self._raised = error
        finally:
            self._our_turn.release()

    def _ask(self, asked: Pass | Wording | Tensor) -> Any:
        self.asked, self.needs_gradient = asked, torch.is_grad_enabled()
        self._our_turn.release()
        self._its_turn.acquire()
        answer, self._answer = self._answer, None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def denoised(self, asked: Pass) -> Tensor:
        return self._ask(asked)

    def encoded(self, asked: Wording) -> Context:
        return self._ask(asked)

    def backward(self, loss: Tensor) -> None:
        self._ask(loss)


def _alike(seats: Sequence[_Seat[Any]]) -> list[list[_Seat[Any]]]:
    """Those who ask for the same, but for its values."""

    def kind(seat: _Seat[Any]) -> str:
        own = () if isinstance(seat.asked, Tensor) or seat.asked is None else seat.asked.kind
        return repr((type(seat.asked).__name__, seat.needs_gradient, own))

    return [list(group) for _, group in groupby(sorted(seats, key=kind), kind)]


def _answers(host: Host, seats: Sequence[_Seat[Any]]) -> Sequence[Any]:
    """One for each; an exception for those in whose pass it was raised, who then end with it."""
    asked: list[Any] = [seat.asked for seat in seats]
    try:
        with torch.set_grad_enabled(seats[0].needs_gradient):
            if isinstance(asked[0], Pass):
                return denoise_side_by_side(host, asked)
            if isinstance(asked[0], Wording):
                return encode_side_by_side(host, asked)
            torch.autograd.backward(asked)
            return [None] * len(asked)
    except torch.OutOfMemoryError as error:
        return [error.with_traceback(None)] * len(asked)  # its frames hold all that the pass had computed
    except Exception as error:
        return [error] * len(asked)
