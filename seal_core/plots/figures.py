"""Pictures of a training: the loss curve, attention over the sticker, before and after, the live preview (ours).

Node outputs are (H, W, 3) float32 tensors in [0, 1]. Drawn with Pillow alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy import ndimage
from torch import Tensor

from .chart import CARD, CURVE, GRID, INK, MUTED, PAPER, draw_chart, rounded, typeface


@functools.cache
def heat_colours() -> np.ndarray:
    """256 colours (256, 3) in [0, 1] from night violet over red to pale yellow, of evenly rising lightness.

    Lightness is linear and the hue turns steadily in OKLCh (Ottosson's OKLab), so equal differences of
    attention look equally large; chroma is lowered where sRGB does not reach.
    """
    t = np.linspace(0, 1, 256)
    lightness = 0.16 + 0.8 * t
    hue = np.radians(np.interp(t, [0, 0.45, 0.75, 1], [285, 375, 415, 466]))
    chroma = np.interp(t, [0, 0.2, 0.5, 0.8, 1], [0.06, 0.14, 0.21, 0.17, 0.08])
    best = np.zeros((256, 3))
    for share in np.linspace(0, 1, 41):
        rgb = _from_oklab(lightness, share * chroma * np.cos(hue), share * chroma * np.sin(hue))
        inside = ((rgb >= -1e-6) & (rgb <= 1 + 1e-6)).all(1)
        best[inside] = rgb[inside].clip(0, 1)
    return best


def _from_oklab(lightness: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short
    linear = np.stack([red, green, blue], -1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055)


def _array(tensor: Tensor) -> np.ndarray:
    values = tensor.detach().to("cpu", torch.float32).numpy()
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def _tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(picture.convert("RGB"), np.float32) / 255)


def _picture(image: Tensor) -> Image.Image:
    values = _array(image)
    values = np.repeat(values, 3, -1) if values.shape[-1] == 1 else values[..., :3]
    return Image.fromarray((values.clip(0, 1) * 255).round().astype(np.uint8))


def _plane(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """A float map at another size: bicubic, so that a 16 x 16 map becomes soft hills."""
    method = Image.Resampling.BICUBIC if values.shape[0] <= height else Image.Resampling.BOX
    return np.array(Image.fromarray(values.astype(np.float32)).resize((width, height), method))


def loss_plot(
    losses: Sequence[float], merges: Sequence[int] = (), size: tuple[int, int] = (640, 360), title: str = ""
) -> Tensor:
    """The loss along the steps as a chart, (height, width, 3): each step faint, the smoothed course strong.

    losses: one a step; values that are not finite are left out. merges: the steps (counted from 1)
    after which split tokens merged. size: (width, height) in pixels, 160 x 120 and up. The axis is logarithmic where
    the middle 96 % of the values span more than a factor of 20.
    """
    return _tensor(draw_chart(losses, merges, size, title))


def attention_overlay(
    image: Tensor, attention: Tensor, mask: Tensor | None = None, peak: float | None = None
) -> Tensor:
    """The token's attention as heat over the picture, (H, W, 3).

    image: (H, W, 3) in [0, 1]. attention: (h, w), any scale from 0 up. mask: (H, W) or any size, its
    outline is drawn. peak: the attention that gets the brightest colour; None = the map's own highest.
    """
    return _tensor(_overlaid(image, attention, mask, peak))


def _overlaid(
    image: Tensor, attention: Tensor, mask: Tensor | None, peak: float | None = None, side: int = 0
) -> Image.Image:
    """The overlay; side: the longer side it is brought to first (0 = as it is)."""
    base = _picture(image)
    if side:
        base = _fitted(base, side)
    rgb = np.asarray(base, np.float32) / 255
    heat = _array(attention).clip(0)
    peak = peak or float(heat.max()) or 1.0
    heat = _plane(heat, *rgb.shape[:2]).clip(0, peak) / peak
    grey = (rgb @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    colour = heat_colours()[(heat * 255).round().astype(int)]
    # The picture stays readable as light and dark under the heat; cold places are dimmed.
    lit = colour * (0.5 + 0.5 * grey)
    strength = 0.6 + 0.3 * heat[..., None]
    out = (0.7 * grey + 0.3 * rgb) * (1 - strength) + lit * strength
    if mask is not None:
        out = _outlined(out, _array(mask))
    return Image.fromarray((out.clip(0, 1) * 255).round().astype(np.uint8))


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    """The picture with its longer side scaled to `side`."""
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _outlined(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A white line with a dark rim where the mask passes a half."""
    height, width = rgb.shape[:2]
    fine = 2 if max(height, width) <= 1024 else 1
    inside = _plane(mask, height * fine, width * fine) > 0.5
    if inside.all() or not inside.any():
        return rgb
    away = np.where(inside, ndimage.distance_transform_edt(inside), ndimage.distance_transform_edt(~inside)) - 0.5
    away = _plane(away, height, width) / fine
    thick = max(max(height, width) / 300, 1.0)
    for wide, tone, strength in ((thick + 1.2, 0.05, 0.5), (thick / 2 + 0.2, 1.0, 0.95)):
        line = ((wide + 0.5 - away).clip(0, 1) * strength)[..., None]
        rgb = rgb * (1 - line) + tone * line
    return rgb


def _density(attention: Tensor) -> np.ndarray:
    """A map as shares of its sum, in units of an even spread (1 everywhere = no preference)."""
    values = _array(attention).clip(0)
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
    panels = [_overlaid(image, torch.from_numpy(m), mask, peak, side) for m in maps]
    width, height = panels[0].size
    gap, text = side // 24, max(15, side // 24)
    wide = max(width, text * 12)
    canvas = Image.new("RGB", (2 * wide + 3 * gap, height + 3 * gap + round(text * 3.6)), PAPER)
    for i, (panel, name, leak) in enumerate(zip(panels, ("before", "after"), (leakage_before, leakage_after))):
        left = gap + i * (wide + gap)
        canvas.paste(panel, (left + (wide - width) // 2, gap), rounded(panel.size, side // 40))
        _leak_bar(canvas, (left, gap * 2 + height), wide, text, name, leak)
    _scale(canvas, (gap, canvas.height - gap // 2 - text), canvas.width - 2 * gap, text)
    return _tensor(canvas)


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


def progress_panel(
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
    covered = _array(mask)
    inside = np.array(Image.fromarray(covered).resize(heat.shape[::-1], Image.Resampling.BOX))
    leak = float((heat * (1 - inside)).sum() / heat.sum()) if heat.sum() > 0 else math.nan
    shown = [
        (_overlaid(image, attention, mask, side=tile), f"attention: {_percent(leak)} outside"),
        (_picture(image), "reference") if sample is None else (_picture(sample), "sample"),
    ]
    for i, (picture, words) in enumerate(shown):
        picture = _fitted(picture, tile)
        left = gap + i * (tile + gap)
        where = (left + (tile - picture.width) // 2, gap + (tile - picture.height) // 2)
        canvas.paste(CARD, (left, gap), rounded((tile, tile), gap))
        canvas.paste(picture, where, rounded(picture.size, gap))
        draw.text((left + tile / 2, gap * 1.5 + tile + text * 0.5), words, fill=MUTED, font=typeface(text), anchor="mm")
    top = round(gap * 2 + tile + text * 1.2)
    chart = draw_chart(losses, merges, (size - 2 * gap, size - gap - top), "Loss", steps)
    canvas.paste(chart, (gap, top), rounded(chart.size, gap))
    return canvas
