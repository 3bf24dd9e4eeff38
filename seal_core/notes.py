"""What the user should know of a result: warnings, gathered and shown."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from .texts import printable


class SealWarning(UserWarning):
    """Something noticed. The message names the input and is fit to be shown to a user as it is."""


def tell(message: str) -> None:
    """Warn with a message for the user."""
    warnings.warn(printable(message), SealWarning, stacklevel=3)


@contextlib.contextmanager
def gathered() -> Iterator[list[str]]:
    """The messages told within the block, each once, in order; complete when the block ends. Others' warnings go on."""
    messages: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SealWarning)
            yield messages
    finally:
        _sorted_out(caught, messages)


def _sorted_out(caught: Iterable[warnings.WarningMessage], messages: list[str]) -> None:
    for one in caught:
        if not issubclass(one.category, SealWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        elif str(one.message) not in messages:
            messages.append(str(one.message))


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What is told within the block, and gathered by nobody, goes to standard error: a line each, as it comes."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", SealWarning)
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, SealWarning):
                print(f"warning: {message}", file=sys.stderr)
            else:
                others(message, category, *where)

        warnings.showwarning = show
        yield
