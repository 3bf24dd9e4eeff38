"""Colours that several parts of a figure share."""

from __future__ import annotations

from .characters import RGB, Character

DARK: RGB = (45, 35, 45)
CREAM: RGB = (255, 246, 225)
WHITE: RGB = (255, 255, 255)
PINK: RGB = (250, 150, 170)
BEAK: RGB = (250, 165, 50)


def tone(colour: RGB, amount: float) -> RGB:
    """Towards white (amount > 0) or black (amount < 0), -1..1."""
    goal = 255 if amount > 0 else 0
    r, g, b = (round(v + (goal - v) * abs(amount)) for v in colour)
    return r, g, b


def luminance(colour: RGB) -> float:
    """0 (black) to 1."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255


def pale(who: Character) -> RGB:
    """A light colour for muzzles and bellies that is not the main one."""
    return tone(who.rgb[1], 0.75) if luminance(who.rgb[0]) < 0.8 else tone(who.rgb[1], 0.35)
