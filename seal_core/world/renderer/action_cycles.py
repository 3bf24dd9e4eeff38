"""What a figure does in a moving sticker: each action as a closed cycle of poses by phase (ours).

Phase 0 is the pose of the still sticker exactly, which the tiny model knows. Phase 1 is phase 0 again: cycles close.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from .poses import POSES, Limb, Pose

_FLOOR = 0.14j
"""How far a jumping figure falls from the height at which the still shows it."""
_LANDED: tuple[Limb, Limb] = (
    (-0.09 + 0.25j, -0.24 + 0.27j, -0.14 + 0.38j),
    (0.09 + 0.25j, 0.24 + 0.27j, 0.14 + 0.38j),
)
_SWUNG_BACK: tuple[Limb, Limb] = (
    (-0.13 + 0.06j, -0.28 + 0.12j, -0.32 + 0.24j),
    (0.13 + 0.06j, 0.28 + 0.12j, 0.32 + 0.24j),
)
# Bend and end of a runner's limb at the quarters of its cycle: behind, lifted, in front, on the ground.
_LEG_ROUND = ((-0.2 + 0.38j, -0.4 + 0.3j), (0.1 + 0.3j, -0.1 + 0.34j), (0.3 + 0.22j, 0.3 + 0.4j), (0.05 + 0.33j, 0.42j))
_ARM_ROUND = (
    (-0.3 + 0.02j, -0.36 + 0.18j),
    (-0.14 + 0.2j, 0.02 + 0.28j),
    (0.25 + 0.24j, 0.36 + 0.08j),
    (0.06 + 0.22j, 0.1 + 0.3j),
)


def pose_at(action: str, phase: float) -> Pose:
    """The pose of an action at a phase (any number; only its fraction counts). Raises KeyError for unknown actions."""
    phase %= 1.0
    return replace(_CYCLES[action](POSES[action], phase), phase=phase) if phase else POSES[action]


def _wave(phase: float, harmonic: int = 1) -> float:
    """Sine of the phase: 0 at the still pose."""
    return math.sin(2 * math.pi * harmonic * phase)


def _away(phase: float, harmonic: int = 1) -> float:
    """0 at the still pose, 1 half a cycle later."""
    return 0.5 - 0.5 * math.cos(2 * math.pi * harmonic * phase)


def _blend(a: Limb, b: Limb, share: float) -> Limb:
    x, y, z = (p + share * (q - p) for p, q in zip(a, b))
    return x, y, z


def _turned(limb: Limb, angle: float) -> Limb:
    """The part beyond the bend, turned about it."""
    joint, bend, end = limb
    return joint, bend, bend + (end - bend) * complex(math.cos(angle), math.sin(angle))


def _standing(still: Pose, phase: float) -> Pose:
    """Sways from side to side and breathes."""
    side, low = _wave(phase), 0.03j * _away(phase, 2)
    arms = tuple(_turned(limb, 0.4 * side) for limb in still.arms)
    return replace(
        still, head=still.head + 0.04 * side + low, body=still.body + 0.4 * low, tilt=0.16 * side, arms=_pair(arms)
    )


def _waving(still: Pose, phase: float) -> Pose:
    """The raised arm swings; the head goes along."""
    side = _wave(phase)
    return replace(
        still,
        head=still.head + 0.02 * side,
        tilt=still.tilt - 0.1 * side,
        arms=(still.arms[0], _turned(still.arms[1], 0.6 * side)),
    )


def _jumping(still: Pose, phase: float) -> Pose:
    """From the highest point down into a crouch, and up again."""
    down = _away(phase)
    drop, crouch = _FLOOR * down, 0.05j * down**2
    legs = tuple(_moved(_blend(a, b, down), drop + 0.3 * crouch) for a, b in zip(still.legs, _LANDED))
    arms = tuple(_moved(_blend(a, b, down), drop + crouch) for a, b in zip(still.arms, _SWUNG_BACK))
    return replace(
        still,
        head=still.head + drop + 1.4 * crouch,
        body=still.body + drop + 0.8 * crouch,
        tail=still.tail + drop + 0.8 * crouch,
        legs=_pair(legs),
        arms=_pair(arms),
    )


def _running(still: Pose, phase: float) -> Pose:
    """Two steps; arms against legs; the body is highest between them."""
    up = -0.04j * _away(phase, 2)

    def limb(joint: complex, path: Sequence[tuple[complex, complex]], at: float) -> Limb:
        bend, end = (_round([point[k] for point in path], at) for k in (0, 1))
        return joint, bend, end

    legs = limb(still.legs[0][0], _LEG_ROUND, phase), limb(still.legs[1][0], _LEG_ROUND, phase + 0.5)
    arms = limb(still.arms[0][0], _ARM_ROUND, phase), limb(still.arms[1][0], _ARM_ROUND, phase + 0.5)
    return replace(
        still,
        head=still.head + up,
        body=still.body + up,
        tail=still.tail + up,
        tilt=still.tilt + 0.05 * _wave(phase, 2),
        legs=_pair(tuple(_moved(leg, 0.5 * up) for leg in legs)),
        arms=_pair(tuple(_moved(arm, up) for arm in arms)),
    )


def _sitting(still: Pose, phase: float) -> Pose:
    """Rocks from side to side, the feet in turn."""
    side = _wave(phase)
    legs = tuple(_moved_end(leg, -0.05j * max(0.0, way * side)) for way, leg in zip((1, -1), still.legs))
    return replace(still, head=still.head + 0.06 * side, tilt=0.2 * side, legs=_pair(legs), tail_turn=-0.3 * side)


def _lying(still: Pose, phase: float) -> Pose:
    """The head nods, the feet kick, the tail wags."""
    side, down = _wave(phase), 0.05j * _away(phase)
    legs = tuple(_moved_end(leg, -0.06j * max(0.0, way * side)) for way, leg in zip((1, -1), still.legs))
    return replace(
        still,
        head=still.head + down,
        tilt=still.tilt + 0.14 * side,
        legs=_pair(legs),
        tail_turn=still.tail_turn + 0.35 * side,
    )


def _round(points: Sequence[complex], phase: float) -> complex:
    """A closed path through points at equal times, slower at each."""
    at = phase % 1.0 * len(points)
    first, share = int(at), 0.5 - 0.5 * math.cos(math.pi * (at % 1.0))
    a, b = points[first % len(points)], points[(first + 1) % len(points)]
    return a + (0.5 * share + 0.5 * (at % 1.0)) * (b - a)


def _moved(limb: Limb, by: complex) -> Limb:
    a, b, c = (point + by for point in limb)
    return a, b, c


def _moved_end(limb: Limb, by: complex) -> Limb:
    joint, bend, end = limb
    return joint, bend + 0.5 * by, end + by


def _pair(limbs: Sequence[Limb]) -> tuple[Limb, Limb]:
    left, right = limbs
    return left, right


_CYCLES: Mapping[str, Callable[[Pose, float], Pose]] = {
    "standing": _standing,
    "waving": _waving,
    "jumping": _jumping,
    "running": _running,
    "sitting": _sitting,
    "lying down": _lying,
}
