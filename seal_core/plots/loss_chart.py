"""The loss curve as a chart. Drawn with Pillow alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from .look import CARD, CURVE, FINE, GRID, INK, MARK, MUTED, typeface

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class _Curve:
    """What is drawn of the losses. steps: of the finite ones, from 1. values, smooth: theirs, logarithms where log."""

    steps: np.ndarray
    values: np.ndarray
    smooth: np.ndarray
    log: bool
    count: int  # steps so far, the others included

    def text(self, value: float) -> str:
        """A value on the axis as a loss."""
        return f"{10**value if self.log else value:.3g}"


@dataclass(frozen=True)
class _Axes:
    """The chart's box in pixels (left, top, right, bottom), and the steps and values at its edges."""

    box: tuple[int, int, int, int]
    first: float
    last: int
    low: float
    high: float

    @property
    def width(self) -> int:
        return self.box[2] - self.box[0]

    def x(self, step: Any) -> Any:
        """Pixels from the box's left edge."""
        return (step - self.first) / (max(self.last, self.first + 1) - self.first) * self.width

    def y(self, value: Any) -> Any:
        """Pixels from the box's upper edge."""
        return (1 - (value - self.low) / (self.high - self.low)) * (self.box[3] - self.box[1])


def draw_loss_chart(
    losses: Sequence[float], merges: Sequence[int], size: tuple[int, int], title: str, steps: int = 0
) -> Image.Image:
    """The chart of `training_figures.loss_plot` as a picture; `steps`, where known, is the end of the axis."""
    text = max(10, round(min(size[0] / 46, size[1] / 24)))
    curve = _curve(losses)
    low, high = _range(curve.values, curve.smooth, curve.log)
    ticks = (_log_ticks(low, high) if curve.log else _ticks(low, high, 5)) if curve.count else []
    labels = [curve.text(tick) for tick in ticks]
    left = round(max((typeface(text).getlength(label) for label in labels), default=0)) + 2 * text
    last = max(curve.count, steps, 1)
    box = (left, round(text * 3.4), size[0] - round(text * 1.6), size[1] - round(text * 2.6))
    axes = _Axes(box, 1 if last > 1 else 0.5, last, low, high)  # a single step stands in the middle
    picture = Image.new("RGB", size, CARD)
    draw = ImageDraw.Draw(picture)
    for tick, label in zip(ticks, labels):
        y = box[1] + axes.y(tick)
        draw.line([(box[0], y), (box[2], y)], fill=GRID)
        draw.text((box[0] - text * 0.7, y), label, fill=MUTED, font=typeface(text), anchor="rm")
    _draw_step_numbers(draw, axes, curve, text)
    marks = [m for m in merges if 1 <= m <= last]
    x, marked = axes.x(curve.steps), [float(axes.x(m)) for m in marks]
    _curves(picture, box, x, axes.y(curve.values), axes.y(curve.smooth), marked)
    _draw_merges(draw, axes, marks, text)
    _draw_title(draw, axes, curve, title or "Loss", steps, text)
    return picture


def course(losses: Sequence[float], most: int = 120) -> list[list[float]]:
    """The smoothed loss for a small chart: at most so many points [step, value], logarithms where the chart has."""
    curve = _curve(losses)
    keep = np.unique(np.linspace(0, len(curve.steps) - 1, min(most, len(curve.steps))).round().astype(int))
    return [[int(curve.steps[i]), round(float(curve.smooth[i]), 5)] for i in keep]


def _curve(losses: Sequence[float]) -> _Curve:
    values = np.asarray(losses, np.float64).reshape(-1)
    at, count = np.flatnonzero(np.isfinite(values)), len(values)
    values = values[at]
    log = len(values) > 1 and values.min() > 0 and bool(np.divide(*np.percentile(values, [98, 2])) > 20)
    shown = np.log10(values) if log else values
    return _Curve(at + 1.0, shown, _smoothed(shown), log, count)


