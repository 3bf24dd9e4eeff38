"""Enclosed places: a white face within an outline, or paper seen through a handle (ours)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..messages import require_one_of
from ..pictures.resize import fitted_to, resize
from .flood import WORKING_SIDE, enclosed, ground_like

HOLES = ("auto", "keep", "cut")
"""auto: as the method judges. keep: all that is enclosed belongs to the subject. cut: enclosed places that look like
the background are background."""


def with_holes(image: np.ndarray, mask: np.ndarray, holes: str) -> np.ndarray:
    """A mask (h, w) of an image (H, W, 3) whose enclosed places are as `holes` says, at the same or a finer size.

    Raises SealError if `holes` is none of HOLES.
    """
    require_one_of("holes", holes, HOLES)
    if holes == "keep":
        solid = mask > 0.5
        return np.where(ndimage.binary_fill_holes(solid) & ~solid, 1, mask).astype(np.float32)
    if holes == "cut":
        small = fitted_to(image, max(WORKING_SIDE, *mask.shape))
        mask = mask if mask.shape == small.shape[:2] else resize(mask, *small.shape[:2])
        return np.where(enclosed(ground_like(small), mask > 0.5), 0, mask).astype(np.float32)
    return mask
