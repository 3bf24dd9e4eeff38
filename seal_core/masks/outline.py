"""A found subject at full size: its opacity along the outline, and its own colours there (ours).

Whatever found the subject, the edge network draws its outline, and where two colours meet crisply their mixture makes
it exact. Within TOUCHED pixels of the outline colours change and the subject is seen through: what lies deeper is
opaque, and the picture's own, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from ..pictures.matting import nearest, snapped
from ..pictures.resize import resize
from .doubts import overlap
from .edge_network import EdgeNetwork, edge_network, predict_edge

REACH = 8
"""Pixels around a mask's outline that may be corrected."""
TOUCHED = 3
"""Pixels around the cut outline whose colours may change."""
TILE, MARGIN = 192, 32
"""Sides of the tiles that a picture is cut into, and pixels that are seen around each."""
SOLID = 0.99
"""Opacity above which a pixel shows the subject alone."""
PURE, WASHED = 0.005, 0.03
"""Colour changes by the network: pixels below PURE lend their colour to others; those from WASHED on take another's."""
STRANGE = 0.15
"""Difference (largest channel) from what the network proposes, from which a colour is not taken."""
LOST = 0.5
"""Intersection over union with the given mask below which the network has lost the subject, and the mask stands."""
CONTRAST, UNEXPLAINED, MISTAKEN = 0.08, 0.1, 0.55
"""A mixture tells the opacity if its two colours differ by CONTRAST (RGB), at most a share UNEXPLAINED of that is left
over, and the network is not further off than MISTAKEN: a thin line along the edge looks like a mixture, too."""

Window = tuple[slice, slice]


def matte(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The subject's colours (H, W, 3) and opacity (H, W), float32 in [0, 1].

    image: (H, W, 3). mask: (h, w), the same size or smaller, right to about three of its pixels. A smaller one is
    doubled in size and drawn anew, step by step. Further than REACH from its outline the mask stands.
    Raises SealError if the edge network's file is missing or damaged.
    """
    full, network, given = image.shape[:2], edge_network(), mask
    while True:
        longest = min(2 * max(mask.shape), max(full))
        size = tuple(max(1, round(side * longest / max(full))) for side in full)
        last = size == full
        mask = mask if mask.shape == size else resize(mask, *size)
        colours, mask = _drawn(network, image if last else resize(image, *size), mask, last)
        if last:
            whole = given if given.shape == size else resize(given, *size)
            return (colours, mask) if overlap(mask, whole > 0.5) >= LOST else (image, whole)


def _drawn(network: EdgeNetwork, image: np.ndarray, mask: np.ndarray, last: bool) -> tuple[np.ndarray, np.ndarray]:
    """`matte` at one size, tile by tile near the outline. last: colours and exact mixtures are wanted too."""
    solid = mask > 0.5
    colours, alpha = image.astype(np.float32), solid.astype(np.float32)
    for tile, seen, own in _tiles(solid):
        inside = solid[seen]
        band = ndimage.maximum_filter(inside, 2 * REACH + 1) ^ ndimage.minimum_filter(inside, 2 * REACH + 1)
        proposed, guessed = predict_edge(network, image[seen], mask[seen])
        found = np.where(band, guessed, inside).astype(np.float32)
        if last:
            found = snapped(_unmixed(image[seen], found))
            colours[tile] = _clean(image[seen], proposed, found)[own]
        alpha[tile] = found[own]
    if last:  # only now is the outline known: two tiles may have drawn it differently
        solid = alpha > 0.5
        for tile, seen, own in _tiles(solid):
            deep = ndimage.distance_transform_edt(solid[seen])[own] > TOUCHED
            colours[tile][deep], alpha[tile][deep] = image[tile][deep], 1
    return colours, alpha


def _tiles(solid: np.ndarray) -> Iterator[tuple[Window, Window, Window]]:
    """Tiles that an outline is near: in the picture, with a margin around, and within that."""
    for top in range(0, solid.shape[0], TILE):
        for left in range(0, solid.shape[1], TILE):
            tile = slice(top, top + TILE), slice(left, left + TILE)
            near, seen = (tuple(slice(max(0, t.start - m), t.stop + m) for t in tile) for m in (REACH, MARGIN))
            own = tuple(slice(t.start - s.start, t.stop - s.start) for t, s in zip(tile, seen))
            if solid[near].any() and not solid[near].all():
                yield tile, (seen[0], seen[1]), (own[0], own[1])


def _unmixed(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Opacity that is exact at crisp edges: where a mixture of the colours further in and further out explains a pixel,
    its share counts, and not what the network guessed."""
    solid = alpha > 0.5
    inside, outside = ndimage.distance_transform_edt(solid), ndimage.distance_transform_edt(~solid)
    front, back = (alpha > SOLID) & (inside > 1.5), (alpha < 1 - SOLID) & (outside > 1.5)
    if not front.any() or not back.any():
        return alpha
    soft = inside + outside < 3
    share, explained = _mixture(image[nearest(front)][soft], image[nearest(back)][soft], image[soft])
    told = explained & (np.abs(share - alpha[soft]) < MISTAKEN)
    out = alpha.copy()
    out[soft] = np.where(told, share, alpha[soft])
    return out


def _mixture(front: np.ndarray, back: np.ndarray, colour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares (N,) of `front` in colours (N, 3) between it and `back`, and whether that mixture explains them."""
    line = front - back
    length = (line * line).sum(1)
    share = (((colour - back) * line).sum(1) / np.maximum(length, 1e-6)).clip(0, 1)
    off = ((colour - back - share[:, None] * line) ** 2).sum(1)
    return share, (length > CONTRAST**2) & (off < UNEXPLAINED**2 * length)


def _clean(image: np.ndarray, proposed: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The picture's colours with the ground's taken out of the edge.

    Soft pixels, and those whose colour the network would change much, take the colour of the nearest opaque pixel that
    it leaves alone. Where that is far or of another colour, they get the network's.
    """
    change = np.abs(proposed - image).max(2)
    away = ndimage.distance_transform_edt(alpha > 0.5)
    touched = (away <= TOUCHED) & ((alpha <= SOLID) | (change >= WASHED))
    pure = (alpha > SOLID) & (change < PURE) & (away > 1.5)
    if not pure.any():
        return np.where(touched[..., None], proposed, image)
    carried = image[nearest(pure)]
    strange = np.abs(carried - proposed).max(2) > STRANGE  # of another part: the outline has a colour of its own
    clear = alpha < 1 - SOLID
    if clear.any() and strange.any():
        strange[strange] = ~_mixture(carried[strange], image[nearest(clear)][strange], image[strange])[1]
    far = ndimage.distance_transform_edt(~pure) > TOUCHED + 1
    carried = np.where((far | strange)[..., None], proposed, carried)
    return np.where(touched[..., None], carried, image)
