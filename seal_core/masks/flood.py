"""Foreground of a sticker by colour alone: a flood from the frame inwards (ours).

Colours that come at two sides of the frame are the ground's: plain, gradient, or a pattern's several. A subject that
the frame cuts shows at one side only. Pixels of these colours are ground if they are connected to the frame; so are
enclosed places, such as the inside of a handle. Shadows have other colours: the segmenter knows those.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..pictures.matting import nearest
from ..pictures.resize import fitted_to
from .colour import oklab

WORKING_SIDE = 512
"""Longest side at which the flood runs, in pixels."""
BAND, EVERY = 2, 8
"""Pixels at each side that show the frame's colours; one of EVERY is asked whether it is the ground's."""
ALIKE = 0.03
"""OKLab distance at which colours still count as the same: about two just-noticeable differences."""
MANY = 500
"""Colours that are enough to tell a pattern."""
SEEN = 0.02
"""Share of a side of the frame from which a colour counts as seen there."""
SPECK, PINHOLE = 0.004, 1e-4
"""Parts below this share of the largest, and enclosed places below this share of the picture, are none."""
MOST_OPEN = 0.75
"""Largest enclosed place, as a share of what the flood did not reach: an outline drawing is filled with the ground's
colour."""

_BOX = np.ones((3, 3), bool)


def flood_mask(image: np.ndarray) -> np.ndarray:
    """Foreground (h, w) bool of an image (H, W, 3) in [0, 1], at the size of a copy of at most WORKING_SIDE pixels.

    All False if nothing differs from the ground, e.g. in a constant image.
    """
    return foreground(*flooded(image))


def foreground(like: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """`flood_mask` from what `flooded` gives."""
    front = ~(reached | enclosed(like, ~reached))
    labels, count = ndimage.label(front, _BOX)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return (sizes >= max(4, SPECK * sizes.max()))[labels] if count else front


def flooded(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels with a colour of the ground, and those of them that the frame reaches: each (h, w) bool, at the size of a
    copy of at most WORKING_SIDE pixels."""
    small = fitted_to(image, WORKING_SIDE)
    if min(small.shape[:2]) < 3:
        return np.ones(small.shape[:2], bool), np.ones(small.shape[:2], bool)
    like = ground_like(small)
    reached = _from_frame(like)
    reached |= _more_ground_than_subject(small, reached)
    if _is_pattern(small[like]):  # blends between two colours of a pattern are thin lines
        reached |= ndimage.binary_closing(reached, _BOX)
    return like, reached


def ground_like(image: np.ndarray) -> np.ndarray:
    """Which pixels (H, W) of an image (H, W, 3) have a colour of the ground, as its frame shows it."""
    lab = oklab(image)
    sides = [part.reshape(-1, 3) for part in (lab[:BAND], lab[-BAND:], lab[:, :BAND], lab[:, -BAND:])]
    asked = np.concatenate([side[::EVERY] for side in sides])
    share = [cKDTree(side).query_ball_point(asked, ALIKE, return_length=True) / len(side) for side in sides]
    ground = asked[(np.array(share) >= SEEN).sum(0) >= 2]
    if not len(ground):
        return np.zeros(lab.shape[:2], bool)
    away, _ = cKDTree(ground).query(lab.reshape(-1, 3), distance_upper_bound=ALIKE)
    return np.isfinite(away).reshape(lab.shape[:2])


def _is_pattern(colours: np.ndarray) -> bool:
    """Whether colours (N, 3) are not one, or one that slowly becomes another."""
    few = oklab(colours[:: max(1, len(colours) // MANY)])
    if not len(few):
        return False
    pairs = cKDTree(few).sparse_distance_matrix(cKDTree(few), 2 * ALIKE)
    parts = np.bincount(connected_components(pairs)[1])
    return int((parts > 0.05 * len(few)).sum()) > 1


def _more_ground_than_subject(image: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """Pixels (H, W) bool beside the ground that show less than half of what lies further in."""
    rim = ndimage.binary_dilation(reached, _BOX) & ~reached
    inner = ~reached & ~rim
    if not rim.any() or not inner.any():
        return np.zeros_like(rim)
    front, back, colour = image[nearest(inner)][rim], image[nearest(reached)][rim], image[rim]
    out = rim.copy()
    out[rim] = ((colour - back) * (front - back)).sum(1) < 0.5 * ((front - back) ** 2).sum(1)
    return out


def enclosed(like: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """Places (H, W) bool of the ground's colours, `like`, within `subject`, which touch nothing but it."""
    labels, _ = ndimage.label(like & subject)
    sizes = np.bincount(labels.ravel())
    chosen = (sizes >= max(6, PINHOLE * like.size)) & (sizes <= MOST_OPEN * subject.sum())
    chosen[0] = False
    chosen[np.unique(labels[ndimage.binary_dilation(~subject, _BOX)])] = False
    places = chosen[labels]
    return ndimage.binary_dilation(places, _BOX) & ~ndimage.binary_erosion(~like, _BOX) & subject | places


def _from_frame(passable: np.ndarray) -> np.ndarray:
    """The part of `passable` (H, W) that is connected to the frame."""
    seeds = np.zeros(passable.shape, bool)
    seeds[0], seeds[-1], seeds[:, 0], seeds[:, -1] = True, True, True, True
    return ndimage.binary_propagation(seeds & passable, mask=passable)
