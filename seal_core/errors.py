"""The one exception that SEAL raises for bad input, and the check of texts."""

from __future__ import annotations

from .texts import printable

_SHOWN = 40
_LONGEST, _END = 4000, 1000


class SealError(ValueError):
    """Bad input. The message names the input and the remedy, and is fit to be shown to a user as it is, anywhere."""

    def __init__(self, message: str) -> None:
        if len(message) > _LONGEST:  # what was typed may be anything; the remedy stands at the end
            message = f"{message[: _LONGEST - _END]} ... {message[-_END:]}"
        super().__init__(printable(message))


def valid_text(text: str, name: str) -> str:
    """The text itself. SealError naming the input `name` for one that is no UTF-8 (lone surrogates)."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        start = max(0, error.start - _SHOWN // 2) if len(text) > _SHOWN else 0
        shown = text[start : start + _SHOWN]
        raise SealError(f"{name}: {shown!a} is no valid text (UTF-8); write or rename it anew.") from None
    return text
