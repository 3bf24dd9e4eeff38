"""Hearts, drops of sweat and sparkles, drawn by us as signed distances, so that they are crisp at any size (ours).

A shape lies in a square from -1 to 1, y upwards. It is drawn as stickers are: white line (if the sticker has one), dark
line, colour, highlight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

_REACH, _CELLS, _CORNERS = 1.6, 192, 128
"""The square that is tabulated reaches from -_REACH to _REACH; its cells; the corners of a polygon."""
_LINE, _WIDEST = 0.1, 0.35
"""Width of the dark line, and most of the white one, as shares of the radius."""


@dataclass(frozen=True)
class Drawing:
    """outline, shine: names of polygons, of the shape and of its highlight. Colours are RGB, 0 to 1."""

    outline: str
    shine: str
    fill: tuple[float, float, float]
    line: tuple[float, float, float]
    shine_opacity: float


DRAWINGS = {
    "hearts": Drawing("heart", "heart shine", (0.97, 0.27, 0.4), (0.6, 0.06, 0.2), 0.85),
    "sweat": Drawing("drop", "drop shine", (0.5, 0.82, 0.99), (0.1, 0.4, 0.72), 0.9),
    "sparkle": Drawing("star", "star shine", (1.0, 0.83, 0.22), (0.78, 0.46, 0.04), 0.9),
}


@dataclass(frozen=True)
class Mark:
    """One shape: which drawing; centre and radius in the unit of whoever uses it; radians, anticlockwise."""

    kind: str
    x: float
    y: float
    radius: float
    angle: float = 0.0


def draw_mark(onto: np.ndarray, mark: Mark, rim: float) -> None:
    """Draw over premultiplied RGBA (H, W, 4), in place. The mark is in pixels, y downwards. rim: pixels of white
    line.
    """
    rim = min(rim, _WIDEST * mark.radius)
    drawing = DRAWINGS[mark.kind]
    reach = mark.radius * 1.2 + rim + 2
    rows = slice(max(0, int(mark.y - reach)), max(0, min(onto.shape[0], int(mark.y + reach) + 1)))
    columns = slice(max(0, int(mark.x - reach)), max(0, min(onto.shape[1], int(mark.x + reach) + 1)))
    if mark.radius < 0.5 or rows.start >= rows.stop or columns.start >= columns.stop:
        return
    y, x = np.mgrid[rows, columns].astype(np.float32) + 0.5
    x, y = (x - mark.x) / mark.radius, (mark.y - y) / mark.radius
    cos, sin = np.cos(mark.angle), np.sin(mark.angle)
    x, y = x * cos + y * sin, y * cos - x * sin
    away, shine = (_sampled(name, x, y) * mark.radius for name in (drawing.outline, drawing.shine))
    line = max(1.0, _LINE * mark.radius)
    white = (1.0, 1.0, 1.0)
    layers = [(away, drawing.line, 1.0), (away + line, drawing.fill, 1.0), (shine, white, drawing.shine_opacity)]
    if rim:
        layers.insert(0, (away - rim, white, 1.0))
    part = onto[rows, columns]
    for distance, colour, opacity in layers:
        alpha = ((0.5 - distance).clip(0, 1) * opacity)[..., None]
        part *= 1 - alpha
        part += alpha * np.array([*colour, 1.0], np.float32)


def _sampled(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    scale = _CELLS / (2 * _REACH)
    at = np.stack([(y + _REACH) * scale - 0.5, (x + _REACH) * scale - 0.5])
    return ndimage.map_coordinates(_distances(name), at, order=1, mode="nearest")


@lru_cache(maxsize=8)
def _distances(name: str) -> np.ndarray:
    """Distance from each cell's centre to a polygon's outline, negative inside: (_CELLS, _CELLS) float32."""
    corners = _POLYGONS[name](np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False))
    middle = ((np.arange(_CELLS) + 0.5) / _CELLS * 2 - 1) * _REACH
    x, y = np.meshgrid(middle, middle)
    best, inside = np.full(x.shape, np.inf), np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0)):
        ex, ey = bx - ax, by - ay
        along = (((x - ax) * ex + (y - ay) * ey) / max(ex * ex + ey * ey, 1e-12)).clip(0, 1)
        best = np.minimum(best, np.hypot(x - ax - along * ex, y - ay - along * ey))
        crosses = (ay > y) != (by > y)
        inside ^= crosses & (x < ax + (y - ay) / np.where(crosses, by - ay, 1) * ex)
    return np.where(inside, -best, best).astype(np.float32)


def _heart(t: np.ndarray) -> np.ndarray:
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x / 17, (y + 2.5) / 16], 1)


def _drop(t: np.ndarray) -> np.ndarray:
    """Round below, pointed above."""
    return np.stack([0.92 * np.sin(t) * np.sin(t / 2) ** 1.5, np.cos(t)], 1)


def _star(t: np.ndarray, radius: float = 1.0) -> np.ndarray:
    """Four points and hollow sides (an astroid, a little fuller)."""
    power = 2 / 0.68
    cos, sin = np.cos(t), np.sin(t)
    return radius * np.stack([np.sign(cos) * np.abs(cos) ** power * 0.86, np.sign(sin) * np.abs(sin) ** power], 1)


def _ellipse(t: np.ndarray, x: float, y: float, long: float, short: float, tilt: float) -> np.ndarray:
    a, b = long * np.cos(t), short * np.sin(t)
    return np.stack([x + a * np.cos(tilt) - b * np.sin(tilt), y + a * np.sin(tilt) + b * np.cos(tilt)], 1)


_POLYGONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "heart": _heart,
    "heart shine": lambda t: _ellipse(t, -0.44, 0.42, 0.2, 0.11, 0.7),
    "drop": _drop,
    "drop shine": lambda t: _ellipse(t, -0.3, -0.38, 0.24, 0.1, 1.9),
    "star": _star,
    "star shine": lambda t: _star(t, 0.5),
}
