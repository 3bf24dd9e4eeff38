"""Enclosed places: a white face within an outline, or paper seen through a handle (ours)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..messages import require_one_of
from ..pictures.resize import fitted_to, resize
from .plain_ground import ALIKE, enclosed

SIDE = 512
"""Longest side at which holes are looked for, in pixels, unless the mask is finer."""
APART, MANY = 4, 2000
"""Pixels from a subject at which its soft edge and its halo are over; colours that are enough to know a ground."""
SEEN_THROUGH = 0.3
"""Mean likelihood below which a hole in the segmenter's subject is one. On tuning pictures with grounds of any kind, 21
of 23 holes above it were grey eyes, noses and shaded fur, and all below it were ground."""
HOLES = ("auto", "keep", "cut")
"""auto: as the method judges. keep: all that is enclosed belongs to the subject. cut: enclosed places that look like
the background are background."""


def with_holes(image: np.ndarray, mask: np.ndarray, holes: str) -> np.ndarray:
    """A mask (h, w) of an image (H, W, 3) whose enclosed places are as `holes` says, at the same or a finer size.

    Raises SealError if `holes` is none of HOLES.
    """
    require_one_of("holes", holes, HOLES)
    if holes == "keep":
        return np.where(_holes(mask), 1, mask).astype(np.float32)
    if holes == "cut":
        small = fitted_to(image, max(SIDE, *mask.shape))
        mask = mask if mask.shape == small.shape[:2] else resize(mask, *small.shape[:2])
        return np.where(enclosed(_ground_like(small, mask > 0.5), mask > 0.5), 0, mask).astype(np.float32)
    return mask


def without_doubtful_holes(likely: np.ndarray) -> np.ndarray:
    """The segmenter's judgement (h, w) with those holes filled that it is not sure of."""
    labels, count = ndimage.label(_holes(likely))
    doubtful = ndimage.mean(likely, labels, np.arange(count + 1)) > SEEN_THROUGH
    doubtful[0] = False
    return np.where(doubtful[labels], np.float32(1), likely)


def _holes(mask: np.ndarray) -> np.ndarray:
    """Which pixels (h, w) a mask encloses without holding them."""
    solid = mask > 0.5
    return ndimage.binary_fill_holes(solid) & ~solid


def _ground_like(image: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """Which pixels (H, W) of an image (H, W, 3) have a colour that also comes outside of `solid`, well away from it."""
    outside = image[ndimage.distance_transform_edt(~solid) > APART]
    if not len(outside):
        return np.zeros(solid.shape, bool)
    like = np.zeros(solid.shape, bool)
    away, _ = cKDTree(outside[:: max(1, len(outside) // MANY)]).query(image[solid], p=np.inf)
    like[solid] = away < ALIKE[0]
    return like
