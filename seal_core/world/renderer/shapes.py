"""Shapes as closed curves of complex numbers (x + iy, y down), and the pen that collects and paints them (ours)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .drawing_colours import RGB

Curve = NDArray[np.complexfloating]


@functools.lru_cache(maxsize=8)
def _circle(n: int) -> Curve:
    return np.exp(2j * np.pi * np.arange(n) / n)


def ellipse(centre: complex, rx: float, ry: float, turn: float = 0.0, n: int = 32) -> Curve:
    """turn in radians, clockwise on screen."""
    circle = _circle(n)
    return centre + (rx * circle.real + 1j * ry * circle.imag) * np.exp(1j * turn)


def arc(centre: complex, rx: float, ry: float, start: float, end: float, n: int = 10) -> Curve:
    """An open curve; angles in radians, 0 = right, pi / 2 = down."""
    t = np.linspace(start, end, n)
    return centre + rx * np.cos(t) + 1j * ry * np.sin(t)


def smooth(points: Sequence[complex], rounds: int = 3) -> Curve:
    """A closed polygon, smoothed by cutting its corners repeatedly (Chaikin's algorithm)."""
    z = np.asarray(points, dtype=complex)
    for _ in range(rounds):
        after = np.roll(z, -1)
        z = np.stack([0.75 * z + 0.25 * after, 0.25 * z + 0.75 * after], axis=1, dtype=complex).ravel()
    return z


def stroke(path: Sequence[complex] | Curve, start: float, end: float | None = None) -> Curve:
    """An open path as a closed curve with round ends; widths at its start and end."""
    z = np.asarray(path, dtype=complex)
    half = np.linspace(start, start if end is None else end, len(z)) / 2
    along = np.gradient(z)
    along /= np.maximum(np.abs(along), 1e-9)
    side = along * 1j
    turn = np.exp(-1j * np.linspace(0, np.pi, 7))[1:-1]
    last = z[-1] + half[-1] * side[-1] * turn
    first = z[0] - half[0] * side[0] * turn
    return np.concatenate([z + half * side, last, (z - half * side)[::-1], first])


def bend(a: complex, through: complex, b: complex, n: int = 9) -> Curve:
    """A quadratic Bezier curve from a to b."""
    t = np.linspace(0, 1, n)
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * through + t**2 * b


def heart(centre: complex, size: float, turn: float = 0.0) -> Curve:
    t = np.linspace(0, 2 * np.pi, 25)[:-1]
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return centre + size / 17 * (x + 1j * y) * np.exp(1j * turn)


def drop(centre: complex, size: float) -> Curve:
    """A tear, its tip upwards."""
    return smooth(
        [centre - 1.3j * size, centre + (0.8 + 0.5j) * size, centre + 1.2j * size, centre + (-0.8 + 0.5j) * size], 2
    )


def grown(curve: Curve, by: float) -> Curve:
    """A closed curve moved outwards along its normals; exact for smooth curves and small distances."""
    along = np.roll(curve, -1) - np.roll(curve, 1)
    normal = along / np.maximum(np.abs(along), 1e-9) * 1j
    area = float(np.sum(curve.real * np.roll(curve.imag, -1) - np.roll(curve.real, -1) * curve.imag))
    return curve - np.sign(area) * by * normal


@dataclass(frozen=True)
class Place:
    """A similarity transform: z -> origin + scale * z, with a complex scale (a turn and a size)."""

    origin: complex = 0j
    scale: complex = 1 + 0j

    def __call__(self, curve: Curve) -> Curve:
        return self.origin + self.scale * curve

    def inside(self, inner: Place) -> Place:
        """First `inner`, then this one."""
        return Place(self.origin + self.scale * inner.origin, self.scale * inner.scale)


@dataclass(frozen=True)
class _Mark:
    curve: Curve
    fill: RGB
    ink: float
    solid: bool


class Pen:
    """Collects filled curves in drawing order; `paint` puts them on a picture, `cover` on a mask."""

    def __init__(self, place: Place, ink: float) -> None:
        """ink: width of outlines in pixels of the target; 0 = none."""
        self.place, self.ink = place, ink
        self.marks: list[_Mark] = []

    def at(self, inner: Place) -> Pen:
        """The same drawing in another coordinate system."""
        other = Pen(self.place.inside(inner), self.ink)
        other.marks = self.marks
        return other

    def fill(self, curve: Curve, colour: RGB, ink: bool = False, solid: bool = True) -> None:
        """ink: with an outline. solid: part of the silhouette; details inside a part need not be."""
        self.marks.append(_Mark(self.place(curve), colour, self.ink if ink else 0.0, solid))

    def line(self, path: Sequence[complex] | Curve, width: float, colour: RGB, solid: bool = False) -> None:
        self.fill(stroke(path, width), colour, solid=solid)

    def paint(self, image: Image.Image, ink: RGB) -> None:
        draw = ImageDraw.Draw(image)
        for mark in self.marks:
            if mark.ink:
                draw.polygon(_flat(grown(mark.curve, mark.ink)), fill=ink)
            draw.polygon(_flat(mark.curve), fill=mark.fill)

    def cover(self, size: int, margin: float) -> Image.Image:
        """The silhouette, grown by `margin` pixels, as an "L" image of 0 and 255."""
        mask = Image.new("L", (size, size))
        draw = ImageDraw.Draw(mask)
        for mark in self.marks:
            if mark.solid:
                draw.polygon(_flat(grown(mark.curve, margin + mark.ink)), fill=255)
        return mask


def _flat(curve: Curve) -> list[float]:
    return curve.view(np.float64).tolist()
