"""How sure a mask is, and what a person should look at (ours)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..pictures.resize import fitted_to, resize

SIDE = 256
"""Longest side at which pictures are judged, in pixels."""
CUT = 0.03
"""Share of a side of the frame that the subject touches, from which that side cuts it."""
FAINT, MOSTLY = 0.03, 0.2
"""Difference of colour (largest channel) across the outline that is next to none; share of the outline where it is."""
APART = 0.9
"""Intersection over union (IoU) below which two readings are far apart."""

_BOX = np.ones((3, 3), bool)


def overlap(one: np.ndarray, two: np.ndarray) -> float:
    """Soft intersection over union of two masks (H, W), 0 to 1. If `one` holds probabilities and `two` a mask, about
    the IoU with the truth that they promise it."""
    return float(np.minimum(one, two).sum() / max(np.maximum(one, two).sum(), 1e-6))


def doubts(image: np.ndarray, mask: np.ndarray, other: np.ndarray | None) -> list[str]:
    """What to look at, as sentences without a full stop, for an image (H, W, 3), the mask (h, w) that was chosen, and
    another reading (any size) if there is one."""
    small = fitted_to(image, SIDE)
    solid = resize(mask, *small.shape[:2]) > 0.5
    found = []
    sides = {"left": solid[:, 0], "right": solid[:, -1], "upper": solid[0], "lower": solid[-1]}
    cut = [name for name, line in sides.items() if line.mean() > CUT]
    if cut:
        found.append(f"the subject runs out of the picture at the {' and '.join(cut)} edge and is cut flat there")
    share = _faint_share(small, solid)
    if share > MOSTLY:
        found.append(f"along {share:.0%} of its outline the subject has nearly the background's colour")
    if other is not None and overlap(resize(other, *solid.shape), solid.astype(np.float32)) < APART:
        found.append("it can be read in two ways; the preview of SEAL Semantic Mask shows the other one in yellow")
    return found


def _faint_share(image: np.ndarray, solid: np.ndarray) -> float:
    """The share of an outline across which the colour hardly changes."""
    rim = solid & ~ndimage.binary_erosion(solid, _BOX, border_value=1)
    if not rim.any():
        return 0.0
    change = (ndimage.maximum_filter(image, (5, 5, 1)) - ndimage.minimum_filter(image, (5, 5, 1))).max(2)
    return float((change[rim] < FAINT).mean())
