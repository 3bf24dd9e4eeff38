"""Attention as heat over a picture (ours). Drawn with Pillow and NumPy alone."""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image
from scipy import ndimage
from torch import Tensor

from .look import array_of, fitted, picture_of, tensor_of


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


def _plane(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """A float map at another size, bicubic, so that a 16 x 16 map becomes soft hills."""
    method = Image.Resampling.BICUBIC if values.shape[0] <= height else Image.Resampling.BOX
    return np.array(Image.fromarray(values.astype(np.float32)).resize((width, height), method))


def attention_overlay(
    image: Tensor, attention: Tensor, mask: Tensor | None = None, peak: float | None = None
) -> Tensor:
    """The token's attention as heat over the picture, (H, W, 3).

    image: (H, W, 3) in [0, 1]. attention: (h, w), any scale from 0 up. mask: (H, W) or any size, its
    outline is drawn. peak: the attention that gets the brightest colour; None = the map's own highest.
    """
    return tensor_of(overlaid(image, attention, mask, peak))


def overlaid(
    image: Tensor, attention: Tensor, mask: Tensor | None, peak: float | None = None, side: int = 0
) -> Image.Image:
    """The overlay; side: the longer side it is brought to first (0 = as it is)."""
    base = picture_of(image)
    if side:
        base = fitted(base, side)
    rgb = np.asarray(base, np.float32) / 255
    heat = array_of(attention).clip(0)
    peak = peak or float(heat.max()) or 1.0
    heat = _plane(heat, *rgb.shape[:2]).clip(0, peak) / peak
    grey = (rgb @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    colour = heat_colours()[(heat * 255).round().astype(int)]
    # Light and dark of the picture stay readable under the heat; cold places are dimmed.
    lit = colour * (0.5 + 0.5 * grey)
    strength = 0.6 + 0.3 * heat[..., None]
    out = (0.7 * grey + 0.3 * rgb) * (1 - strength) + lit * strength
    if mask is not None:
        out = _outlined(out, array_of(mask))
    return Image.fromarray((out.clip(0, 1) * 255).round().astype(np.uint8))


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
