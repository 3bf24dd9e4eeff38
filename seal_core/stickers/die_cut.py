"""Pictures that show a die-cut sticker already: the white rim around the subject belongs to it (ours).

The border flood takes a white rim on a white ground for ground: all that parts them is a thin line. Here the flood is
run again without opening enclosed places, at several tolerances, and the silhouette wins whose outline looks most like
a die-cut's: a light band all along inside of it, darker on both sides.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..masks_border import resize
from ..masks_colour import oklab
from ..masks_ground import Ground

WORKING_SIDE, LARGEST = 256, 1024
"""Longest side on which silhouettes are compared, and of pictures for which that is fine enough."""
TOLERANCES = (0.5, 1.0, 2.5)
"""Of the ground's colour, as factors of the border flood's own."""
WHITE, LIGHTER, DEEPER = 0.86, 0.03, 0.04
"""Lightness less 1.2 times chroma (OKLab) of a white rim, and how much lighter it is than what lies outside, inside."""
LIKE, LINED, BETTER = 0.6, 0.5, 0.1
"""Shares of a rim that must be white and end in something darker (the fading end of a drop shadow does not), and by how
much a silhouette must look better than the flood's own."""

_BOX = np.ones((3, 3), bool)


def outlined(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The silhouette (H, W) with its die-cut rim, from an image (H, W, 3) and the border flood's mask; the mask itself
    where no silhouette looks like a die-cut sticker's."""
    height, width = mask.shape
    if not 32 <= max(height, width) <= LARGEST or min(height, width) < 16:
        return mask
    shrink = max(1.0, max(height, width) / WORKING_SIDE)
    size = round(height / shrink), round(width / shrink)
    small = image if size == mask.shape else resize(image, *size)
    white = _whiteness(small)
    own = _main(resize(mask, *size) > 0.5)
    best, chosen = _score(white, own)[0] + BETTER, None
    for silhouette in _silhouettes(small, own):
        score, share, lined = _score(white, silhouette)
        if score > best and share > LIKE and lined > LINED:
            best, chosen = score, silhouette
    return mask if chosen is None else resize(chosen.astype(np.float32), height, width)


def _whiteness(image: np.ndarray) -> np.ndarray:
    lab = oklab(image)
    return lab[..., 0] - 1.2 * np.hypot(lab[..., 1], lab[..., 2])


def _silhouettes(image: np.ndarray, own: np.ndarray) -> list[np.ndarray]:
    ground = Ground(image)
    distance = np.min([np.linalg.norm(ground.lab - field, axis=2) for field in ground.fields], 0)
    reached = [_reach(distance < factor * ground.tolerance) for factor in TOLERANCES]
    reached.append(ground._follow(distance)[0])  # with slow drifts of the ground's colour
    return [ndimage.binary_fill_holes(own), *(_main(~r) for r in reached)]


def _reach(passable: np.ndarray) -> np.ndarray:
    """What of `passable` is connected to the frame."""
    frame = np.ones(passable.shape, bool)
    frame[1:-1, 1:-1] = False
    return ndimage.binary_propagation(frame & passable, mask=passable)


def _main(front: np.ndarray) -> np.ndarray:
    """The parts that are at least a twentieth of the largest."""
    labels, count = ndimage.label(front, _BOX)
    if not count:
        return front
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return (areas >= max(1, 0.05 * areas.max()))[labels]


def _score(white: np.ndarray, front: np.ndarray) -> tuple[float, float, float]:
    """How much an outline looks like a die-cut's, 0 to 2.5; the share of the band inside of it that is white, and of
    the outline that is darker than that band."""
    unit = max(front.shape) / 128
    if not 0.02 < front.mean() < 0.95:
        return 0.0, 0.0, 0.0
    inside = ndimage.distance_transform_edt(np.pad(front, 1, mode="edge"))[1:-1, 1:-1]
    near = max(2, round(3 * unit))
    free = np.zeros(front.shape, bool)  # where the frame cuts a sticker there is no rim
    free[near:-near, near:-near] = True
    line, band, deep = (free & (inside > a * unit) & (inside <= b * unit) for a, b in ((0, 1.2), (1.2, 3.2), (4, 7)))
    if band.sum() < 20 or not line.any():
        return 0.0, 0.0, 0.0
    share = float((white[band] > WHITE).mean())
    lit = np.where(band, white, -1)
    outer = ndimage.maximum_filter(lit, 2 * round(2 * unit) + 1) - white > LIGHTER
    inner = ndimage.maximum_filter(lit, 2 * round(4 * unit) + 1) - white > DEEPER
    lined = float(outer[line].mean())
    return share + lined + 0.5 * (float(inner[deep].mean()) if deep.any() else 0.0), share, lined
