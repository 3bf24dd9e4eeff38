"""Texts that leave this package: whatever is in them, they can be encoded where they go.

A lone surrogate (half of a pair: how Python keeps bytes that it cannot decode) is no UTF-8, and a console's encoding
may lack what a message has. Either raises in whoever prints it, and ComfyUI then runs no further prompt until it is
started again.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from typing import Any


def utf8(text: str) -> str:
    """The text with an escape such as \\udcff for each lone surrogate; a JSON text stays what it means."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def printable(text: str) -> str:
    """The text with escapes for what UTF-8, standard output or standard error cannot encode."""
    text = utf8(text)
    for stream in (sys.stdout, sys.stderr):
        encoding = getattr(stream, "encoding", None) or "utf-8"
        with contextlib.suppress(LookupError, UnicodeDecodeError):
            text = text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def warn(message: str, *values: Any) -> None:
    """Log a warning; values go into its % places."""
    logging.warning("%s", printable(message % values if values else message))


def tolerate_all_texts() -> None:
    """Let standard output and standard error print what their encoding lacks as escapes, for a program's main()."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
