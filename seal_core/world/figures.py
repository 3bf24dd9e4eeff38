"""A character in a pose: body, limbs, tail, head and what it wears, drawn back to front."""

from __future__ import annotations

import math

import numpy as np

from .characters import RGB, Character
from .faces import eye_places, face
from .poses import POSES, Pose
from .shapes import Curve, Pen, Place, bend, ellipse, luminance, smooth, stroke, tone

HEAD = 0.32
"""Half the head's width in figure units."""

PINK: RGB = (250, 150, 170)
BEAK: RGB = (250, 165, 50)
_WIDE = {"frog": 1.1, "pig": 1.04, "penguin": 0.97, "fox": 1.06, "rabbit": 0.94}
_TALL = {"frog": 0.78, "pig": 0.86, "penguin": 0.92, "bear": 0.88, "rabbit": 0.9}


def figure(pen: Pen, who: Character, emotion: str, action: str, only_head: bool = False) -> None:
    """Draws a character in figure units; `only_head` for a close-up."""
    pose = POSES[action]
    head = pen.at(Place(pose.head, HEAD * who.head * np.exp(1j * pose.tilt)))
    if not only_head:
        _tail(pen, who, pose)
        _body(pen, who, pose)
        _neckwear(pen, who, pose)
    _ears(head, who)
    _head(head, who)
    face(head, who, emotion)
    _headwear(head, who, only_head)
    if not only_head:
        _arms(pen, who, pose)


# -- body ------------------------------------------------------------------------------------------


def _limb(pen: Pen, who: Character, path: Curve, width: float, tip: RGB) -> None:
    main = who.rgb[0]
    pen.fill(stroke(path, width, width * 0.9), main, ink=True)
    if tip != main:
        pen.fill(stroke(path[-4:], width * 0.93, width * 0.93), tip, solid=False)


def _tip(who: Character) -> RGB:
    return who.rgb[1] if who.pattern == "socks" else who.rgb[0]


def _arms(pen: Pen, who: Character, pose: Pose) -> None:
    width = 0.095 * who.limb
    for joint, through, end in pose.arms:
        if who.species == "penguin":  # a flipper: flat and pointed
            flipper = stroke(bend(joint, through, end), width * 1.1, width * 0.65)
            pen.fill(flipper, who.rgb[0], ink=True)
            continue
        _limb(pen, who, bend(joint, through, end), width, _tip(who))


def _legs(pen: Pen, who: Character, pose: Pose) -> None:
    width = 0.115 * who.limb
    for side, (joint, through, end) in zip((-1, 1), pose.legs):
        feet = BEAK if who.species == "penguin" else _tip(who)
        _limb(pen, who, bend(joint, through, end), width, feet)
        if pose.soles:
            pen.fill(ellipse(end, 0.085 * who.limb, 0.1 * who.limb), feet, ink=True)
            pen.fill(ellipse(end + 0.015j, 0.045, 0.05), PINK if feet != BEAK else tone(BEAK, -0.2), solid=False)
        elif who.species in ("penguin", "frog"):
            pen.fill(ellipse(end + side * 0.03 + 0.01j, 0.085, 0.045), feet, ink=True)


def _body(pen: Pen, who: Character, pose: Pose) -> None:
    main, second, _ = who.rgb
    rx, ry = (0.27, 0.15 * who.body) if pose.flat else (0.165 * who.body, 0.185)
    _legs(pen, who, pose)
    place = pen.at(Place(pose.body, np.exp(1j * pose.lean)))
    place.fill(ellipse(0, rx, ry), main, ink=True)
    if who.species == "penguin" or who.pattern == "belly":
        belly = second if who.pattern == "belly" else _pale(who)
        place.fill(ellipse(0.04j, rx * 0.68, ry * 0.78), belly, solid=False)
    if who.pattern == "spots":
        for z, r in ((-0.45 + 0.1j, 0.26), (0.4 - 0.2j, 0.22), (0.2 + 0.55j, 0.24)):
            place.fill(ellipse(complex(z.real * rx, z.imag * ry), r * rx, r * rx), second, solid=False)
    elif who.pattern == "stripes":
        for y in (-0.1, 0.3, 0.66):
            half = 0.96 * math.sqrt(1 - y * y) * rx
            place.line([complex(-half, y * ry), complex(half, y * ry)], 0.2 * ry, second)
    elif who.pattern == "patch":
        place.fill(ellipse(complex(who.side * 0.4 * rx, 0.25 * ry), 0.5 * rx, 0.45 * ry), second, solid=False)


