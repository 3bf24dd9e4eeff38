"""A character in a pose: body, limbs, tail, head and what it wears, drawn back to front."""

from __future__ import annotations

import math

import numpy as np

from .characters import Character, pale
from .drawing_colours import BEAK, PINK, RGB, tone
from .faces import face
from .heads import ears, head
from .poses import Pose
from .shapes import Curve, Pen, Place, bend, ellipse, smooth, stroke
from .wear import around_neck, headwear

HEAD = 0.32
"""Half the head's width in figure units."""
_SIDES = ("left", "right")


def figure(pen: Pen, who: Character, emotion: str, pose: Pose, only_head: bool = False) -> None:
    """Draw a character in figure units; `only_head` for a close-up."""
    top = pen.at(Place(pose.head, HEAD * who.head * np.exp(1j * pose.tilt)))
    if not only_head:
        _tail(pen, who, pose)
        _body(pen, who, pose)
        _neckwear(pen, who, pose)
    ears(top, who)
    head(top, who)
    face(top, who, emotion)
    headwear(top, who, only_head)
    if not only_head:
        _arms(pen, who, pose)


def _limb(pen: Pen, who: Character, path: Curve, width: float, tip: RGB, name: str) -> None:
    main = who.marks.odd_colour if name == who.marks.odd_limb else who.rgb[0]
    pen.fill(stroke(path, width, width * 0.9), main, ink=True)
    if tip != who.rgb[0]:
        pen.fill(stroke(path[-4:], width * 0.93, width * 0.93), tip, solid=False)


def _tip(who: Character) -> RGB:
    return who.rgb[1] if who.pattern == "socks" else who.rgb[0]


def _arms(pen: Pen, who: Character, pose: Pose) -> None:
    width = 0.095 * who.limb
    for side, (joint, through, end) in zip(_SIDES, pose.arms):
        name = f"{side} arm"
        if who.species == "penguin":  # a flipper: flat and pointed
            flipper = stroke(bend(joint, through, end), width * 1.1, width * 0.65)
            pen.fill(flipper, who.marks.odd_colour if name == who.marks.odd_limb else who.rgb[0], ink=True)
            continue
        _limb(pen, who, bend(joint, through, end), width, _tip(who), name)


def _legs(pen: Pen, who: Character, pose: Pose) -> None:
    width = 0.115 * who.limb
    for side, name, (joint, through, end) in zip((-1, 1), _SIDES, pose.legs):
        feet = BEAK if who.species == "penguin" else _tip(who)
        _limb(pen, who, bend(joint, through, end), width, feet, f"{name} leg")
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
        belly = second if who.pattern == "belly" else pale(who)
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
    blot = who.marks.body
    if blot:
        place.fill(blot.curve(0.16, complex(blot.at.real * rx, blot.at.imag * ry)), blot.colour, solid=False)


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
        tail.fill(smooth([p(0.19, -0.1), p(0.29, -0.03), p(0.3, -0.23), p(0.24, -0.19)], 2), pale(who), solid=False)
    elif who.species in ("rabbit", "bear"):
        r = 0.07 if who.species == "rabbit" else 0.05
        tail.fill(ellipse(p(0.03, 0), r, r), pale(who) if who.species == "rabbit" else main, ink=True)
    elif who.species == "pig":
        tail.fill(
            stroke([p(0, 0), p(0.07, -0.03), p(0.05, -0.08), p(0.1, -0.1), p(0.13, -0.05)], 0.035), main, ink=True
        )


def _neckwear(pen: Pen, who: Character, pose: Pose) -> None:
    around_neck(pen.at(Place(pose.head, HEAD * who.head * np.exp(1j * pose.tilt * 0.5))), who)
