"""Callbacks that watch and stop long work. They run at every piece of it and may raise to end it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
OnProgress = Callable[[int, int], None]
"""Called after each piece of work with (pieces done, pieces in all)."""
StopCheck = Callable[[], None]
"""Called before each piece of work; raises to stop it."""


def never_stop() -> None:
    """The check that never stops anything."""


def reporting(items: Any, progress: OnProgress | None) -> Iterator[Any]:
    """The items of a list or an array; reports progress after each."""
    for done, item in enumerate(items, 1):
        yield item
        if progress:
            progress(done, len(items))


def stoppable(items: Iterable[T], check: StopCheck) -> Iterator[T]:
    """The items, each after a stop check."""
    for item in items:
        check()
        yield item
