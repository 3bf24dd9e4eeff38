"""Six actions as skeletons, with their shadows and motion lines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .drawing_colours import RGB
from .shapes import Pen, arc, ellipse, stroke

Limb = tuple[complex, complex, complex]
"""Joint, bend and end."""


@dataclass(frozen=True)
class Pose:
    """Where the parts of a figure are; a standing one reaches from y = -0.6 (without ears) to 0.42.

    head, body: centres; tilt, lean: turns in radians; flat: the body lies. arms, legs: left, right as seen.
    tail: where it starts and which way it points. middle, spread: of the figure, for the camera. phase: where in its
    action's cycle the pose is (`action_cycles`); 0 for the still.
    """

    head: complex
    body: complex
    arms: tuple[Limb, Limb]
    legs: tuple[Limb, Limb]
    tail: complex
    tail_turn: float = 0.0
    tilt: float = 0.0
    lean: float = 0.0
    flat: bool = False
    soles: bool = False
    middle: complex = -0.07j
    spread: float = 1.0
    phase: float = 0.0


_DOWN: Limb = (-0.13 + 0.04j, -0.25 + 0.08j, -0.24 + 0.2j)
_LEG: Limb = (-0.09 + 0.25j, -0.1 + 0.32j, -0.1 + 0.4j)


def _mirror(limb: Limb) -> Limb:
    a, b, c = (complex(-z.real, z.imag) for z in limb)
    return a, b, c


POSES: Mapping[str, Pose] = {
    "standing": Pose(-0.27j, 0.15j, (_DOWN, _mirror(_DOWN)), (_LEG, _mirror(_LEG)), 0.14 + 0.27j),
    "waving": Pose(
        -0.27j,
        0.15j,
        (_DOWN, (0.13 + 0.05j, 0.4 + 0.12j, 0.43 - 0.12j)),
        (_LEG, _mirror(_LEG)),
        -0.14 + 0.27j,
        math.pi,
        tilt=-0.1,
        middle=0.03 - 0.07j,
    ),
    "jumping": Pose(
        -0.27j,
        0.13j,
        ((-0.13 + 0.04j, -0.36 + 0.12j, -0.43 - 0.13j), (0.13 + 0.04j, 0.36 + 0.12j, 0.43 - 0.13j)),
        ((-0.09 + 0.22j, -0.3 + 0.22j, -0.27 + 0.38j), (0.09 + 0.22j, 0.3 + 0.22j, 0.27 + 0.38j)),
        0.14 + 0.2j,
        middle=-0.02j,
        spread=0.9,
    ),
    "running": Pose(
        0.05 - 0.25j,
        -0.02 + 0.15j,
        ((-0.13 + 0.06j, -0.3 + 0.02j, -0.36 + 0.18j), (0.1 + 0.08j, 0.25 + 0.24j, 0.36 + 0.08j)),
        ((-0.1 + 0.24j, -0.2 + 0.38j, -0.4 + 0.3j), (0.08 + 0.25j, 0.3 + 0.22j, 0.3 + 0.4j)),
        -0.17 + 0.2j,
        math.pi,
        tilt=0.16,
        lean=0.35,
        middle=-0.06 - 0.07j,
        spread=0.88,
    ),
    "sitting": Pose(
        -0.17j,
        0.22j,
        ((-0.14 + 0.12j, -0.22 + 0.2j, -0.11 + 0.28j), (0.14 + 0.12j, 0.22 + 0.2j, 0.11 + 0.28j)),
        ((-0.08 + 0.34j, -0.18 + 0.33j, -0.28 + 0.37j), (0.08 + 0.34j, 0.18 + 0.33j, 0.28 + 0.37j)),
        0.17 + 0.32j,
        soles=True,
        middle=-0.05j,
    ),
    "lying down": Pose(
        -0.2 + 0.08j,
        0.2 + 0.24j,
        ((-0.02 + 0.24j, -0.2 + 0.36j, -0.4 + 0.35j), (0.06 + 0.28j, 0.02 + 0.36j, -0.1 + 0.37j)),
        ((0.36 + 0.24j, 0.46 + 0.22j, 0.56 + 0.27j), (0.34 + 0.3j, 0.42 + 0.36j, 0.52 + 0.36j)),
        0.42 + 0.16j,
        -0.4,
        tilt=-0.28,
        flat=True,
        middle=0.05 + 0.12j,
        spread=0.92,
    ),
}


def ground_marks(pen: Pen, action: str, shade: RGB, phase: float = 0.0) -> None:
    """The shadow on the floor: under the feet, or well below a jumping figure, wider when that comes down."""
    where = {"jumping": (0.54j, 0.2), "lying down": (0.08 + 0.4j, 0.5), "running": (-0.02 + 0.44j, 0.32)}
    centre, width = where.get(action, (0.44j, 0.25))
    if action == "jumping":
        width += 0.08 * (0.5 - 0.5 * math.cos(2 * math.pi * phase))
    pen.fill(ellipse(centre, width, 0.035), shade, solid=False)


def motion_marks(pen: Pen, action: str, colour: RGB, phase: float = 0.0) -> None:
    """A comic's motion lines: a wave's arcs, a jump's streaks, a runner's speed lines and dust.

    In a clip arcs and streaks show for the half of the cycle around the still, and a runner's lines fall back.
    """
    if action in ("waving", "jumping") and 0.25 < phase < 0.75:
        return
    back = 0.06 * (2 * phase % 1)
    if action == "waving":
        for r in (0.1, 0.17):
            pen.fill(stroke(arc(0.45 - 0.16j, r, r, -1.2, 0.35), 0.032), colour)
    elif action == "jumping":
        for x in (-0.17, 0.0, 0.17):
            pen.fill(stroke([x + (0.4 + 0.03 * (x == 0)) * 1j, x + 0.49j], 0.03), colour)
    elif action == "running":
        for y, start, end in ((-0.05, -0.62, -0.42), (0.08, -0.68, -0.46), (0.21, -0.64, -0.5)):
            pen.fill(stroke(np.array([start - back + y * 1j, end - back + y * 1j]), 0.03), colour)
        for centre, r in ((-0.5 + 0.38j, 0.06), (-0.59 + 0.39j, 0.045)):
            pen.fill(ellipse(centre - back, r, r * 0.85), colour, ink=True)
