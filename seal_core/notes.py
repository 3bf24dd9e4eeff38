"""What the user should know of a result: warnings, gathered and shown."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

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
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SealWarning)
        yield messages
    for one in caught:
        if not issubclass(one.category, SealWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        elif str(one.message) not in messages:
            messages.append(str(one.message))
