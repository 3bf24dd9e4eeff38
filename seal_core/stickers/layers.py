"""RGBA layers as float arrays: compositing, colours by name, exact distances to a soft outline."""

from __future__ import annotations

import numpy as np
import torch
from PIL import ImageColor
from scipy import ndimage
from torch import Tensor

from ..messages import SealError
from ..pictures.inputs import images_of, masks_for, rgb_and_alpha
from ..pictures.polarity import fix_inverted_alpha

LEVEL = 1e-3
"""Slope, in opacity per pixel, below which its direction means nothing."""


def parse_colour(text: str, name: str) -> tuple[np.ndarray, float]:
    """RGB (3,) float32 in [0, 1] and opacity of "#ffffff", "#ffffff80", "white", "rgb(255, 0, 0)" and the like.

    Raises SealError naming the input `name` if the text is no colour.
    """
    try:
        values = ImageColor.getrgb(str(text).strip())
    except ValueError:
        raise SealError(f"{name}: {text!r} is no colour; write e.g. #ffffff, white or rgb(255, 255, 255).") from None
    return np.array(values[:3], np.float32) / 255, (values[3] / 255 if len(values) == 4 else 1.0)


def layers_of(image: Tensor, mask: Tensor | None = None, name: str = "image") -> np.ndarray:
    """Layers (B, H, W, 4) float32 in [0, 1], straight alpha, of an IMAGE and perhaps a MASK (foreground = 1).

    The mask is multiplied with the pictures' own alpha. name: the image input's. `pictures.inputs` says what an IMAGE
    and a MASK may be, and what raises SealError.
    """
    images = fix_inverted_alpha(images_of(image, name=name))
    rgb, alpha = rgb_and_alpha(images)
    alpha = torch.ones(images.shape[:3]) if alpha is None else alpha
    if mask is not None:
        alpha = alpha * masks_for(mask, len(images), images.shape[1], images.shape[2])
    return torch.cat([rgb, alpha[..., None]], 3).numpy()


def flat_layer(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """A layer (H, W, 4) of one colour (3,) with this alpha (H, W)."""
    return np.dstack([np.broadcast_to(rgb, (*alpha.shape, 3)), alpha]).astype(np.float32)


def over(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """One layer over another, both (..., H, W, 4) with straight alpha (Porter and Duff 1984)."""
    a, b = top[..., 3:], bottom[..., 3:]
    alpha = a + b * (1 - a)
    rgb = top[..., :3] * a + bottom[..., :3] * b * (1 - a)
    hidden = np.where(a > 0, top[..., :3], bottom[..., :3])
    return np.concatenate([np.where(alpha > 0, rgb / np.maximum(alpha, 1e-6), hidden), alpha], -1).astype(np.float32)


def padded(layer: np.ndarray, left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """A layer (H, W, 4) with transparent white around it."""
    height, width = layer.shape[:2]
    out = np.ones((height + top + bottom, width + left + right, 4), np.float32)
    out[..., 3] = 0
    out[top : top + height, left : left + width] = layer
    return out


def distance_outside(alpha: np.ndarray) -> np.ndarray:
    """Distance in pixels from each pixel (H, W) to the outline, where alpha passes one half; 0 inside.

    Exact to about a tenth of a pixel. The Euclidean distance transform finds the nearest edge pixel; its coverage and
    slope say where the outline runs in it (after Gustavson and Strand 2011). In details too fine for a slope
    (hairlines, dots) the coverage alone limits how far the outline is from the pixel's centre. Infinite if nothing
    reaches one half.
    """
    solid = alpha > 0.5
    if not solid.any():
        return np.full(alpha.shape, np.inf, np.float32)
    inner, outer = solid & ndimage.binary_dilation(~solid), ~solid & ndimage.binary_dilation(solid)
    partly = (inner | outer) & (alpha > 0.01) & (alpha < 0.99)
    rim = partly | inner & ndimage.binary_dilation(alpha <= 0.01)
    rim = rim if rim.any() else inner
    if not rim.any():
        return np.zeros(alpha.shape, np.float32)
    away, ny, nx = _edge_within(alpha)
    where = ndimage.distance_transform_edt(~rim, return_distances=False, return_indices=True)
    rows, columns = np.ogrid[: alpha.shape[0], : alpha.shape[1]]
    best = np.full(alpha.shape, np.inf, np.float32)
    for dy, dx in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):  # a neighbour's nearest edge pixel may be nearer
        at = tuple(_moved(w, dy, dx) for w in where)
        y, x, uy, ux = rows - at[0], columns - at[1], ny[at], nx[at]
        across, along = y * uy + x * ux - away[at], np.abs(x * uy - y * ux)
        straight = np.hypot(across, np.maximum(along - 0.5, 0))  # the outline within an edge pixel is 1 long
        alone = np.maximum(np.hypot(y, x) + 0.5 - alpha[at], 0)
        best = np.minimum(best, np.where((uy != 0) | (ux != 0), np.minimum(straight, alone), alone))
    return np.where(solid, 0, best).astype(np.float32)


def _edge_within(alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pixel the distance from its centre, up the slope, to the straight edge that gives its coverage; and the
    slope's direction (y, x), (0, 0) where there is none."""
    smooth = ndimage.uniform_filter(np.pad(alpha.astype(np.float32), 1, mode="edge"), 3)
    dy, dx = (g[1:-1, 1:-1] for g in np.gradient(smooth))
    steep = np.hypot(dy, dx)
    sloping = steep > LEVEL  # a hairline is as steep on both sides: only rounding errors are left
    dy, dx = (np.where(sloping, g / np.where(sloping, steep, 1), 0) for g in (dy, dx))
    wide, narrow = np.maximum(np.abs(dy), np.abs(dx)), np.minimum(np.abs(dy), np.abs(dx))
    corner = narrow / np.maximum(2 * wide, 1e-6)  # coverage up to which the edge cuts just a corner
    reach = (wide + narrow) / 2
    away = np.where(
        alpha < corner,
        reach - np.sqrt(2 * wide * narrow * alpha),
        np.where(alpha > 1 - corner, np.sqrt(2 * wide * narrow * (1 - alpha)) - reach, (0.5 - alpha) * wide),
    )
    return away, dy, dx


def _moved(plane: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """A plane shifted by one pixel; at the frame it repeats itself."""
    padded_plane = np.pad(plane, 1, mode="edge")
    return padded_plane[1 + dy : 1 + dy + plane.shape[0], 1 + dx : 1 + dx + plane.shape[1]]


def ramp(distance: np.ndarray, at: float, softness: float = 1.0) -> np.ndarray:
    """1 where the distance is below `at`, 0 beyond. The change takes `softness` pixels, at least one."""
    share = ((at - distance) / max(softness, 1.0) + 0.5).clip(0, 1)
    return share * share * (3 - 2 * share) if softness > 1 else share
