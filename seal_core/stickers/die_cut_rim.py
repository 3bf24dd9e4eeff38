"""Pictures of die-cut stickers: the white rim around the subject belongs to the subject (ours).

Only a thin line separates a white rim from a white ground, so the border flood takes the rim for ground. Here the flood
runs again at several tolerances, without opening enclosed places. The silhouette wins whose outline looks most like a
die-cut's: a light band all along its inside, with something darker on both sides.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..masks.colour import from_oklab, oklab
from ..masks.ground import Ground, connected_to_frame
from ..pictures.resize import resize

WORKING_SIDE, LARGEST = 256, 1024
"""Longest side at which silhouettes are compared, and of pictures for which that is fine enough, in pixels."""
TOLERANCES = (0.5, 1.0, 2.5)
"""Colour tolerances to try, as multiples of the border flood's own."""
WHITE, LIGHTER, DEEPER = 0.86, 0.03, 0.04
"""Whiteness (OKLab lightness - 1.2 x chroma) of a white rim, and how far above what lies outside and inside it."""
LIKE, LINED, BETTER = 0.6, 0.5, 0.03
"""Shares of a rim that must be white, and must end at something darker (a fading shadow does not count); and the score
by which a silhouette must beat the flood's own."""

_BOX = np.ones((3, 3), bool)


def with_die_cut_rim(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mask (H, W) with its die-cut rim, from an image (H, W, 3) and the border flood's mask.

    Returns that mask if no silhouette looks like a die-cut sticker's.
    """
    height, width = mask.shape
    if not 32 <= max(height, width) <= LARGEST or min(height, width) < 16:
        return mask
    shrink = max(1.0, max(height, width) / WORKING_SIDE)
    size = round(height / shrink), round(width / shrink)
    small = image if size == mask.shape else resize(image, *size)
    white = _whiteness(small)
    own = _main(resize(mask, *size) > 0.5)
    best, chosen = _score(white, own)[0] + BETTER, None
    ground = _Seen(small)
    for silhouette in ground.silhouettes(own):
        score, share, lined = _score(white, silhouette)
        if score > best and share > LIKE and lined > LINED:
            best, chosen = score, silhouette
    if chosen is None:
        return mask
    chosen &= ~_openings(white, chosen, ground.like)
    return resize(chosen.astype(np.float32), height, width)


def _whiteness(image: np.ndarray) -> np.ndarray:
    lab = oklab(image)
    return lab[..., 0] - 1.2 * np.hypot(lab[..., 1], lab[..., 2])


class _Seen:
    """What the frame says about the ground. like: (H, W) bool, whether a pixel has the ground's colour."""

    def __init__(self, image: np.ndarray) -> None:
        ground = Ground(image)
        self.distance = np.min([np.linalg.norm(ground.lab - field, axis=2) for field in ground.fields], 0)
        self.drifting = ground.follow_drift(self.distance)[0]  # following slow drifts of the ground's colour
        self.ground, self.tolerance = ground, ground.tolerance
        self.like = self.distance < ground.tolerance

    def silhouettes(self, own: np.ndarray) -> list[np.ndarray]:
        """Silhouettes without holes that the flood may have missed."""
        reached = [connected_to_frame(self.distance < factor * self.tolerance) for factor in TOLERANCES]
        reached += [self.drifting, *self._shadowed()]
        return [ndimage.binary_fill_holes(own), *(_main(~r) for r in reached)]

    def _shadowed(self) -> list[np.ndarray]:
        """The ground with a flat, sharp shadow: for each of the commonest darker shades of the ground's colour."""
        base = from_oklab(self.ground.fields[0])
        shade = (self.ground.rgb * base).sum(2) / np.maximum((base * base).sum(2), 1e-4)
        off = np.linalg.norm(self.ground.lab - oklab(np.clip(shade, 0, 1)[..., None] * base), axis=2)
        dark = (off < self.tolerance) & (shade > 0.5) & (self.distance > self.tolerance)
        dark &= ndimage.binary_opening(dark, _BOX)  # a line around a sticker is no shadow
        counts, edges = np.histogram(shade[dark], 25, (0.5, 1.0))
        found = []
        for i in np.argsort(-counts)[:3]:
            if counts[i] < 0.003 * dark.size:
                break
            flat = ndimage.binary_opening((off < self.tolerance) & (np.abs(shade - edges[i] - 0.01) < 0.03), _BOX)
            edge = ndimage.binary_dilation(flat, _BOX) & (off < 2 * self.tolerance) & (shade > edges[i] - 0.02)
            found.append(connected_to_frame((self.distance < self.tolerance) | flat | edge))
        return found


def _openings(white: np.ndarray, front: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Enclosed ground: it has the ground's colour and, like the sticker's outside, a white rim around it."""
    unit = max(front.shape) / 128
    labels, _ = ndimage.label(like & front)
    out = np.zeros(front.shape, bool)
    margin = round(4 * unit) + 1
    for i, box in enumerate(ndimage.find_objects(labels), 1):
        hole = np.pad(labels[box] == i, margin)
        if hole.sum() < 6 * unit * unit:
            continue
        window = tuple(slice(max(0, s.start - margin), s.stop + margin) for s in box)
        cut = tuple(slice(max(0, margin - s.start), None) for s in box)
        hole = hole[cut][: white[window].shape[0], : white[window].shape[1]]
        away = ndimage.distance_transform_edt(~hole)
        band = (away > 1.2 * unit) & (away <= 3.2 * unit)
        line = (away > 0) & (away <= 1.2 * unit)
        lit = np.where(band, white[window], -1)
        lined = ndimage.maximum_filter(lit, 2 * round(2 * unit) + 1) - white[window] > LIGHTER
        if (white[window][band] > WHITE).mean() > LIKE and lined[line].mean() > LINED:
            out[window] |= away <= 0.5 * unit
    return out


def _main(front: np.ndarray) -> np.ndarray:
    """The parts with at least a hundredth of the largest part's area."""
    labels, count = ndimage.label(front, _BOX)
    if not count:
        return front
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return (areas >= max(1, 0.01 * areas.max()))[labels]


def _score(white: np.ndarray, front: np.ndarray) -> tuple[float, float, float]:
    """How much an outline looks like a die-cut's, 0 to 2.5; which share of the band inside it is white; and which share
    of the outline is darker than that band."""
    unit = max(front.shape) / 128
    if not 0.02 < front.mean() < 0.95:
        return 0.0, 0.0, 0.0
    inside = ndimage.distance_transform_edt(np.pad(front, 1, mode="edge"))[1:-1, 1:-1]
    near = max(2, round(3 * unit))
    free = np.zeros(front.shape, bool)  # a sticker has no rim where the frame cuts it
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
