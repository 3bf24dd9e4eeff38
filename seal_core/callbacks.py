"""Long work, watched and stopped from outside: callbacks at every piece of it, which may raise to end it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
OnProgress = Callable[[int, int], None]
"""Called after each piece of work, as (done, all)."""
StopCheck = Callable[[], None]
"""Called before each piece of work."""


def never_stop() -> None:
    """The check of those who do not stop."""


def reporting(items: Any, progress: OnProgress | None) -> Iterator[Any]:
    """The items of a list or an array, progress told after each."""
    for done, item in enumerate(items, 1):
        yield item
        if progress:
            progress(done, len(items))


def stoppable(items: Iterable[T], check: StopCheck) -> Iterator[T]:
    """The items, with a check before each."""
    for item in items:
        check()
        yield item
