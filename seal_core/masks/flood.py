"""Foreground of a sticker by colour alone: a flood from the frame inwards (ours).

1. The ground is learned from the frame as a few smooth colour fields (one for plain grounds and
   gradients, several for stripes, checks, dots), fitted robustly in OKLab.
2. Pixels that a field explains are ground-like; where the ground is one smooth field, so are
   smooth darkenings of it (drop shadows) and slow drifts from it. A shadow that fits the shifted, blurred
   silhouette is then told from the subject by that fit (masks_shadow).
3. Ground-like pixels connected to the frame are ground; so are enclosed ones (a mug's handle) that
   match closely and end in a sharp edge.
4. At the outline alpha is un-mixed from the colours on both sides, at full resolution.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..pictures.resize import resize
from .ground import Ground

WORKING_SIDE = 512
"""Longest side on which the flood runs; larger images are un-mixed at full resolution afterwards."""

_BOX = np.ones((3, 3), bool)


def flood_mask(image: np.ndarray) -> np.ndarray:
    """Soft foreground mask (H, W) float32 in [0, 1] of an image (H, W, 3) in [0, 1].

    All zero where nothing differs from the ground, e.g. for a constant image.
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
    """Alpha at full size: in a narrow band each pixel is the share of foreground between the nearest
    sure foreground and sure ground colours; elsewhere the flood's own decision."""
    sure_front = ndimage.binary_erosion(foreground, _BOX, border_value=1)
    sure_back = ndimage.binary_erosion(~foreground, _BOX, border_value=1)
    # Thin things have no inside: their own brightest-contrast pixels stand for it.
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
    """(N, 3) what a smaller picture (h, w, 3) has at the true pixels of `where` (H, W), bilinear."""
    scales = np.array(small.shape[:2])[:, None] / np.array(where.shape)[:, None]
    places = (np.stack(np.nonzero(where)).astype(np.float32) + 0.5) * scales - 0.5
    return np.stack([ndimage.map_coordinates(small[..., c], places, order=1, mode="nearest") for c in range(3)], -1)


def _nearest(rgb: np.ndarray, known: np.ndarray) -> np.ndarray:
    where = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return rgb[tuple(where)]