def _pale(who: Character) -> RGB:
    """A light colour that is not the main one."""
    return tone(who.rgb[1], 0.75) if luminance(who.rgb[0]) < 0.8 else tone(who.rgb[1], 0.35)


def _tail(pen: Pen, who: Character, pose: Pose) -> None:
    main, second, _ = who.rgb
    tail = pen.at(Place(pose.tail, np.exp(1j * pose.tail_turn) if pose.tail_turn < 3 else -1 + 0j))
    flip = -1j if pose.tail_turn > 3 else 1j  # a turn by pi must not turn the tail upside down

    def p(x: float, y: float) -> complex:
        return x + flip * y

    if who.species == "cat":
        path = bend(p(0, 0), p(0.2, 0.05), p(0.17, -0.2))
        pen_width = 0.06
        tail.fill(stroke(path, pen_width), main, ink=True)
        tail.fill(stroke(path[-3:], pen_width * 0.95), second, solid=False)
    elif who.species == "dog":
        tail.fill(stroke(bend(p(0, 0), p(0.12, -0.02), p(0.15, -0.13)), 0.075, 0.05), main, ink=True)
    elif who.species == "fox":
        tail.fill(
            smooth([p(-0.03, 0.05), p(0.1, 0.1), p(0.3, 0.02), p(0.3, -0.24), p(0.16, -0.14), p(-0.03, -0.04)]),
            main,
            ink=True,
        )
        tail.fill(smooth([p(0.19, -0.1), p(0.29, -0.03), p(0.3, -0.23), p(0.24, -0.19)], 2), _pale(who), solid=False)
    elif who.species in ("rabbit", "bear"):
        r = 0.07 if who.species == "rabbit" else 0.05
        tail.fill(ellipse(p(0.03, 0), r, r), _pale(who) if who.species == "rabbit" else main, ink=True)
    elif who.species == "pig":
        tail.fill(
            stroke([p(0, 0), p(0.07, -0.03), p(0.05, -0.08), p(0.1, -0.1), p(0.13, -0.05)], 0.035), main, ink=True
        )


# -- head ------------------------------------------------------------------------------------------
# In head units: half the head's width is 1.


def head_size(who: Character) -> tuple[float, float]:
    """Half width and half height of the head, in head units."""
    return _WIDE.get(who.species, 1.0), _TALL.get(who.species, 0.84)


def _both(curve: Curve) -> tuple[Curve, Curve]:
    return curve, -np.conj(curve)


def _ears(pen: Pen, who: Character) -> None:
    main, second, _ = who.rgb
    e = who.ear
    own = second if who.pattern in ("patch", "socks") else main
    for side, colour in ((-1, main), (1, main)):
        colour = own if who.pattern == "socks" or (who.pattern == "patch" and side == who.side) else colour

        def ear(points: list[complex], inner: list[complex] | None, fill: RGB, inside: RGB, side: int = side) -> None:
            turned = [complex(side * z.real, z.imag) for z in points]
            pen.fill(smooth(turned), fill, ink=True)
            if inner:
                pen.fill(smooth([complex(side * z.real, z.imag) for z in inner]), inside, solid=False)

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
                second if who.pattern != "patch" else colour,
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


def _head(pen: Pen, who: Character) -> None:
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
        for cheek in _both(smooth([1.08 + 0.12j, 0.72 + 0.55j, 0.05 + 0.95j, 0.12 + 0.3j, 0.55 + 0.22j])):
            pen.fill(cheek, _pale(who), solid=False)
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
        for half in _both(ellipse(0.36 + 0.1j, 0.42, 0.52)):
            pen.fill(half, _pale(who), solid=False)
        pen.fill(ellipse(0.35j, 0.66, 0.42), _pale(who), solid=False)
    _head_pattern(pen, who, ry)
    if who.species in ("dog", "bear"):
        muzzle = second if who.pattern == "belly" else _pale(who)
        pen.fill(ellipse(0.42j, 0.46, 0.34), muzzle, solid=False)


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


# -- what it wears ---------------------------------------------------------------------------------


def _neckwear(pen: Pen, who: Character, pose: Pose) -> None:
    head = pen.at(Place(pose.head, HEAD * who.head * np.exp(1j * pose.tilt * 0.5)))
    _around_neck(head, who)


