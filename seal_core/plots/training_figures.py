"""Pictures of a training: the loss curve, the attention before and after, the live preview (ours).

Node outputs are (H, W, 3) float32 tensors in [0, 1]. Drawn with Pillow alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from .attention_overlay import heat_colours, overlaid
from .look import CARD, CURVE, GRID, INK, MUTED, PAPER, array_of, fitted, picture_of, rounded, tensor_of, typeface
from .loss_chart import draw_loss_chart


def loss_plot(
    losses: Sequence[float], merges: Sequence[int] = (), size: tuple[int, int] = (640, 360), title: str = ""
) -> Tensor:
    """The loss along the steps as a chart, (height, width, 3): each step faint, the smoothed course strong.

    losses: one a step; values that are not finite are left out. merges: the steps (counted from 1)
    after which split tokens merged. size: (width, height) in pixels, 160 x 120 and up. The axis is logarithmic where
    the middle 96 % of the values span more than a factor of 20.
    """
    return tensor_of(draw_loss_chart(losses, merges, size, title))


def _density(attention: Tensor) -> np.ndarray:
    """A map as shares of its sum, in units of an even spread (1 everywhere = no preference)."""
    values = array_of(attention).clip(0)
    return values / values.mean() if values.sum() > 0 else values


def before_after(
    image: Tensor,
    before: Tensor,
    after: Tensor,
    mask: Tensor,
    leakage_before: float,
    leakage_after: float,
) -> Tensor:
    """The attention before and after training side by side, with what share of it lies outside the subject.

    image (H, W, 3), maps (h, w), mask (H, W), leakages 0..1. Both maps are shown as shares of their sum
    on one colour scale, so that they compare. The picture's longer side is brought to 384 to 768 pixels.
    """
    maps = [_density(before), _density(after)]
    peak = max(float(m.max()) for m in maps) or 1.0
    side = min(max(max(image.shape[:2]), 384), 768)
    panels = [overlaid(image, torch.from_numpy(m), mask, peak, side) for m in maps]
    width, height = panels[0].size
    gap, text = side // 24, max(15, side // 24)
    wide = max(width, text * 12)
    canvas = Image.new("RGB", (2 * wide + 3 * gap, height + 3 * gap + round(text * 3.6)), PAPER)
    for i, (panel, name, leak) in enumerate(zip(panels, ("before", "after"), (leakage_before, leakage_after))):
        left = gap + i * (wide + gap)
        canvas.paste(panel, (left + (wide - width) // 2, gap), rounded(panel.size, side // 40))
        _leak_bar(canvas, (left, gap * 2 + height), wide, text, name, leak)
    _scale(canvas, (gap, canvas.height - gap // 2 - text), canvas.width - 2 * gap, text)
    return tensor_of(canvas)


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if math.isfinite(share) else "?"


def _leak_bar(canvas: Image.Image, at: tuple[int, int], width: int, text: int, name: str, leak: float) -> None:
    """A caption such as "after: 12 % outside" over a bar that is filled as far."""
    draw = ImageDraw.Draw(canvas)
    draw.text((at[0], at[1] + text * 0.6), f"{name}:", fill=MUTED, font=typeface(text), anchor="lm")
    indent = typeface(text).getlength(f"{name}: ")
    words = f"{_percent(leak)} outside"
    draw.text((at[0] + indent, at[1] + text * 0.6), words, fill=INK, font=typeface(text), anchor="lm")
    thick = max(4, text // 3)
    filled = round(width * min(max(leak, 0.0), 1.0)) if math.isfinite(leak) else 0
    where = (at[0], at[1] + round(text * 1.6))
    canvas.paste(GRID, where, rounded((width, thick), thick // 2))
    if filled >= thick:
        canvas.paste(CURVE, where, rounded((filled, thick), thick // 2))


def _scale(canvas: Image.Image, at: tuple[int, int], width: int, text: int) -> None:
    """What the colours mean."""
    draw, font = ImageDraw.Draw(canvas), typeface(max(11, round(text * 0.75)))
    words = ("less attention", "more")
    start = at[0] + font.getlength(words[0]) + text * 0.6
    length = min(width * 0.25, text * 9)
    middle = at[1] + text * 0.5
    draw.text((at[0], middle), words[0], fill=MUTED, font=font, anchor="lm")
    draw.text((start + length + text * 0.6, middle), words[1], fill=MUTED, font=font, anchor="lm")
    draw.text((at[0] + width, middle), "white line: the subject", fill=MUTED, font=font, anchor="rm")
    strip = Image.fromarray((heat_colours()[None].repeat(8, 0) * 255).astype(np.uint8))
    strip = strip.resize((round(length), max(6, text // 2)))
    canvas.paste(strip, (round(start), round(middle - strip.height / 2)), rounded(strip.size, strip.height // 2))


def preview_panel(
    losses: Sequence[float],
    image: Tensor,
    attention: Tensor,
    mask: Tensor,
    sample: Tensor | None = None,
    size: int = 512,
    steps: int = 0,
    merges: Sequence[int] = (),
) -> Image.Image:
    """One square picture (size x size) for the live preview: attention, sample (or reference), loss curve below.

    image, sample: (H, W, 3) in [0, 1]; attention (h, w); mask (H, W). steps: how many there will be (0 = not told).
    """
    gap = max(4, size // 42)
    tile = (size - 3 * gap) // 2
    text = max(10, size // 38)
    canvas = Image.new("RGB", (size, size), PAPER)
    draw = ImageDraw.Draw(canvas)
    heat = _density(attention)
    covered = array_of(mask)
    inside = np.array(Image.fromarray(covered).resize(heat.shape[::-1], Image.Resampling.BOX))
    leak = float((heat * (1 - inside)).sum() / heat.sum()) if heat.sum() > 0 else math.nan
    shown = [
        (overlaid(image, attention, mask, side=tile), f"attention: {_percent(leak)} outside"),
        (picture_of(image), "reference") if sample is None else (picture_of(sample), "sample"),
    ]
    for i, (picture, words) in enumerate(shown):
        picture = fitted(picture, tile)
        left = gap + i * (tile + gap)
        where = (left + (tile - picture.width) // 2, gap + (tile - picture.height) // 2)
        canvas.paste(CARD, (left, gap), rounded((tile, tile), gap))
        canvas.paste(picture, where, rounded(picture.size, gap))
        draw.text((left + tile / 2, gap * 1.5 + tile + text * 0.5), words, fill=MUTED, font=typeface(text), anchor="mm")
    top = round(gap * 2 + tile + text * 1.2)
    chart = draw_loss_chart(losses, merges, (size - 2 * gap, size - gap - top), "Loss", steps)
    canvas.paste(chart, (gap, top), rounded(chart.size, gap))
    return canvas
