"""What users read: errors, notices, log lines. Every text can be printed anywhere.

Two kinds of text cannot: a lone surrogate (how Python keeps a byte that it cannot decode) is not UTF-8, and a console's
encoding may lack a character. Either raises where it is printed, and ComfyUI then runs no prompt until it is restarted.
So every text passes `printable` on its way out.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

_SHOWN = 40
_LONGEST, _END = 4000, 1000


class SealError(ValueError):
    """Bad input. The message, "input_name: what is wrong; the remedy.", can be shown to the user as it is."""

    def __init__(self, message: str) -> None:
        if len(message) > _LONGEST:  # input of any length may be quoted in it; the remedy stands at the end
            message = f"{message[: _LONGEST - _END]} ... {message[-_END:]}"
        super().__init__(printable(message))


def require_one_of(name: str, value: str, options: tuple[str, ...]) -> None:
    """Refuse a value that is none of the options."""
    if value not in options:
        raise SealError(f"{name}: {value!r} is not known; choose one of {', '.join(options)}.")


def require_in_range(name: str, value: float, low: float, high: float, remedy: str) -> None:
    """Refuse a number outside low..high, and NaN."""
    if not (isinstance(value, (int, float)) and low <= value <= high):  # NaN is in no range
        raise SealError(f"{name}: {value!r} is out of range; {remedy}")


def require_whole_number(name: str, value: int, low: int, high: int, remedy: str) -> None:
    """Refuse what is not a whole number from low to high."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise SealError(f"{name}: {value!r} is not a whole number; {remedy}")
    require_in_range(name, value, low, high, remedy)


def require_utf8(text: str, name: str) -> str:
    """The text itself. Raises SealError naming the input `name` where it is not UTF-8 (lone surrogates)."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        start = max(0, error.start - _SHOWN // 2) if len(text) > _SHOWN else 0
        shown = text[start : start + _SHOWN]
        raise SealError(f"{name}: {shown!a} is no valid text (UTF-8); type it again, or rename the file.") from None
    return text


def escaped_surrogates(text: str) -> str:
    """The text with an escape such as \\udcff for each lone surrogate. JSON keeps its meaning."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def printable(text: str) -> str:
    """The text with escapes for whatever UTF-8, standard output or standard error cannot encode."""
    text = escaped_surrogates(text)
    for stream in (sys.stdout, sys.stderr):
        encoding = getattr(stream, "encoding", None) or "utf-8"
        with contextlib.suppress(LookupError, UnicodeDecodeError):
            text = text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def log_warning(message: str, *values: Any) -> None:
    """Log a warning; `values` fill its % places."""
    logging.warning("%s", printable(message % values if values else message))


def make_output_tolerant() -> None:
    """Let standard output and standard error escape what their encoding lacks. For a program's main()."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class SealWarning(UserWarning):
    """A notice: work goes on, but the user should know. The message names the input and can be shown as it is."""


_collecting: ContextVar[list[str] | None] = ContextVar("collecting", default=None)


def notify_user(message: str) -> None:
    """Raise a notice for whoever listens: a node (`collected_notices`) or a command line (`notices_on_stderr`)."""
    collecting = _collecting.get()
    if collecting is None:
        warnings.warn(printable(message), SealWarning, stacklevel=3)
    elif printable(message) not in collecting:
        collecting.append(printable(message))


@contextlib.contextmanager
def collected_notices() -> Iterator[list[str]]:
    """The notices of the block, each once and in order. Of this thread alone: works side by side keep theirs apart."""
    messages: list[str] = []
    token = _collecting.set(messages)
    try:
        yield messages
    finally:
        _collecting.reset(token)


@contextlib.contextmanager
def notices_on_stderr() -> Iterator[None]:
    """Print the notices of the block that nobody collects on standard error, a line each, as they come."""
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
