"""Pictures of a training: the loss curve, the attention before and after, the live preview (ours).

Node outputs are (H, W, 3) float32 tensors in [0, 1]. Drawn with Pillow alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from .attention_overlay import heat_colours, overlaid
from .look import (
    CARD,
    CURVE,
    GRID,
    INK,
    MARK,
    MUTED,
    PAPER,
    RGB,
    array_of,
    fitted,
    picture_of,
    rounded,
    tensor_of,
    typeface,
)
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
    restored: Mapping[str, Mapping[str, float]] | None = None,
) -> Tensor:
    """The attention before and after training side by side, and below what was learned of the subject and its ground.

    image (H, W, 3), maps (h, w), mask (H, W). restored: see `probe.gains`; None leaves its bars out. Both maps are
    shown as shares of their sum on one colour scale, so that they compare. The picture's longer side is brought to 384
    to 768 pixels.
    """
    maps = [_density(before), _density(after)]
    peak = max(float(m.max()) for m in maps) or 1.0
    side = min(max(max(image.shape[:2]), 384), 768)
    panels = [overlaid(image, torch.from_numpy(m), mask, peak, side) for m in maps]
    width, height = panels[0].size
    gap, text = side // 24, max(15, side // 24)
    wide = max(width, text * 15)
    bars = round(text * 2.6) if restored else 0
    canvas = Image.new("RGB", (2 * wide + 3 * gap, height + 3 * gap + round(text * 2.6) + bars), PAPER)
    draw, lines = ImageDraw.Draw(canvas), gap * 2 + height
    for i, (panel, name) in enumerate(zip(panels, ("before", "after"))):
        left = gap + i * (wide + gap)
        canvas.paste(panel, (left + (wide - width) // 2, gap), rounded(panel.size, side // 40))
        words = f"attention {name} the training"
        draw.text((left + wide / 2, lines + text * 0.5), words, fill=MUTED, font=typeface(text), anchor="mm")
    for i, (key, (words, colour)) in enumerate(_SIDES.items() if restored else ()):
        gain = restored[key]["gain"] if restored else 0.0
        _gain_bar(canvas, (gap + i * (wide + gap), lines + round(text * 1.5)), wide, text, words, gain, colour)
    _scale(canvas, (gap, canvas.height - gap // 2 - text), canvas.width - 2 * gap, text)
    return tensor_of(canvas)


_SIDES = {"subject": ("subject, elsewhere", CURVE), "ground": ("its old ground (leak)", MARK)}
"""What is restored -> words and colour of its bar."""
_FULL_BAR = 0.5
"""The gain that fills a bar."""


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if math.isfinite(share) else "?"


def _gain_bar(
    canvas: Image.Image, at: tuple[int, int], width: int, text: int, words: str, gain: float, colour: RGB
) -> None:
    """ "subject, elsewhere: 12 % better" over a bar that grows to the right of its middle, or to the left for worse."""
    draw, middle = ImageDraw.Draw(canvas), at[1] + text * 0.6
    draw.text((at[0], middle), f"{words}: ", fill=MUTED, font=typeface(text), anchor="lm")
    indent = typeface(text).getlength(f"{words}: ")
    told = f"{_percent(abs(gain))} {'worse' if gain < 0 else 'better'}"
    draw.text((at[0] + indent, middle), told, fill=INK, font=typeface(text), anchor="lm")
    thick, half = max(4, text // 3), width // 2
    top = at[1] + round(text * 1.5)
    canvas.paste(GRID, (at[0], top), rounded((2 * half, thick), thick // 2))
    length = round(half * min(abs(gain) / _FULL_BAR, 1.0)) if math.isfinite(gain) else 0
    start = at[0] + half - (length if gain < 0 else 0)
    if length:
        draw.rectangle([start, top, start + length - 1, top + thick - 1], fill=colour)
    draw.line([(at[0] + half, top - 2), (at[0] + half, top + thick + 1)], fill=MUTED)


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
    shown = [
        (overlaid(image, attention, mask, side=tile), "attention"),
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
