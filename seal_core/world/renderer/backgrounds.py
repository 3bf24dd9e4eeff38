"""Twelve backgrounds on a frame of 1 x 1 (x to the right, y down): plain, patterned and scenic.

None is a background that augmentation paints (`seal_core.method.augment.AUGMENT_GROUNDS`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import numpy as np

from .drawing_colours import RGB, tone
from .shapes import Pen, arc, ellipse, heart, smooth, stroke

PLAIN: Mapping[str, RGB] = {
    "plain white": (252, 252, 252),
    "plain mint": (176, 232, 205),
    "plain peach": (255, 208, 176),
    "plain lavender": (212, 198, 246),
}


def box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([x0 + y0 * 1j, x1 + y0 * 1j, x1 + y1 * 1j, x0 + y1 * 1j])


def _hearts(pen: Pen, rng: random.Random) -> None:
    pen.fill(box(0, 0, 1, 1), (255, 214, 226), solid=False)
    size, dx, dy = rng.uniform(0.055, 0.07), rng.random() * 0.25, rng.random() * 0.25
    for row in range(6):
        for column in range(6):
            x = (column + 0.5 * (row % 2)) * 0.24 + dx - 0.2
            pen.fill(heart(x + (row * 0.22 + dy - 0.15) * 1j, size), (244, 110, 150), solid=False)


def _sunburst(pen: Pen, rng: random.Random) -> None:
    pen.fill(box(0, 0, 1, 1), (255, 240, 170), solid=False)
    centre, rays, turn = complex(rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.6)), rng.choice((9, 10, 11)), rng.random()
    for k in range(rays):
        a = 2 * np.pi * (k + turn) / rays
        wedge = [0, 1.5 * np.exp(1j * a), 1.5 * np.exp(1j * (a + np.pi / rays))]
        pen.fill(centre + np.array(wedge), (250, 186, 60), solid=False)


def _zigzag(pen: Pen, rng: random.Random) -> None:
    pen.fill(box(0, 0, 1, 1), (120, 208, 214), solid=False)
    step, height, shift = rng.uniform(0.13, 0.16), 0.09, rng.random() * 0.2
    x = np.arange(-1, 10) * step - shift
    up = np.where(np.arange(len(x)) % 2, height, 0.0)
    for row in range(-1, 7):
        y = row * 0.2 + shift
        top = x + 1j * (y + up)
        pen.fill(np.concatenate([top, (top + 0.09j)[::-1]]), (235, 252, 250), solid=False)


def _beach(pen: Pen, rng: random.Random) -> None:
    sea, sand = rng.uniform(0.42, 0.5), rng.uniform(0.66, 0.74)
    pen.fill(box(0, 0, 1, sea), (150, 218, 250), solid=False)
    pen.fill(box(0, sea, 1, sand + 0.05), (40, 140, 215), solid=False)
    wave = [complex(x, sand + 0.018 * (-1) ** i) for i, x in enumerate(np.linspace(0, 1, 9))]
    pen.fill(np.array([*wave, 1 + 1j, 1j]), (250, 222, 160), solid=False)
    side = rng.choice((-1, 1))
    pen.fill(ellipse(0.5 + side * 0.36 + 0.14j, 0.09, 0.09), (255, 226, 90), solid=False)
    foot = 0.5 - side * 0.4 + (sand + 0.12) * 1j
    pen.fill(stroke([foot, foot + side * 0.03 - 0.45j], 0.03), (150, 98, 60), solid=False)
    for k in range(5):
        a = np.pi * (1.02 + 0.24 * k)
        top = foot + side * 0.03 - 0.45j
        pen.fill(
            stroke([top, top + 0.11 * np.exp(1j * a) - 0.02j, top + 0.2 * np.exp(1j * a) + 0.06j], 0.05, 0.015),
            (60, 160, 90),
            solid=False,
        )


def _forest(pen: Pen, rng: random.Random) -> None:
    pen.fill(box(0, 0, 1, 1), (188, 226, 196), solid=False)
    for depth, (y, colour) in enumerate(((0.66, (112, 172, 120)), (0.76, (52, 122, 78)))):
        for x in np.linspace(0.0, 1.0, 5 + depth):
            x, size = x + rng.uniform(-0.04, 0.04), rng.uniform(0.85, 1.15) * (0.15 + 0.04 * depth)
            for level in range(3):
                top = y - size * (3.1 - level * 0.8)
                w = size * (0.42 + 0.2 * level)
                pen.fill(
                    np.array([x + top * 1j, x + w + (top + size * 1.25) * 1j, x - w + (top + size * 1.25) * 1j]),
                    colour,
                    solid=False,
                )
    pen.fill(box(0, 0.76, 1, 1), (96, 152, 70), solid=False)


def _night_city(pen: Pen, rng: random.Random) -> None:
    pen.fill(box(0, 0, 1, 1), (32, 38, 88), solid=False)
    side = rng.choice((-1, 1))
    moon = 0.5 + side * 0.34 + 0.16j
    pen.fill(ellipse(moon, 0.085, 0.085), (255, 238, 170), solid=False)
    pen.fill(ellipse(moon + 0.04 - 0.03j, 0.07, 0.07), (32, 38, 88), solid=False)
    x = -0.02
    while x < 1:
        width, top = rng.uniform(0.14, 0.2), rng.uniform(0.3, 0.58)
        pen.fill(box(x, top, x + width, 0.84), (66, 66, 130) if rng.random() < 0.5 else (50, 50, 108), solid=False)
        for wy in np.arange(top + 0.05, 0.8, 0.085):
            for wx in (x + 0.04, x + width - 0.065):
                if rng.random() < 0.75:
                    pen.fill(box(wx, wy, wx + 0.032, wy + 0.042), (255, 214, 96), solid=False)
        x += width + 0.012
    pen.fill(box(0, 0.83, 1, 1), (42, 42, 62), solid=False)


def _snowy(pen: Pen, rng: random.Random) -> None:
    pen.fill(box(0, 0, 1, 1), (168, 206, 238), solid=False)
    for x, y, r in ((0.1, 1.0, 0.38), (0.9, 1.02, 0.42)):
        pen.fill(ellipse(x + rng.uniform(-0.08, 0.08) + y * 1j, r * 1.2, r), (214, 232, 248), solid=False)
    pen.fill(smooth([0.8j, 0.3 + 0.72j, 0.7 + 0.82j, 1 + 0.74j, 1.2 + 1.2j, -0.2 + 1.2j]), (246, 250, 255), solid=False)
    for k in range(26):
        x, y = (k * 0.381 + rng.random() * 0.15) % 1, (k * 0.618 + rng.random() * 0.1) % 1
        r = rng.uniform(0.011, 0.02)
        pen.fill(ellipse(x + y * 1j, r, r, n=8), (255, 255, 255), solid=False)


def _space(pen: Pen, rng: random.Random) -> None:
    pen.fill(box(0, 0, 1, 1), (38, 22, 66), solid=False)
    for k in range(30):
        x, y = (k * 0.381 + rng.random() * 0.2) % 1, (k * 0.618 + rng.random() * 0.2) % 1
        r = rng.uniform(0.006, 0.014)
        pen.fill(ellipse(x + y * 1j, r, r, n=6), (255, 250, 220), solid=False)
    side = rng.choice((-1, 1))
    planet = 0.5 + side * 0.34 + 0.2j
    pen.fill(ellipse(planet, 0.11, 0.11), (232, 120, 100), solid=False)
    ring = np.concatenate([arc(0, 0.2, 0.05, 0, np.pi, 12), arc(0, 0.16, 0.028, np.pi, 0, 12)])
    pen.fill(planet + ring * np.exp(0.3j * side), (250, 214, 150), solid=False)
    other = 0.5 - side * 0.38 + 0.8j
    pen.fill(ellipse(other, 0.09, 0.09), (96, 150, 214), solid=False)
    pen.fill(ellipse(other - 0.02 - 0.02j, 0.03, 0.025), tone((96, 150, 214), -0.2), solid=False)


_PATTERNS: Mapping[str, Callable[[Pen, random.Random], None]] = {
    "hearts": _hearts,
    "sunburst": _sunburst,
    "zigzag": _zigzag,
    "beach": _beach,
    "forest": _forest,
    "night city": _night_city,
    "snowy": _snowy,
    "outer space": _space,
}

_SHADE: Mapping[str, RGB] = {
    "beach": (214, 180, 116),
    "forest": (70, 118, 52),
    "night city": (26, 26, 42),
    "snowy": (200, 214, 232),
    "outer space": (24, 12, 44),
}


def paint_background(pen: Pen, name: str, rng: random.Random) -> None:
    """Paint a background on the unit square."""
    if name in PLAIN:
        r, g, b = PLAIN[name]
        d = rng.randint(-3, 3)
        pen.fill(box(0, 0, 1, 1), (min(255, r + d), min(255, g + d), min(255, b + d)), solid=False)
    else:
        _PATTERNS[name](pen, rng)


def shade(name: str) -> RGB:
    """The colour of a shadow on this background."""
    if name in PLAIN:
        return tone(PLAIN[name], -0.16)
    return _SHADE.get(name, (205, 150, 130) if name != "zigzag" else (90, 168, 176))
