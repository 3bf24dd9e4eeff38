"""Where the hearts, drops and sparkles are at each phase of a loop (ours).

Each is born and gone at size 0, and every formula is periodic in the phase, so they loop as the motions do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .overlay_shapes import Mark
from .stances import Stance

NONE = "none"
_SPECK = 0.012
"""Radius in sizes below which a mark is not drawn: it would look like dust."""


@dataclass(frozen=True)
class Body:
    """The subject's box in local coordinates (`stances`): x of its middle, half its width, y of its feet, height."""

    x: float
    half: float
    foot: float
    high: float

    def at(self, across: float, up: float) -> tuple[float, float]:
        """A point by shares: across -1 to 1, up 0 to 1."""
        return self.x + across * self.half, self.foot + up * self.high


def overlay_marks(kind: str, phase: float, stance: Stance, body: Body) -> list[Mark]:
    """The marks of one frame, in local coordinates. kind: one of OVERLAYS."""
    return [mark for mark in _LAWS[kind](phase % 1, stance, body) if mark.radius >= _SPECK]


def _nothing(phase: float, stance: Stance, body: Body) -> list[Mark]:
    return []


def _hearts(phase: float, stance: Stance, body: Body) -> list[Mark]:
    """Rise beside the head, sway, and shrink away."""
    plan = ((1, 0.0, 1.0), (-1, 0.38, 0.8), (1, 0.55, 0.62), (-1, 0.83, 1.0))
    marks = []
    for number, (side, begins, size) in enumerate(plan):
        life = (phase + begins) % 1
        sway = math.sin(2 * math.pi * life + number)
        x, y = body.at(side * (0.86 + 0.14 * life), 0.56 + 0.44 * life)
        x = stance.moved(x, y)[0]  # makes way for the head, and does not hop along
        grown = _eased(life / 0.22) * (1 + 0.25 * _hump(life, 0.1, 0.36)) * (1 - _eased((life - 0.72) / 0.28))
        marks.append(Mark("hearts", x + 0.035 * sway, y, 0.125 * size * grown, -0.28 * side - 0.16 * sway))
    return marks


def _sweat(phase: float, stance: Stance, body: Body) -> list[Mark]:
    """Drops fly off the head to both sides, point backwards, and fall."""
    marks = []
    for side, begins, size, steep in (
        (1, 0.0, 1.0, 0.3),
        (-1, 0.2, 0.8, 0.26),
        (1, 0.5, 0.7, 0.42),
        (-1, 0.7, 0.9, 0.4),
    ):
        life = (phase + begins) % 1
        x, y = stance.moved(*body.at(0.62 * side, 0.86))
        right, up = side * 0.3 * life, steep * life - 0.42 * life * life
        flown = math.atan2(steep - 0.84 * life, side * 0.3)
        grown = _eased(life / 0.25) * (1 - _eased((life - 0.7) / 0.3))
        marks.append(Mark("sweat", x + right, y + up, 0.085 * size * grown, flown + math.pi / 2))
    return marks


def _sparkle(phase: float, stance: Stance, body: Body) -> list[Mark]:
    """Flash in turn around the subject."""
    plan = ((-0.92, 0.93, 1.0, 0.0), (0.95, 0.72, 0.85, 0.36), (0.72, 1.0, 0.5, 0.68), (-1.0, 0.42, 0.6, 0.55))
    plan += ((0.98, 0.2, 0.65, 0.84),)
    marks = []
    for across, up, size, begins in plan:
        life = (phase + begins) % 1
        x, y = body.at(across, up)
        grown = math.sin(math.pi * min(1.0, life / 0.8)) ** 1.5
        marks.append(Mark("sparkle", x, y, 0.15 * size * grown, 0.35 * (life - 0.4)))
    return marks


def _eased(part: float) -> float:
    """0 to 1 with level ends (smoothstep)."""
    part = min(1.0, max(0.0, part))
    return part * part * (3 - 2 * part)


def _hump(life: float, start: float, end: float) -> float:
    """0, up to 1 and back between start and end."""
    return math.sin(math.pi * min(1.0, max(0.0, (life - start) / (end - start))))


_LAWS: dict[str, Callable[[float, Stance, Body], list[Mark]]] = {
    NONE: _nothing,
    "hearts": _hearts,
    "sweat": _sweat,
    "sparkle": _sparkle,
}
OVERLAYS = tuple(_LAWS)
"""What may move around a subject. Saved workflows hold the names."""
