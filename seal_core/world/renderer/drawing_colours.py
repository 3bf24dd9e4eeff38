"""The renderer's colours, and how to make them lighter or darker."""

from __future__ import annotations

from collections.abc import Mapping

RGB = tuple[int, int, int]

COLOURS: Mapping[str, RGB] = {
    "red": (217, 72, 66),
    "orange": (242, 148, 56),
    "yellow": (250, 213, 84),
    "green": (116, 186, 88),
    "teal": (62, 176, 176),
    "blue": (84, 140, 226),
    "purple": (152, 110, 208),
    "pink": (250, 164, 192),
    "brown": (148, 98, 62),
    "grey": (152, 155, 165),
    "white": (247, 245, 240),
    "black": (66, 64, 76),
}
"""Colours of characters and accessories, by their names in captions."""

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
