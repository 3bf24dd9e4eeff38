"""Six emotions on eight kinds of face: eyes, brows, mouth, nose, and marks around the head (tears, hearts, ...)."""

from __future__ import annotations

import math

import numpy as np

from .characters import Character, pale
from .drawing_colours import BEAK, CREAM, DARK, RGB, WHITE, luminance, tone
from .shapes import Pen, arc, bend, drop, ellipse, heart, smooth, stroke

MOUTH: RGB = (150, 40, 55)
TONGUE: RGB = (245, 120, 125)
BLUSH: RGB = (250, 125, 130)
TEAR: RGB = (90, 185, 250)
RAGE: RGB = (225, 40, 45)
LOVE: RGB = (235, 45, 85)


def eye_places(who: Character) -> tuple[complex, complex]:
    """Centres of the left and right eye in head units."""
    if who.species == "frog":
        return -0.55 - 0.66j, 0.55 - 0.66j
    x, y = 0.44 * who.gap, -0.1 if who.species in ("dog", "bear", "pig", "fox") else -0.04
    return complex(-x, y), complex(x, y)


def face(pen: Pen, who: Character, emotion: str) -> None:
    """The face in head units, and the emotion's marks around the head."""
    _nose(pen, who)
    for side, at in zip((-1, 1), eye_places(who)):
        _eye(pen, who, emotion, at, side)
    _mouth(pen, who, emotion)
    _signs(pen, who, emotion)


def _line_colour(who: Character, at: complex) -> RGB:
    """Dark, or cream where the face under the eyes is dark."""
    under = who.rgb[0]
    if who.species == "penguin":
        under = CREAM
    elif who.pattern == "patch" and at.real * who.side > 0:
        under = who.rgb[1]
    return DARK if luminance(under) > 0.4 else CREAM


def _eye(pen: Pen, who: Character, emotion: str, at: complex, side: int) -> None:
    r = 0.23 * who.eye
    wide, tall = who.marks.eye_shape
    line = _line_colour(who, at)
    if who.species == "frog":
        r *= 1.12
    if emotion == "happy":
        pen.line(arc(at + 0.1j, r * 1.05 * wide, r * 1.15 * tall, math.pi * 1.05, math.pi * 1.95), 0.13, line)
    elif emotion == "sleepy":
        pen.line(arc(at - 0.02j, r * 1.05 * wide, r * 0.75 * tall, math.pi * 0.08, math.pi * 0.92), 0.13, line)
    elif emotion == "in love":
        pen.fill(heart(at + 0.02j, r * 1.5), WHITE, solid=False)
        pen.fill(heart(at + 0.02j, r * 1.28), LOVE, solid=False)
    elif emotion == "surprised":
        pen.fill(ellipse(at, r * 1.42 * wide, r * 1.42 * tall), DARK, solid=False)
        pen.fill(ellipse(at, r * 1.22 * wide, r * 1.22 * tall), WHITE, solid=False)
        pen.fill(ellipse(at, r * 0.42 * wide, r * 0.42 * tall), DARK, solid=False)
    elif emotion == "angry":
        pen.fill(ellipse(at, r * 1.12 * wide, r * 1.12 * tall), WHITE, solid=False)
        pen.fill(ellipse(at - side * 0.06 + 0.03j, r * 0.6 * wide, r * 0.6 * tall), DARK, solid=False)
        slope = 0.34j if who.species != "frog" else 0.24j
        inner, outer = at - side * r * 1.25 + 0.02j, at + side * r * 1.3 - slope
        height = 0.3j if who.species != "frog" else 0.1j
        lid = [inner, outer, outer - height, inner - height]
        pen.fill(np.array(lid), _under(who, at), solid=False)
        pen.line([inner, outer], 0.16, line)
    else:  # sad
        pen.fill(ellipse(at, r * 1.12 * wide, r * 1.2 * tall), WHITE if line == CREAM else DARK, solid=False)
        pen.fill(ellipse(at, r * 0.98 * wide, r * 1.05 * tall), DARK, solid=False)
        pen.fill(ellipse(at - 0.07 - 0.08j, r * 0.42 * wide, r * 0.42 * tall), WHITE, solid=False)
        pen.fill(ellipse(at + 0.08 + 0.1j, r * 0.26 * wide, r * 0.26 * tall), WHITE, solid=False)
        high = 0.48j if who.species != "frog" else 0.34j
        pen.line([at - side * r * 1.0 - high, at + side * r * 1.1 - high + 0.18j], 0.11, line)


