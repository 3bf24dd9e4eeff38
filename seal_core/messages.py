"""What users are told: errors, warnings, and texts that can be printed anywhere.

A lone surrogate (half of a pair: how Python keeps bytes that it cannot decode) is no UTF-8, and a console's encoding
may lack a character of the message. Either raises in whoever prints it, and ComfyUI then runs no prompt until it
is started again. So every text passes `printable` on its way out.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

_SHOWN = 40
_LONGEST, _END = 4000, 1000


class SealError(ValueError):
    """Bad input. The message names the input and the remedy, and is fit to be shown to a user as it is, anywhere."""

    def __init__(self, message: str) -> None:
        if len(message) > _LONGEST:  # what was typed may be anything; the remedy stands at the end
            message = f"{message[: _LONGEST - _END]} ... {message[-_END:]}"
        super().__init__(printable(message))


def require_utf8(text: str, name: str) -> str:
    """The text itself. SealError naming the input `name` for one that is no UTF-8 (lone surrogates)."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        start = max(0, error.start - _SHOWN // 2) if len(text) > _SHOWN else 0
        shown = text[start : start + _SHOWN]
        raise SealError(f"{name}: {shown!a} is no valid text (UTF-8); write or rename it anew.") from None
    return text


def escaped_surrogates(text: str) -> str:
    """The text with an escape such as \\udcff for each lone surrogate; a JSON text stays what it means."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def printable(text: str) -> str:
    """The text with escapes for what UTF-8, standard output or standard error cannot encode."""
    text = escaped_surrogates(text)
    for stream in (sys.stdout, sys.stderr):
        encoding = getattr(stream, "encoding", None) or "utf-8"
        with contextlib.suppress(LookupError, UnicodeDecodeError):
            text = text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def log_warning(message: str, *values: Any) -> None:
    """Log a warning; values go into its % places."""
    logging.warning("%s", printable(message % values if values else message))


def make_output_tolerant() -> None:
    """Let standard output and standard error print what their encoding lacks as escapes, for a program's main()."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class SealWarning(UserWarning):
    """Something noticed. The message names the input and is fit to be shown to a user as it is."""


def notify_user(message: str) -> None:
    """Warn with a message for the user."""
    warnings.warn(printable(message), SealWarning, stacklevel=3)


@contextlib.contextmanager
def collected_notices() -> Iterator[list[str]]:
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
def notices_on_stderr() -> Iterator[None]:
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
