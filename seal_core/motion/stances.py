"""How a subject stands at one moment: squashed, bent, turned and moved; the map of its points, and the exact inverse.

Coordinates are local: right and up of the pivot, in units of the subject's size (`subjects.Cast.size`). Squash, bend
and turn each keep the area: a squash by its reciprocal width, a bend as a shear, a turn since it turns whole circles
(ours, after the rules of squash and stretch, Thomas and Johnston 1981).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Wave:
    """amount * sin(2 pi phase - lag * distance): parts that are further from the pivot come later."""

    amount: float = 0.0
    phase: float = 0.0
    lag: float = 0.0

    def at(self, distance: np.ndarray) -> np.ndarray | float:
        """Its value at distances from the pivot, in sizes."""
        if not self.lag:
            return self.amount * math.sin(2 * math.pi * self.phase)
        return self.amount * np.sin(2 * math.pi * self.phase - self.lag * distance)


@dataclass(frozen=True)
class Stance:
    """picture: which key pose is shown. right, up: shift in sizes. stretch: height by this, width by its reciprocal.
    zoom: both. bend: sideways by this times the square of the height. turn: radians, anticlockwise."""

    picture: int = 0
    right: float = 0.0
    up: float = 0.0
    stretch: float = 1.0
    zoom: float = 1.0
    bend: Wave = field(default_factory=Wave)
    turn: Wave = field(default_factory=Wave)

    def forward(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where points of the subject at rest are now."""
        x, y = x * (self.zoom / self.stretch), y * (self.zoom * self.stretch)
        if self.bend.amount:
            x = x + self.bend.at(y) * y * y
        x, y = self._turned(x, y, 1)
        return x + self.right, y + self.up

    def moved(self, x: float, y: float) -> tuple[float, float]:
        """Where one point of the subject at rest is now."""
        right, up = self.forward(np.array([x]), np.array([y]))
        return float(right[0]), float(up[0])

    def inverse(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which points of the subject at rest are here now."""
        x, y = self._turned(x - self.right, y - self.up, -1)
        if self.bend.amount:
            x = x - self.bend.at(y) * y * y
        return x * (self.stretch / self.zoom), y / (self.zoom * self.stretch)

    def _turned(self, x: np.ndarray, y: np.ndarray, way: int) -> tuple[np.ndarray, np.ndarray]:
        if not self.turn.amount:
            return x, y
        angle = way * self.turn.at(np.hypot(x, y) if self.turn.lag else x)
        cos, sin = np.cos(angle), np.sin(angle)
        return x * cos - y * sin, x * sin + y * cos