def _draw_step_numbers(draw: ImageDraw.ImageDraw, axes: _Axes, curve: _Curve, text: int) -> None:
    most = max(2, axes.width // (text * 7))
    for tick in _ticks(axes.first, axes.last, most) if axes.last > 1 else [1.0] * curve.count:
        if tick == round(tick):
            where = (axes.box[0] + axes.x(tick), axes.box[3] + text * 0.7)
            draw.text(where, f"{tick:.0f}", fill=MUTED, font=typeface(text), anchor="mt")


def _draw_merges(draw: ImageDraw.ImageDraw, axes: _Axes, marks: Sequence[int], text: int) -> None:
    """Label the steps at which tokens merged, on the side that has room."""
    for mark in marks:
        right = axes.x(mark) > axes.width * 0.8
        where = (axes.box[0] + axes.x(mark) + (-text if right else text) * 0.5, axes.box[1] + text * 0.2)
        draw.text(where, f"merge, step {mark}", fill=MARK, font=typeface(text), anchor="rt" if right else "lt")


def _draw_title(draw: ImageDraw.ImageDraw, axes: _Axes, curve: _Curve, title: str, steps: int, text: int) -> None:
    """The title on the left; steps done and the smoothed loss on the right."""
    large, small = typeface(text + 3), typeface(text)
    draw.text((text, text * 1.7), title, fill=INK, font=large, anchor="lm")
    if curve.log:
        draw.text((text * 1.6 + large.getlength(title), text * 1.75), "log scale", fill=MUTED, font=small, anchor="lm")
    now = f"  {curve.text(curve.smooth[-1])}" if len(curve.smooth) else ""
    done = f"step {curve.count} of {steps}" if steps > curve.count else f"{curve.count} steps"
    if curve.count < 2 and not steps > curve.count > 0:
        done = "1 step" if curve.count else "no steps yet"
    draw.text((axes.box[2], text * 1.7), now, fill=CURVE, font=large, anchor="rm")
    draw.text((axes.box[2] - large.getlength(now), text * 1.75), done, fill=MUTED, font=small, anchor="rm")


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Three moving averages over a fifteenth of the steps: nearly a Gaussian, at a cost that does not grow with it."""
    width = max(3, len(values) // 15 | 1)
    for _ in range(3 if len(values) else 0):
        values = ndimage.uniform_filter1d(values, width, mode="nearest")
    return values


def _range(shown: np.ndarray, smooth: np.ndarray, log: bool) -> tuple[float, float]:
    """The range of the axis: nearly all steps (single peaks may leave the chart) and all smoothed values."""
    if not len(shown):
        return 0.0, 1.0
    low, high = np.percentile(shown, [1, 99])
    low, high = float(min(low, smooth.min())), float(max(high, smooth.max()))
    flat = high - low <= 1e-9 * max(abs(low), abs(high))
    room = (abs(low) * 0.5 or 0.5) if flat else (high - low) * 0.08
    grounded = not log and not flat and 0 <= low < 0.5 * high
    return 0.0 if grounded else low - room, high + room


def _ticks(low: float, high: float, about: int) -> list[float]:
    """About `about` round numbers between low and high."""
    rough = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= rough * 0.999)
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    wanted = (1, 2, 5) if high - low < 2.2 else (1,)
    all_ticks = [e + math.log10(f) for e in range(math.floor(low), math.ceil(high) + 1) for f in wanted]
    return [t for t in all_ticks if low <= t <= high][:: max(1, math.ceil((high - low) / 8))]


def _curves(
    picture: Image.Image,
    box: tuple[int, int, int, int],
    x: np.ndarray,
    raw: np.ndarray,
    smooth: np.ndarray,
    marks: Sequence[float],
) -> None:
    """Draw marks, steps and the smoothed curve into the box, cut off at its edges."""
    width, height = box[2] - box[0], box[3] - box[1]
    large = (width * FINE, height * FINE)
    ground = picture.crop(box).resize(large, Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(ground)
    for mark in marks:
        for top in range(0, large[1], 8 * FINE):
            draw.line([(mark * FINE, top), (mark * FINE, top + 4 * FINE)], fill=MARK, width=FINE + 1)
    if len(x):
        x, raw, smooth = x * FINE, raw * FINE, smooth * FINE
        thin, course = _thinned(x, smooth, large[0])
        fade = np.linspace(90, 0, large[1])[:, None].repeat(large[0], 1).astype(np.uint8)
        area = Image.new("L", large)
        if len(x) > 1:
            outline = [*zip(thin, course), (thin[-1], large[1]), (thin[0], large[1])]
            ImageDraw.Draw(area).polygon(outline, fill=255)
        area = Image.fromarray(np.minimum(fade, np.asarray(area)))
        ground.paste(CURVE, (0, 0), area)
        faint = Image.new("L", large)
        _line(ImageDraw.Draw(faint), *_thinned(x, raw, large[0]), 90, FINE)
        ground.paste(CURVE, (0, 0), faint)
        draw = ImageDraw.Draw(ground)
        _line(draw, thin, course, CURVE, 2 * FINE + 1)
        for radius, colour in ((5 * FINE, CARD), (round(3.5 * FINE), CURVE)):
            px = min(x[-1], large[0] - radius)
            draw.ellipse([px - radius, smooth[-1] - radius, px + radius, smooth[-1] + radius], fill=colour)
    picture.paste(ground.resize((width, height), Image.Resampling.LANCZOS), box[:2])


def _line(draw: ImageDraw.ImageDraw, x: np.ndarray, y: np.ndarray, fill: Colour | int, width: int) -> None:
    if len(x) > 1:
        draw.line(list(zip(x, y)), fill=fill, width=width, joint="curve")


def _thinned(x: np.ndarray, y: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """At most two points a column, its lowest and its highest, so that 100,000 steps draw quickly."""
    if len(x) <= 2 * columns:
        return x, y
    length = -(-len(x) // columns)
    starts = np.arange(0, len(x), length)
    keep = np.stack([np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)], 1).reshape(-1)
    return x[starts].repeat(2), keep