def _under(who: Character, at: complex) -> RGB:
    """The colour around an eye."""
    if who.pattern == "patch" and at.real * who.side > 0:
        return who.rgb[1]
    return pale(who) if who.species == "penguin" else who.rgb[0]


def _nose(pen: Pen, who: Character) -> None:
    if who.species == "pig":
        snout = tone(who.rgb[0], -0.2) if luminance(who.rgb[0]) > 0.35 else tone(who.rgb[0], 0.3)
        pen.fill(ellipse(0.26j, 0.36, 0.24), snout, ink=True)
        for x in (-0.13, 0.13):
            pen.fill(ellipse(x + 0.26j, 0.065, 0.1), tone(snout, -0.55), solid=False)
    elif who.species == "penguin":
        pen.fill(smooth([-0.24 + 0.16j, 0.24 + 0.16j, 0.46j], 2), BEAK, ink=True)
    elif who.species in ("dog", "bear"):
        pen.fill(ellipse(0.24j, 0.2 if who.species == "dog" else 0.15, 0.13), DARK, solid=False)
    elif who.species == "fox":
        pen.fill(ellipse(0.86j, 0.13, 0.11), DARK, solid=False)
    elif who.species in ("cat", "rabbit"):
        pen.fill(smooth([-0.11 + 0.2j, 0.11 + 0.2j, 0.34j], 2), (240, 120, 140), solid=False)
    if who.species == "cat":
        line = DARK if luminance(who.rgb[0]) > 0.4 else CREAM
        for side in (-1, 1):
            for y0, y1 in ((0.26, 0.16), (0.4, 0.44)):
                pen.line([side * 0.78 + y0 * 1j, side * 1.25 + y1 * 1j], 0.055, line)


_MOUTH = {"fox": 0.5, "frog": 0.22, "pig": 0.64, "penguin": 0.62}


def _mouth(pen: Pen, who: Character, emotion: str) -> None:
    at = 1j * _MOUTH.get(who.species, 0.52)
    wide = 1.35 if who.species == "frog" else 1.0
    light = who.species in ("dog", "bear", "penguin", "fox")
    line = (
        DARK
        if light or luminance(who.rgb[0]) > 0.4 or (who.pattern == "belly" and luminance(who.rgb[1]) > 0.4)
        else CREAM
    )
    rim = tone(MOUTH, -0.35) if line == DARK else CREAM
    if emotion in ("happy", "in love"):
        w, h = (0.36 * wide, 0.36) if emotion == "happy" else (0.25 * wide, 0.2)
        top = at - 0.08j
        lips = np.concatenate([bend(top - w, top + 0.1j, top + w), bend(top + w, top + 2.0j * h, top - w)[1:-1]])
        pen.fill(lips, rim, solid=False)
        pen.fill(top + 0.05j + (lips - top) * 0.82, MOUTH, solid=False)
        pen.fill(ellipse(top + 0.72j * h, w * 0.45, h * 0.24), TONGUE, solid=False)
    elif emotion == "sad":
        pen.line(arc(at + 0.2j, 0.27 * wide, 0.22, math.pi * 1.1, math.pi * 1.9), 0.11, line)
    elif emotion == "angry":
        w = 0.33 * wide
        box = smooth([at - w - 0.08j, at + w - 0.08j, at + w * 1.15 + 0.24j, at - w * 1.15 + 0.24j], 2)
        pen.fill(box, rim, solid=False)
        pen.fill(at + 0.08j + (box - at - 0.08j) * 0.78, WHITE, solid=False)
        pen.line([at - w * 0.85 + 0.08j, at + w * 0.85 + 0.08j], 0.05, DARK)
        for x in (-0.4, 0.0, 0.4):
            pen.line([at + x * w - 0.02j, at + x * w + 0.17j], 0.05, DARK)
    elif emotion == "surprised":
        pen.fill(ellipse(at + 0.12j, 0.21 * wide, 0.27), rim, solid=False)
        pen.fill(ellipse(at + 0.12j, 0.16 * wide, 0.21), MOUTH, solid=False)
    else:  # sleepy
        pen.fill(ellipse(at + 0.04j, 0.12, 0.1), rim, solid=False)


