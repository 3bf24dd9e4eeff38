"""How long work is stopped from outside: a callback, asked often, that raises whatever its caller wants to catch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
Check = Callable[[], None]
"""Called before each piece of work; raises to stop it."""


def never() -> None:
    """The check of those who do not stop."""


def checked(items: Iterable[T], check: Check) -> Iterator[T]:
    """The items, with a check before each."""
    for item in items:
        check()
        yield item
