"""Foreground of a sticker by colour alone: a flood from the frame inwards (ours).

1. The frame gives the ground as a few smooth colour fields, fitted robustly in OKLab: one for plain grounds and
   gradients, several for stripes, checks and dots.
2. A pixel that a field explains is ground-like. If the ground is one smooth field, slow drifts and smooth darkenings
   (drop shadows) of it are ground-like too. `drop_shadow` then fits the shifted, blurred silhouette to tell a shadow
   from the subject.
3. Ground-like pixels connected to the frame are ground. So are enclosed ones (a mug's handle) that match closely and
   end in a sharp edge.
4. At the outline, alpha is un-mixed from the colours on both sides, at full resolution.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..pictures.resize import resize
from .ground import Ground

WORKING_SIDE = 512
"""Longest side at which the flood runs, in pixels; the outline is un-mixed at full resolution."""

_BOX = np.ones((3, 3), bool)


def flood_mask(image: np.ndarray) -> np.ndarray:
    """Soft foreground mask (H, W) float32 in [0, 1] of an image (H, W, 3) in [0, 1].

    All zero if nothing differs from the ground, e.g. in a constant image.
    """
    height, width = image.shape[:2]
    if min(height, width) < 3:
        return np.zeros((height, width), np.float32)
    shrink = max(1.0, max(height, width) / WORKING_SIDE)
    size = (max(3, round(height / shrink)), max(3, round(width / shrink)))
    small = image if size == (height, width) else resize(image, *size)
    foreground = Ground(small).foreground()
    if not foreground.any() or foreground.all():
        return np.full((height, width), float(foreground.all()), np.float32)
    return _unmix(image, small, foreground)


def _unmix(image: np.ndarray, small: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """Alpha at full size. In a narrow band along the outline it is the pixel's share between the nearest sure
    foreground colour and the nearest sure ground colour; elsewhere the flood's decision stands."""
    sure_front = ndimage.binary_erosion(foreground, _BOX, border_value=1)
    sure_back = ndimage.binary_erosion(~foreground, _BOX, border_value=1)
    # Thin things have no inside, so all of their pixels count as sure.
    thin = foreground & ~ndimage.binary_dilation(sure_front, _BOX, iterations=2)
    sure_front |= thin
    sure_back |= ~foreground & ~ndimage.binary_dilation(sure_back, _BOX, iterations=2)
    front, back = _nearest(small, sure_front), _nearest(small, sure_back)
    band = ~(sure_front | sure_back)
    height, width = image.shape[:2]
    hard = foreground.astype(np.float32)
    if image.shape[:2] != small.shape[:2]:
        wide = ndimage.binary_dilation(band | thin, _BOX)
        hard, band = resize(hard, height, width), resize(wide.astype(np.float32), height, width) > 0
        f, b = _sampled(front, band), _sampled(back, band)
    else:
        f, b = front[band], back[band]
    c = image[band]
    line = f - b
    length = (line * line).sum(1)
    share = ((c - b) * line).sum(1) / np.maximum(length, 1e-6)
    out = hard.copy()
    out[band] = np.where(length > 0.01, np.clip(share, 0, 1), hard[band])
    return out


def _sampled(small: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Colours (N, 3) of a smaller picture (h, w, 3) at the true pixels of `where` (H, W), bilinear."""
    scales = np.array(small.shape[:2])[:, None] / np.array(where.shape)[:, None]
    places = (np.stack(np.nonzero(where)).astype(np.float32) + 0.5) * scales - 0.5
    return np.stack([ndimage.map_coordinates(small[..., c], places, order=1, mode="nearest") for c in range(3)], -1)


def _nearest(rgb: np.ndarray, known: np.ndarray) -> np.ndarray:
    where = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return rgb[tuple(where)]
