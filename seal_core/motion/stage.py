"""A cast in its stances as frames: everything in the canvas, premultiplied while it is resampled, no halos (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, grid_sample

from .motion_laws import Pivot
from .overlay_laws import Body, overlay_marks
from .overlay_shapes import Mark, draw_mark
from .stances import Stance
from .subjects import Actor, Cast, resized

_MARGIN = 4.0
"""Pixels of the canvas that stay free on each side: as far as bicubic sampling reaches."""
_FAINT = 1 / 512
"""Opacity below which a pixel shows nothing."""
_BLEED = 7
"""Side of the square of neighbours that give a hidden pixel its colour, so that scaling a frame makes no fringe."""
_SHADOW_WIDER, _SHADOW_LEAST, _SHADOW_FLAT, _SHADOW_HIGH = 1.3, 0.5, 0.13, 0.5
"""A shadow's width as a share of the feet's, and at least of the subject's; its height as a share of that; and how high
up, in sizes, a subject is when its shadow is smallest."""
_THINNEST = 1e-3


@dataclass(frozen=True)
class Staging:
    """shadow: opacity of the contact shadow. overlay: one of `overlay_laws.OVERLAYS`; rounds: how often it comes round
    in one loop."""

    pivot: Pivot
    shadow: float
    overlay: str
    rounds: int = 1


@dataclass(frozen=True)
class _Ellipse:
    """A shadow: centre and half its sides, in the unit of whoever uses it, and its opacity."""

    x: float
    y: float
    half: float
    flat: float
    opacity: float


class MotionStage:
    """Where the motion happens. All is scaled by one factor and moved by one shift, so that nothing leaves the canvas
    in any of the stances; a subject that has room stays where it is."""

    def __init__(self, cast: Cast, stances: Sequence[Stance], staging: Staging) -> None:
        self.cast, self.stances, self.staging = cast, stances, staging
        self.pivots = [(subject.middle, _pivot_height(subject, staging.pivot)) for subject in cast.subjects]
        self.body = self._body()
        self.scale, self.right, self.down = self._camera()
        self.colours = [self._scaled(subject) for subject in cast.subjects]

    def frame(self, number: int) -> np.ndarray:
        """Frame (H, W, 4) float32 in [0, 1], straight alpha."""
        stance = self.stances[number]
        wide, high = self.cast.canvas
        canvas = np.zeros((high, wide, 4), np.float32)
        if shadow := self._shadow(stance):
            _draw_shadow(canvas, self._ellipse_on_canvas(shadow))
        self._draw_subject(canvas, stance)
        for mark in self._marks(number):
            draw_mark(canvas, self._mark_on_canvas(mark), self.cast.rim * self.scale)
        return _straight(canvas)

    # -- coordinates: local <-> picture <-> canvas

    @property
    def _origin(self) -> tuple[float, float]:
        """The pivot at rest in the picture; of several key poses, the middle one."""
        x, y = np.mean(self.pivots, axis=0)
        return float(x), float(y)

    def _on_canvas(self, x: np.ndarray | float, y: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        size, (left, top) = self.cast.size, self._origin
        at = np.asarray(left + np.asarray(x) * size), np.asarray(top - np.asarray(y) * size)
        return at[0] * self.scale + self.right, at[1] * self.scale + self.down

    def _mark_on_canvas(self, mark: Mark) -> Mark:
        x, y = self._on_canvas(mark.x, mark.y)
        return replace(mark, x=float(x), y=float(y), radius=mark.radius * self.cast.size * self.scale)

    def _ellipse_on_canvas(self, shadow: _Ellipse) -> _Ellipse:
        x, y = self._on_canvas(shadow.x, shadow.y)
        unit = self.cast.size * self.scale
        return _Ellipse(float(x), float(y), shadow.half * unit, shadow.flat * unit, shadow.opacity)

    def _body(self) -> Body:
        size, (left, _) = self.cast.size, self._origin
        boxes = np.array([subject.box for subject in self.cast.subjects])
        shifts = np.array([left - x for x, _ in self.pivots])
        first, last = float((boxes[:, 0] + shifts).mean()), float((boxes[:, 2] + shifts).mean())
        foot = float(np.mean([y - subject.bottom for (_, y), subject in zip(self.pivots, self.cast.subjects)])) / size
        return Body(((first + last) / 2 - left) / size, (last - first) / 2 / size, foot, self.cast.high)

    def _camera(self) -> tuple[float, float, float]:
        """Scale, and shift right and down in pixels."""
        self.scale, self.right, self.down = 1.0, 0.0, 0.0
        low, top = np.min([self._extent(i)[0] for i in range(len(self.stances))], axis=0)
        right, bottom = np.max([self._extent(i)[1] for i in range(len(self.stances))], axis=0)
        shifts, scale = [], 1.0
        free = [max(1.0, side - 2 * _MARGIN) for side in self.cast.canvas]
        scale = min(1.0, free[0] / (right - low), free[1] / (bottom - top))
        for first, last, side in ((low, right, self.cast.canvas[0]), (top, bottom, self.cast.canvas[1])):
            shift = (1 - scale) * side / 2  # scaled about the middle, then moved as little as it takes
            shift = max(shift, _MARGIN - first * scale)
            shifts.append(min(shift, side - _MARGIN - last * scale))
        return scale, shifts[0], shifts[1]

    def _extent(self, number: int) -> tuple[tuple[float, float], tuple[float, float]]:
        """Left, top and right, bottom of a frame."""
        stance = self.stances[number]
        subject, (x, y) = self.cast.subjects[stance.picture], self.pivots[stance.picture]
        hull = subject.hull
        xs, ys = self._on_canvas(*stance.forward((hull[0] - x) / self.cast.size, (y - hull[1]) / self.cast.size))
        low, high = [(float(xs.min()), float(ys.min()))], [(float(xs.max()), float(ys.max()))]
        reach = self.cast.rim * self.scale + 1
        for mark in map(self._mark_on_canvas, self._marks(number)):
            far = mark.radius * 1.05 + reach if mark.radius else 0.0
            low.append((mark.x - far, mark.y - far))
            high.append((mark.x + far, mark.y + far))
        if shadow := self._shadow(stance):
            cast = self._ellipse_on_canvas(shadow)
            low.append((cast.x - cast.half, cast.y - cast.flat))
            high.append((cast.x + cast.half, cast.y + cast.flat))
        return tuple(np.min(low, axis=0)), tuple(np.max(high, axis=0))

    # -- drawing

    def _marks(self, number: int) -> list[Mark]:
        phase = self.staging.rounds * number / len(self.stances)
        return overlay_marks(self.staging.overlay, phase, self.stances[number], self.body)

    def _shadow(self, stance: Stance) -> _Ellipse | None:
        """The contact shadow: narrower and fainter the higher the subject is."""
        if not self.staging.shadow:
            return None
        lifted = min(max(stance.up, 0.0) / _SHADOW_HIGH, 1.0)
        subject = self.cast.subjects[stance.picture]
        left, right = ((x - self.pivots[stance.picture][0]) / self.cast.size for x in subject.stands)
        half = max((right - left) / 2 * _SHADOW_WIDER, self.body.half * _SHADOW_LEAST)
        half = half / stance.stretch * (1 - 0.35 * lifted)
        middle = (left + right) / 2 / stance.stretch + stance.right
        opacity = self.staging.shadow * (1 - 0.6 * lifted)
        return _Ellipse(middle, self.body.foot, half, half * _SHADOW_FLAT, opacity)

    def _scaled(self, subject: Actor) -> np.ndarray:
        high, wide = subject.colours.shape[:2]
        return _bounded(resized(subject.colours, max(1, round(high * self.scale)), max(1, round(wide * self.scale))))

    def _draw_subject(self, canvas: np.ndarray, stance: Stance) -> None:
        """Draw over the canvas: each pixel takes its colour from where the inverse map says, bicubically."""
        subject, (pivot_x, pivot_y) = self.cast.subjects[stance.picture], self.pivots[stance.picture]
        size, (left, top), colours = self.cast.size, self._origin, self.colours[stance.picture]
        hull = subject.hull
        xs, ys = self._on_canvas(*stance.forward((hull[0] - pivot_x) / size, (pivot_y - hull[1]) / size))
        rows = slice(max(0, int(ys.min()) - 2), min(canvas.shape[0], int(ys.max()) + 3))
        columns = slice(max(0, int(xs.min()) - 2), min(canvas.shape[1], int(xs.max()) + 3))
        y, x = np.mgrid[rows, columns].astype(np.float32) + 0.5
        x, y = (x - self.right) / self.scale, (y - self.down) / self.scale
        x, y = stance.inverse((x - left) / size, (top - y) / size)
        high, wide = subject.colours.shape[:2]
        x, y = (x * size + pivot_x - subject.left) / wide, (pivot_y - y * size - subject.top) / high
        grid = torch.from_numpy(np.stack([2 * x - 1, 2 * y - 1], -1).astype(np.float32))[None]
        source = torch.from_numpy(np.ascontiguousarray(colours.transpose(2, 0, 1)))[None]
        found = grid_sample(source, grid, mode="bicubic", padding_mode="zeros", align_corners=False)[0]
        drawn = _bounded(found.permute(1, 2, 0).numpy())
        canvas[rows, columns] = drawn + canvas[rows, columns] * (1 - drawn[..., 3:])


def _pivot_height(subject: Actor, pivot: Pivot) -> float:
    _, top, _, bottom = subject.box
    return {"feet": subject.bottom, "centre": (top + bottom) / 2, "top": top}[pivot]


def _bounded(found: np.ndarray) -> np.ndarray:
    """Premultiplied RGBA with the overshoot of bicubic sampling taken off: an even colour stays that colour."""
    alpha = found[..., 3:]
    colour = (found[..., :3] / np.maximum(alpha, _THINNEST)).clip(0, 1)
    alpha = np.where(alpha < _FAINT, 0, alpha.clip(0, 1))
    return np.concatenate([colour * alpha, alpha], -1)


def _draw_shadow(canvas: np.ndarray, shadow: _Ellipse) -> None:
    """A soft black ellipse on an empty canvas: solid within a third of its radius."""
    rows = slice(max(0, int(shadow.y - shadow.flat)), max(0, min(canvas.shape[0], int(shadow.y + shadow.flat) + 2)))
    columns = slice(max(0, int(shadow.x - shadow.half)), max(0, min(canvas.shape[1], int(shadow.x + shadow.half) + 2)))
    y, x = np.mgrid[rows, columns].astype(np.float32) + 0.5
    away = np.hypot((x - shadow.x) / max(shadow.half, 1), (y - shadow.y) / max(shadow.flat, 1))
    soft = ((1 - away) / 0.66).clip(0, 1)
    canvas[rows, columns, 3] = shadow.opacity * soft * soft * (3 - 2 * soft)


def _straight(canvas: np.ndarray) -> np.ndarray:
    """Straight alpha. Hidden pixels take the colour of what is near, and are white elsewhere."""
    alpha = canvas[..., 3:]
    planes = torch.from_numpy(np.ascontiguousarray(canvas.transpose(2, 0, 1)))[None]
    across = avg_pool2d(planes, (1, _BLEED), 1, (0, _BLEED // 2))
    around = avg_pool2d(across, (_BLEED, 1), 1, (_BLEED // 2, 0))[0].permute(1, 2, 0).numpy()
    near = np.where(around[..., 3:] > 0, around[..., :3] / np.maximum(around[..., 3:], 1e-9), 1)
    shown = alpha >= _FAINT
    colour = np.where(shown, canvas[..., :3] / np.maximum(alpha, 1e-9), near).clip(0, 1)
    return np.concatenate([colour, np.where(shown, alpha, 0)], -1).astype(np.float32)
