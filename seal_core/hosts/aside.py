"""Passes beside what is drawn, such as one over a style picture. What hangs on the model for the drawing rests in them:
its rows are other rows, and a style picture is not to be styled or moved itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_ASIDE: ContextVar[bool] = ContextVar("aside", default=False)


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """The passes inside the block are beside what is drawn."""
    before = _ASIDE.set(True)
    try:
        yield
    finally:
        _ASIDE.reset(before)


def is_aside() -> bool:
    """Whether the pass that runs is beside what is drawn."""
    return _ASIDE.get()
