"""Regions decide as a whole: what the segmenter sees, spread within areas of one colour (ours).

A random walker (Grady 2006) with the segmenter's judgement as its prior: each pixel agrees with its neighbours, the
more alike their colours the more, and with the segmenter, the surer that is the more. Where the flood from the frame
has found much the same silhouette, it counts a little, too: it decides where the segmenter is in two minds.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from ..pictures.resize import fitted_to, resize
from .doubts import overlap

SIDE = 128
"""Longest side at which regions are settled, in pixels."""
BOND, ALIKE = 10.0, 0.015
"""How strongly equal neighbours hold together, and the difference of colour that weakens that to a third."""
SURE, LEAST = 3, 0.02
"""The segmenter's weight is |2 p - 1| to the power SURE, for a likelihood p, and at least LEAST."""
THICK = 3
"""Least thickness, in pixels at SIDE, of an area whose judgement may change."""
FLOOD, AGREE = 0.4, 0.8
"""The flood's weight, and the intersection over union of both silhouettes (holes filled) from which it counts."""


def settled(image: np.ndarray, likely: np.ndarray, like: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """How likely each pixel is the subject, (h, w) float32, once regions have settled.

    image: (H, W, 3). likely: (h, w), the segmenter's judgement. like, reached: as `flood.flooded` gives them.
    """
    small = fitted_to(image, SIDE)
    told = np.where(like & ~reached, 0, 1)  # of enclosed places in its colours the flood knows nothing
    planes = (likely, ~reached, told)
    before, flood, told = (resize(plane.astype(np.float32), *small.shape[:2]) for plane in planes)
    trust = np.abs(2 * before - 1) ** SURE + LEAST
    helped = FLOOD * told * np.abs(2 * flood - 1) * (overlap(_silhouette(before), _silhouette(flood)) > AGREE)
    number = np.arange(before.size).reshape(before.shape)
    change = [np.abs(np.diff(small, axis=axis)).max(2).ravel() for axis in (0, 1)]
    bond = BOND * np.exp(-np.concatenate(change) / ALIKE)
    one = np.concatenate([number[:-1].ravel(), number[:, :-1].ravel()])
    two = np.concatenate([number[1:].ravel(), number[:, 1:].ravel()])
    bonds = sparse.coo_matrix((np.r_[bond, bond], (np.r_[one, two], np.r_[two, one])), (before.size,) * 2).tocsc()
    weight = sparse.diags((trust + helped).ravel() + np.asarray(bonds.sum(1)).ravel())
    after = spsolve(sparse.csc_matrix(weight - bonds), (trust * before + helped * flood).ravel())
    after = after.reshape(before.shape).astype(np.float32)
    other = (before > 0.5) != (after > 0.5)
    areas = ndimage.binary_propagation(ndimage.binary_opening(other, np.ones((THICK, THICK))), mask=other)
    near = ndimage.binary_dilation(areas)  # along an outline the segmenter sees more than colours tell
    return (likely + resize(np.where(near, after - before, 0), *likely.shape)).clip(0, 1)


def _silhouette(mask: np.ndarray) -> np.ndarray:
    return ndimage.binary_fill_holes(mask > 0.5).astype(np.float32)