def _around_neck(pen: Pen, who: Character) -> None:
    colour = who.rgb[2]
    if who.accessory == "scarf":
        pen.fill(stroke([0.3 + 0.85j, 0.42 + 1.2j, 0.38 + 1.5j], 0.3, 0.36), tone(colour, -0.15), ink=True)
        pen.fill(stroke(bend(-0.62 + 0.72j, 1.12j, 0.62 + 0.72j), 0.36), colour, ink=True)
    elif who.accessory == "bow tie":
        for wing in _both(smooth([0.05 + 0.92j, 0.5 + 0.66j, 0.5 + 1.26j], 2)):
            pen.fill(wing, colour, ink=True)
        pen.fill(ellipse(0.96j, 0.11, 0.12), tone(colour, -0.2), ink=True)


def _headwear(pen: Pen, who: Character, only_head: bool) -> None:
    colour, dark, side = who.rgb[2], tone(who.rgb[2], -0.22), who.side
    crown = -head_size(who)[1]
    up = crown * 1j
    if only_head or who.accessory == "bow tie":
        _around_neck(pen, who)
    if who.accessory == "bow":
        at = complex(side * 0.6, crown * 0.86) if who.species != "frog" else up + 0.06j
        for wing in (-1, 1):
            pen.fill(smooth([at + wing * 0.02, at + wing * 0.46 - 0.3j, at + wing * 0.46 + 0.3j], 2), colour, ink=True)
        pen.fill(ellipse(at, 0.13, 0.14), dark, ink=True)
    elif who.accessory == "party hat":
        pen.fill(np.array([-0.36 + up + 0.16j, 0.36 + up + 0.16j, 0.04 + up - 0.8j]), colour, ink=True)
        pen.line([-0.22 + up - 0.08j, 0.28 + up - 0.12j], 0.12, tone(colour, 0.6))
        pen.line([-0.08 + up - 0.42j, 0.15 + up - 0.45j], 0.1, tone(colour, 0.6))
        pen.fill(ellipse(0.04 + up - 0.82j, 0.13, 0.13), tone(colour, 0.6), ink=True)
    elif who.accessory == "crown":
        rim = [-0.45 + 0.2j, -0.52 - 0.4j, -0.24 - 0.1j, -0.5j, 0.24 - 0.1j, 0.52 - 0.4j, 0.45 + 0.2j]
        pen.fill(np.array([up + z for z in rim]), colour, ink=True)
        for x in (-0.24, 0.0, 0.24):
            pen.fill(ellipse(up + x + 0.06j, 0.065, 0.065), tone(colour, 0.65), solid=False)
    elif who.accessory == "flower":
        at = complex(side * 0.66, crown * 0.78) if who.species != "frog" else up + 0.06j
        for k in range(5):
            pen.fill(ellipse(at + 0.22 * np.exp(2j * np.pi * k / 5), 0.16, 0.16), colour, ink=True)
        pen.fill(ellipse(at, 0.12, 0.12), tone(colour, 0.7) if luminance(colour) < 0.8 else (250, 190, 60), solid=False)
    elif who.accessory == "headphones":
        rx = head_size(who)[0]
        t = np.linspace(np.pi * 1.08, np.pi * 1.92, 14)
        pen.fill(stroke(rx * 1.02 * np.cos(t) + 1j * (0.05 - crown * 1.12 * np.sin(t)), 0.15), dark, ink=True)
        for x in (-1, 1):
            pen.fill(ellipse(complex(x * rx * 1.0, 0.1), 0.24, 0.36), colour, ink=True)
            pen.fill(ellipse(complex(x * rx * 1.0, 0.1), 0.11, 0.19), dark, solid=False)
    elif who.accessory == "cap":
        dome = np.concatenate(
            [
                np.array([0.68 + up + 0.3j]),
                [0.68 * np.cos(a) + up + 0.3j - 0.62j * np.sin(a) for a in np.linspace(0.1, np.pi - 0.1, 14)],
                np.array([-0.68 + up + 0.3j]),
            ]
        )
        pen.fill(dome, colour, ink=True)
        pen.fill(
            smooth(
                [side * -0.1 + up + 0.14j, side * 1.15 + up + 0.18j, side * 1.2 + up + 0.42j, side * -0.1 + up + 0.4j],
                2,
            ),
            dark,
            ink=True,
        )
        pen.fill(ellipse(up - 0.34j, 0.09, 0.07), dark, solid=False)
    elif who.accessory == "glasses":
        for at in eye_places(who):
            ring = ellipse(at, 0.35, 0.35)
            pen.line(np.append(ring, ring[:2]), 0.095, colour if luminance(colour) < 0.85 else tone(colour, -0.15))
        left, right = eye_places(who)
        pen.line([left + 0.35, right - 0.35], 0.09, colour if luminance(colour) < 0.85 else tone(colour, -0.15))
