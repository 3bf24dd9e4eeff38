"""Checks of settings. Each raises a SealError that names the setting and the remedy."""

from __future__ import annotations

from .messages import SealError


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
