"""Heads: ears, shape and pattern of each species, in head units (half a head's width is 1)."""

from __future__ import annotations

import math

import numpy as np

from .characters import Character, pale
from .drawing_colours import PINK, RGB, tone
from .shapes import Curve, Pen, ellipse, smooth

_WIDE = {"frog": 1.1, "pig": 1.04, "penguin": 0.97, "fox": 1.06, "rabbit": 0.94}
_ROOTS = {"rabbit": 0.4 - 0.55j, "dog": 0.8 - 0.7j, "pig": 0.7 - 0.65j}
"""What a right ear turns about."""
_TALL = {"frog": 0.78, "pig": 0.86, "penguin": 0.92, "bear": 0.88, "rabbit": 0.9}


def head_size(who: Character) -> tuple[float, float]:
    """Half width and half height of the head, in head units."""
    return _WIDE.get(who.species, 1.0), _TALL.get(who.species, 0.84)


def both(curve: Curve) -> tuple[Curve, Curve]:
    return curve, -np.conj(curve)


def ears(pen: Pen, who: Character) -> None:
    main, second, _ = who.rgb
    e = who.ear
    own = second if who.pattern in ("patch", "socks") else main
    for side, colour in ((-1, main), (1, main)):
        colour = own if who.pattern == "socks" or (who.pattern == "patch" and side == who.side) else colour
        colour = who.marks.odd_colour if side == who.marks.odd_ear else colour
        root, turn = _ROOTS.get(who.species, 0.6 - 0.6j), np.exp(1j * who.marks.ears[side > 0])

        def placed(
            points: list[complex], side: int = side, root: complex = root, turn: complex = turn
        ) -> list[complex]:
            turned = [root + turn * (z - root) for z in points]
            return [complex(side * z.real, z.imag) for z in turned]

        def ear(points: list[complex], inner: list[complex] | None, fill: RGB, inside: RGB, placed=placed) -> None:
            pen.fill(smooth(placed(points)), fill, ink=True)
            if inner:
                pen.fill(smooth(placed(inner)), inside, solid=False)

        if who.species in ("cat", "fox"):
            tall = (1.5 if who.species == "fox" else 1.28) * e
            top = 0.78 - tall * 1.0j * 1.0
            ear(
                [0.05 - 0.6j, 0.62 - (tall + 0.1) * 1j, top - 0.05j, 1.05 - 0.1j, 0.5 - 0.1j],
                [0.3 - 0.7j, 0.66 - (tall - 0.1) * 1j, 0.88 - 0.35j],
                colour,
                PINK if who.species == "cat" else tone(second, -0.1),
            )
        elif who.species == "dog":
            ear(
                [0.5 - 0.8j, 1.0 - 0.75j, 1.42 * e - 0.1j, 1.25 * e + 0.62j * e, 0.95 + 0.5j * e, 0.78 - 0.2j],
                None,
                second if who.pattern != "patch" and side != who.marks.odd_ear else colour,
                second,
            )
        elif who.species == "rabbit":
            h = 1.75 * e
            ear(
                [0.12 - 0.5j, 0.15 - (h - 0.15) * 1j, 0.42 - (h + 0.12) * 1j, 0.72 - (h - 0.2) * 1j, 0.62 - 0.5j],
                [0.28 - 0.7j, 0.28 - (h - 0.4) * 1j, 0.43 - (h - 0.15) * 1j, 0.57 - (h - 0.4) * 1j, 0.5 - 0.7j],
                colour,
                PINK,
            )
        elif who.species == "bear":
            pen.fill(ellipse(side * 0.74 - 0.66j, 0.36 * e, 0.36 * e), colour, ink=True)
            pen.fill(ellipse(side * 0.74 - 0.64j, 0.2 * e, 0.2 * e), tone(second, 0.2), solid=False)
        elif who.species == "pig":
            ear([0.25 - 0.75j, 0.6 - 1.35j * e, 1.15 * e - 1.05j, 1.0 - 0.4j], None, colour, PINK)
            ear([0.6 - 1.15j * e, 1.15 * e - 1.0j, 1.02 - 0.5j, 0.7 - 0.7j], None, tone(colour, -0.18), PINK)
        elif who.species == "frog":
            pen.fill(ellipse(side * 0.55 - 0.62j, 0.4, 0.42), colour, ink=True)


def head(pen: Pen, who: Character) -> None:
    main, second, _ = who.rgb
    rx, ry = head_size(who)
    if who.species == "fox":
        shape = smooth(
            [
                -0.55 - 0.98j,
                0.55 - 0.98j,
                1.25 - 0.1j,
                0.75 + 0.62j,
                0.12 + 1.12j,
                -0.12 + 1.12j,
                -0.75 + 0.62j,
                -1.25 - 0.1j,
            ]
        )
        pen.fill(shape, main, ink=True)
        for cheek in both(smooth([1.08 + 0.12j, 0.72 + 0.55j, 0.05 + 0.95j, 0.12 + 0.3j, 0.55 + 0.22j])):
            pen.fill(cheek, pale(who), solid=False)
    elif who.species == "cat":
        pen.fill(
            smooth(
                [
                    -0.7 - 0.95j,
                    0.7 - 0.95j,
                    1.2 - 0.15j,
                    1.05 + 0.6j,
                    0.5 + 0.95j,
                    -0.5 + 0.95j,
                    -1.05 + 0.6j,
                    -1.2 - 0.15j,
                ]
            ),
            main,
            ink=True,
        )
    else:
        pen.fill(ellipse(0, rx, ry, n=40), main, ink=True)
    if who.species == "penguin":
        for half in both(ellipse(0.36 + 0.1j, 0.42, 0.52)):
            pen.fill(half, pale(who), solid=False)
        pen.fill(ellipse(0.35j, 0.66, 0.42), pale(who), solid=False)
    _head_pattern(pen, who, ry)
    if who.species in ("dog", "bear"):
        muzzle = second if who.pattern == "belly" else pale(who)
        pen.fill(ellipse(0.42j, 0.46, 0.34), muzzle, solid=False)
    blot = who.marks.face
    if blot:
        centre = complex(0.0, -0.3) if who.species == "frog" and blot.at.imag < 0 else blot.at
        pen.fill(blot.curve(at=centre), blot.colour, solid=False)


def _head_pattern(pen: Pen, who: Character, ry: float) -> None:
    second = who.rgb[1]
    top = -ry * 0.96
    if who.pattern == "stripes":
        for x, depth in ((-0.3, 0.3), (0.0, 0.42), (0.3, 0.3)):
            edge = top * math.sqrt(1 - (x / 1.05) ** 2)
            pen.line([complex(x, edge + 0.07), complex(x * 0.8, edge + depth)], 0.13, second)
    elif who.pattern == "spots":
        for z, r in ((-0.5 - 0.5j, 0.17), (0.1 - 0.62j, 0.15), (0.78 + 0.12j, 0.13), (-0.8 + 0.2j, 0.11)):
            pen.fill(ellipse(complex(z.real, z.imag * ry / 0.84), r, r), second, solid=False)
    elif who.pattern == "patch" and who.species != "frog":
        pen.fill(ellipse(complex(who.side * 0.45, -0.08), 0.36, 0.4), second, solid=False)
    elif who.pattern == "patch":
        pen.fill(ellipse(complex(who.side * 0.5, -0.1), 0.36, 0.3), second, solid=False)
    elif who.pattern == "belly" and who.species not in ("penguin", "dog", "bear", "fox"):
        pen.fill(ellipse(0.44j, 0.62, 0.34), second, solid=False)
