"""Traits of a StickerWorld character that no caption ever names (ours).

Words say species, colours, pattern and clothes. What makes a character one of its kind is often something that has no
word: the shape of a blot on the forehead, one odd ear, a badge. Only a picture can teach these, so they measure what a
method learns beyond words.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RGB = tuple[int, int, int]

_FACE = (0.0 - 0.5j, -0.68 + 0.36j, 0.68 + 0.36j, -0.3 - 0.48j, 0.3 - 0.48j)
"""Where a face's blot can be, in head units."""
_LIMBS = ("left arm", "right arm", "left leg", "right leg")


@dataclass(frozen=True)
class Blot:
    """A filled shape around `at`: a circle of radius `size` whose edge waves `lobes` times."""

    at: complex
    size: float
    lobes: int
    depth: float
    turn: float
    bent: float
    colour: RGB

    def curve(self, unit: float = 1.0, at: complex | None = None) -> NDArray[np.complexfloating]:
        """unit: factor on the size. at: another centre."""
        t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        radius = 1 + self.depth * np.cos(self.lobes * t) + 0.25 * self.bent * np.cos(t + 1.0)
        turned = radius * np.exp(1j * (t + self.turn))
        return (self.at if at is None else at) + self.size * unit * turned


@dataclass(frozen=True)
class Marks:
    """What is particular to a character. odd: the limb and the ear (-1 left, 1 right, 0 none) of another colour.
    ears: turns of the left and right ear in radians. eye_shape: width and height of the eyes, factors."""

    face: Blot | None
    body: Blot | None
    odd_limb: str
    odd_ear: int
    odd_colour: RGB
    ears: tuple[float, float]
    eye_shape: tuple[float, float]


def marks(seed: int, taken: tuple[str, str], colours: Mapping[str, RGB]) -> Marks:
    """The marks of a character's seed. taken: its own two colours, which they lack. colours: all of them."""
    rng = random.Random(f"marks {seed}")
    free = [name for name in colours if name not in taken]

    def blot(at: complex, low: float, high: float) -> Blot:
        return Blot(
            at=at,
            size=rng.uniform(low, high),
            lobes=rng.randint(2, 5),
            depth=rng.uniform(0.1, 0.5),
            turn=rng.uniform(0, 2 * math.pi),
            bent=rng.uniform(0, 1),
            colour=colours[rng.choice(free)],
        )

    face = blot(rng.choice(_FACE), 0.18, 0.28)
    body = blot(complex(rng.choice((-0.4, 0.4)), rng.choice((-0.15, 0.35))), 0.36, 0.52)
    shown = [rng.random() < share for share in (0.75, 0.6, 0.35, 0.35)]
    limb, ear, colour = rng.choice(_LIMBS), rng.choice((-1, 1)), colours[rng.choice(free)]
    wide = rng.uniform(0.8, 1.25)
    return Marks(
        face=face if shown[0] else None,
        body=body if shown[1] else None,
        odd_limb=limb if shown[2] else "",
        odd_ear=ear if shown[3] else 0,
        odd_colour=colour,
        ears=(rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3)),
        eye_shape=(wide, rng.uniform(0.95, 1.1) / wide),
    )