def _signs(pen: Pen, who: Character, emotion: str) -> None:
    left, right = eye_places(who)
    if emotion in ("happy", "in love"):
        y = 0.26 if who.species != "frog" else 0.12
        for x in (-0.74, 0.74):
            pen.fill(ellipse(x + y * 1j, 0.17, 0.12), BLUSH, solid=False)
    if emotion == "in love":
        for at, size, turn in ((1.25 - 0.75j, 0.3, 0.25), (-1.28 - 0.6j, 0.24, -0.25), (1.5 - 0.2j, 0.17, 0.2)):
            pen.fill(heart(at, size, turn), LOVE, ink=True)
    elif emotion == "sad":
        for side, at in ((-1, left), (1, right)):
            pen.fill(stroke([at + side * 0.1 + 0.26j, at + side * 0.16 + 0.62j], 0.2, 0.26), TEAR, solid=False)
            pen.fill(drop(complex(side * 1.16, 0.62), 0.2), TEAR, ink=True)
    elif emotion == "angry":
        at = -who.side * 0.78 - 0.66j
        for k in range(4):
            turn = np.exp(1j * (np.pi / 2 * k + 0.2))
            path = at + turn * np.array([0.06 + 0.34j, 0.1 + 0.1j, 0.34 + 0.06j])
            pen.fill(stroke(path, 0.11), RAGE)
        for x in (-0.76, 0.76):
            pen.fill(ellipse(x + 0.22j, 0.15, 0.1), tone(RAGE, 0.35), solid=False)
    elif emotion == "surprised":
        for x, turn in ((1.18, 0.3), (1.5, 0.42)):
            place = np.exp(1j * turn)
            foot = complex(x, -0.62)
            pen.fill(stroke([foot, foot - 0.52j * place], 0.13, 0.22), (250, 190, 40), ink=True)
            pen.fill(ellipse(foot + 0.24j * place, 0.1, 0.1), (250, 190, 40), ink=True)
    elif emotion == "sleepy":
        pen.fill(ellipse(-who.side * 0.42 + 0.5j, 0.24, 0.24), tone(TEAR, 0.35), ink=True)
        pen.fill(ellipse(-who.side * 0.48 + 0.42j, 0.07, 0.07), WHITE, solid=False)
        for at, size in ((1.2 - 0.62j, 0.17), (1.52 - 0.98j, 0.23)):
            z = [at + size * w for w in (-1 - 1j, 1 - 1j, -1 + 1j, 1 + 1j)]
            pen.fill(_zed(z), (110, 100, 220), ink=True)


def _zed(corners: list[complex]) -> np.ndarray:
    """The letter Z as one closed curve."""
    a, b, c, d = corners
    t = 0.42
    down = (c - a) * t * 0.5
    return np.array(
        [a, b, b + down * 1.0, c + (d - c) * 0.4 - down, d - down, d, c, c - down, a + (b - a) * 0.6 + down, a + down]
    )
