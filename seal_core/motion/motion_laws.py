"""The motions, each a closed formula of the phase in the loop (ours).

A phase of 1 is a phase of 0 again and every formula is continuous there, so loops have no seam. Amounts are in sizes of
the subject, radians, and natural logarithms of stretch and zoom. Phase 0, the first frame, is the picture that a chat
shows while nothing moves: there the subject is nearly at rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .stances import Stance, Wave

Pivot = Literal["feet", "centre", "top"]


@dataclass(frozen=True)
class MotionLaw:
    """law: (phase in [0, 1), strength, frames in the loop, key poses) -> Stance. seconds: of one loop, or for each key
    pose. grounded: whether it casts a contact shadow."""

    law: Callable[[float, float, int, int], Stance]
    pivot: Pivot
    seconds: float
    grounded: bool = True


_CONTACT, _HOP = 0.36, 0.34
"""A bounce: the share of its loop on the ground, and how high it goes."""
_SQUASH, _STRETCH = 0.21, 0.12
_SHAKES, _FRAMES_A_SHAKE = 4, 4
_DIP_ENDS = 0.18
"""A pop: when it has gathered itself."""
_LEAVING = 0.74
"""A key pose: when it begins to duck for the next one."""
_DUCK, _RISE = 0.24, 0.16
_PLAIN, _FULL = 2, 8
"""Frames for each key pose up to which poses just change, and from which ducking and springing are seen in full."""


def _bounce(phase: float, strength: float, frames: int, poses: int) -> Stance:
    """A ball's parabola; the ground is hit stretched, left stretched, and squashes in between."""
    air = 1 - _CONTACT
    now = (phase + _CONTACT + air / 2) % 1
    if now < _CONTACT:
        pressed = math.sin(math.pi * (now / _CONTACT) ** 0.85)  # impact is quicker than take-off
        return Stance(stretch=math.exp(strength * (_STRETCH - (_SQUASH + _STRETCH) * pressed)))
    part = (now - _CONTACT) / air
    fast = abs(1 - 2 * part) ** 1.5
    return Stance(up=strength * _HOP * 4 * part * (1 - part), stretch=math.exp(strength * _STRETCH * fast))


def _shake(phase: float, strength: float, frames: int, poses: int) -> Stance:
    """A tremble that swells and ends; its rate is one that the frames can show."""
    count = max(1, min(_SHAKES, frames // _FRAMES_A_SHAKE))
    swell = strength * math.sin(math.pi * phase) ** 2
    there = math.sin(2 * math.pi * count * phase)
    return Stance(right=0.065 * swell * there, turn=Wave(-0.075 * swell, count * phase))


def _pop(phase: float, strength: float, frames: int, poses: int) -> Stance:
    """Gathers itself, springs beyond its size, and rings out."""
    if phase < _DIP_ENDS:
        grown = -0.13 * math.sin(math.pi / 2 * phase / _DIP_ENDS) ** 2
    else:
        grown = _spring(phase - _DIP_ENDS, 0.13, 0.3, 5.0, 2.7) * (1 - (phase - _DIP_ENDS) / (1 - _DIP_ENDS)) ** 2
    return Stance(zoom=math.exp(strength * grown), stretch=math.exp(0.45 * strength * grown))


def _wobble(phase: float, strength: float, frames: int, poses: int) -> Stance:
    """Jelly: it bends about its feet, the top comes later, and it is tallest when upright."""
    tall = math.exp(0.07 * strength * math.cos(4 * math.pi * phase))
    return Stance(stretch=tall, bend=Wave(0.2 * strength, phase, 0.9))


def _swing(phase: float, strength: float, frames: int, poses: int) -> Stance:
    """A pendulum that hangs from its top; the lower end comes later."""
    return Stance(turn=Wave(0.22 * strength, phase, 0.55))


def _float(phase: float, strength: float, frames: int, poses: int) -> Stance:
    """Hovers above its shadow, rolling a little."""
    wave = 2 * math.pi * phase
    return Stance(
        up=strength * (0.1 + 0.06 * math.sin(wave)),
        right=0.018 * strength * math.cos(wave),
        stretch=math.exp(0.02 * strength * math.cos(wave)),
        turn=Wave(0.045 * strength, phase - 0.15),
    )


def _poses(phase: float, strength: float, frames: int, poses: int) -> Stance:
    """Pose to pose: ducks, changes while it is lowest, springs up beyond its height, settles, holds.

    With few frames each of them is seen for long, so there is less of it.
    """
    strength *= min(1.0, max(0.0, (frames / poses - _PLAIN) / (_FULL - _PLAIN)))
    slot = (phase * poses + 0.5) % poses  # begins in the middle of the first pose's hold
    number = min(int(slot), poses - 1)
    part = slot - number
    if part < _LEAVING:
        tall = _spring(part, _DUCK, _RISE, 6.0, 2.4) * (1 - part / _LEAVING) ** 2
    else:
        leaving = (part - _LEAVING) / (1 - _LEAVING)
        tall = 0.05 * math.sin(math.pi * leaving) * (1 - leaving) - _DUCK * leaving**2
    return Stance(picture=number, stretch=math.exp(strength * tall))


def _spring(time: float, below: float, kick: float, damping: float, rate: float) -> float:
    """A damped oscillation that begins `below` rest, with a kick upwards. rate: oscillations in a unit of time."""
    turn = 2 * math.pi * rate * time
    return math.exp(-damping * time) * (kick * math.sin(turn) - below * math.cos(turn))


POSES = "poses"
MOTIONS: dict[str, MotionLaw] = {
    "bounce": MotionLaw(_bounce, "feet", 0.8),
    "shake": MotionLaw(_shake, "centre", 0.8),
    "pop": MotionLaw(_pop, "centre", 1.0, grounded=False),
    "wobble": MotionLaw(_wobble, "feet", 1.0),
    "swing": MotionLaw(_swing, "top", 1.4, grounded=False),
    "float": MotionLaw(_float, "centre", 1.6),
    POSES: MotionLaw(_poses, "feet", 0.6),
}
"""Motions by name. Saved workflows hold the names."""


def stances(motion: str, strength: float, frames: int, poses: int = 1) -> list[Stance]:
    """The stance of each frame of one loop. poses: how many key poses there are."""
    law = MOTIONS[motion].law
    return [law(i / frames, strength, frames, poses) for i in range(frames)]


def loop_seconds(motion: str, poses: int = 1) -> float:
    """How long one loop lasts at the motion's own pace."""
    return MOTIONS[motion].seconds * (poses if motion == POSES else 1)
