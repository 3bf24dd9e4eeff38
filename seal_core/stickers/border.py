"""The die-cut look: an outline around the subject and a drop shadow. The canvas grows to fit both (ours)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ..callbacks import OnProgress, reporting
from ..messages import SealError
from .layers import distance_outside, flat_layer, layers_of, over, padded, parse_colour, ramp

MOST = 512
"""Largest width, gap, blur and shift, in pixels."""


@dataclass(frozen=True)
class Border:
    """An outline. Lengths in pixels: width of the line, softness of its outer edge, gap between subject and line, and
    smooth, the radius to which inner corners are rounded. filled: enclosed holes get the line's colour too."""

    width: float = 8.0
    colour: str = "#ffffff"
    softness: float = 0.0
    gap: float = 0.0
    smooth: float = 6.0
    filled: bool = False

    def __post_init__(self) -> None:
        for name in ("width", "softness", "gap", "smooth"):
            _in_range(name, getattr(self, name), 0, MOST)
        parse_colour(self.colour, "colour")


@dataclass(frozen=True)
class Shadow:
    """A drop shadow: opacity 0..1 (0 = none), shift right (x) and down (y) and blur in pixels, colour."""

    opacity: float = 0.0
    x: float = 4.0
    y: float = 6.0
    blur: float = 6.0
    colour: str = "#000000"

    def __post_init__(self) -> None:
        _in_range("shadow", self.opacity, 0, 1)
        _in_range("shadow_x", self.x, -MOST, MOST)
        _in_range("shadow_y", self.y, -MOST, MOST)
        _in_range("shadow_blur", self.blur, 0, MOST)
        parse_colour(self.colour, "shadow_colour")


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # refuses NaN too
        raise SealError(f"{name}: {value:g} is out of range; use {low:g} to {high:g}.")


def add_border(
    image: Tensor,
    mask: Tensor | None = None,
    border: Border = Border(),
    shadow: Shadow = Shadow(),
    progress: OnProgress | None = None,
) -> tuple[Tensor, Tensor]:
    """Stickers (B, H', W', 4), straight alpha, and their masks (B, H', W') of subject, line and shadow together.

    image: its alpha, times `mask` if given, is the subject (`layers.layers_of`). The canvas grows on each side by what
    the batch's largest outline and shadow need, so nothing is clipped and frames stay in register. progress: called as
    (done, all) for each picture.
    Raises SealError for pictures that show nothing and for a batch without any transparency.
    """
    layers = layers_of(image, mask)
    for i, layer in enumerate(layers):
        where = f" (picture {i + 1} of {len(layers)})" if len(layers) > 1 else ""
        if not (layer[..., 3] > 0.5).any():
            raise SealError(f"image: shows nothing to draw a border around; cut out a subject first{where}.")
    if layers[..., 3].min() >= 1:
        raise SealError(
            "image: has no transparent ground to draw a border in; wire SEAL Sticker Cutout before this node."
        )
    reach = border.gap + border.width + max(border.softness, 1.0) / 2 + 1 if border.width else 1.0
    sides = _room(layers, reach, shadow)
    made = [_bordered(padded(layer, *sides), border, shadow) for layer in reporting(layers, progress)]
    out = torch.from_numpy(np.stack(made))
    return out, out[..., 3].clone()


def _room(layers: np.ndarray, reach: float, shadow: Shadow) -> tuple[int, int, int, int]:
    """Pixels to add at left, top, right and bottom."""
    seen = layers[..., 3].max(0) > 0
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    blur = 3 * shadow.blur / 2 + 2  # three standard deviations; a shift by a fraction of a pixel smears one more
    far = {"left": reach, "top": reach, "right": reach, "bottom": reach}
    if shadow.opacity:
        far["left"], far["right"] = max(reach, reach + blur - shadow.x), max(reach, reach + blur + shadow.x)
        far["top"], far["bottom"] = max(reach, reach + blur - shadow.y), max(reach, reach + blur + shadow.y)
    height, width = seen.shape
    free = (columns[0], rows[0], width - 1 - columns[-1], height - 1 - rows[-1])
    left, top, right, bottom = (max(0, int(np.ceil(f)) - int(r)) for f, r in zip(far.values(), free))
    return left, top, right, bottom


def _bordered(layer: np.ndarray, border: Border, shadow: Shadow) -> np.ndarray:
    """One layer with its line and shadow. It has room for both."""
    out = over(layer, outline_layer(layer[..., 3], border)) if border.width else layer
    if shadow.opacity:
        dark, strength = parse_colour(shadow.colour, "shadow_colour")
        cast = ndimage.shift(out[..., 3], (shadow.y, shadow.x), order=1)
        cast = ndimage.gaussian_filter(cast, shadow.blur / 2, truncate=3.0) if shadow.blur else cast
        out = over(out, flat_layer(dark, cast * (shadow.opacity * strength)))
    return out


def outline_layer(alpha: np.ndarray, border: Border) -> np.ndarray:
    """The line as a layer (H, W, 4) under a subject with this alpha (H, W). Without a gap it fills the inside too.

    Distances are Euclidean: the line has the same width everywhere and is round at outer corners.
    """
    rgb, strength = parse_colour(border.colour, "colour")
    subject = alpha
    if border.filled:
        subject = np.where(ndimage.binary_fill_holes(alpha > 0.5), 1, alpha)
    # Room beyond the frame, or the closing below would cling to the frame.
    pad = int(np.ceil(border.gap + border.width + border.smooth)) + 2 if border.smooth else 0
    edge = distance_outside(np.pad(subject, pad))
    outer = border.gap + border.width
    beyond = edge - outer
    if border.smooth and border.width:
        # A closing: going out by the radius and back keeps outer corners and rounds inner ones. Where the way out does
        # not reach, the plain distance holds, however soft the edge.
        wide = distance_outside(1 - ramp(edge, outer + border.smooth))
        beyond = np.where(wide > 0, np.minimum(beyond, border.smooth - wide), beyond)
    shape = ramp(beyond, 0, border.softness)
    if border.gap:
        shape = shape * (1 - ramp(edge, border.gap))
    shape = shape[pad:-pad, pad:-pad] if pad else shape
    return flat_layer(rgb, shape * strength)
