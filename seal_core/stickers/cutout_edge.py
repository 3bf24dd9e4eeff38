"""A cut-out's edge: opacity and colours, from the colours on both sides or from the edge network (ours)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..masks.edge_network import refine_edge
from ..messages import SealError
from ..pictures.matting import nearest, sample_matte, snapped, unexplained_share

SOLID = 0.99
"""Opacity above which a pixel, to the edge network, shows the subject alone."""
PURE, WASHED = 0.005, 0.03
"""Colour changes by the network: pixels below PURE lend their colour to others; those from WASHED on take another's."""
MIN_CARRY, CARRY = 4, 0.04
"""How far colours are carried: pixels, and a share of the picture's longer side."""
WRONG, DOUBTED, UNEXPLAINED = 0.2, 0.14, 0.08
"""The opacity that the colours give is compared with the edge network's. It is rejected if it differs by WRONG on
average, or by DOUBTED where more than a share UNEXPLAINED of the edge's pixels is no mixture of colours. Chosen on
emoji and StickerWorld's validation characters, where a perfect choice between the two would err no less."""


def redrawn_edge(image: np.ndarray, mask: np.ndarray, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Colours (H, W, 3) and alpha (H, W) of an edge, from a mask whose outline is right to a few pixels.

    The colours on both sides give a crisp edge's alpha best. A rim thinner than a pixel, as on die-cut stickers, is no
    mixture of them, and neither is watercolour: there the edge network decides. source: the method that gave the mask.
    """
    drawn = source == "alpha"  # by a person or another tool: pixels keep their side of the outline
    try:
        proposed, alpha = refine_edge(image, mask)
    except SealError:
        return sample_matte(image, mask, decided=source != "border")
    if drawn:
        alpha = np.where(mask > 0.5, np.maximum(alpha, 0.51), np.minimum(alpha, 0.49))
    if source != "learned":
        told = sample_matte(image, mask, decided=drawn)[1]
        doubt = _apart(told, alpha)
        if doubt < DOUBTED or (doubt < WRONG and unexplained_share(image, mask) < UNEXPLAINED):
            alpha = told
    return _clean(image, proposed, alpha), snapped(alpha)


def _apart(alpha: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of two opacities (H, W) where either is soft."""
    soft = (alpha > 0.02) & (alpha < 0.98) | (other > 0.02) & (other < 0.98)
    return float(np.abs(alpha - other)[soft].mean()) if soft.any() else 0.0


def _clean(image: np.ndarray, proposed: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The picture's colours (H, W, 3) with the ground's taken out of the edge.

    Some styles wash the ground into the subject, further in than its soft edge. So soft pixels, and those whose colour
    the network would change much, take the colour of the nearest opaque pixel that it leaves alone. Parts too thin to
    have such a pixel get the network's colours.
    """
    change = np.abs(proposed - image).max(2)
    pure = (ndimage.minimum_filter(alpha, 3) > 0.5) & (alpha > SOLID) & (change < PURE)
    if not pure.any():
        return proposed
    away, where = ndimage.distance_transform_edt(~pure, return_indices=True)
    far = away > max(MIN_CARRY, CARRY * max(alpha.shape))
    washed = (alpha <= SOLID) | (change >= WASHED)
    return np.where(washed[..., None], np.where(far[..., None], proposed, image[tuple(where)]), image)


def has_hard_edge(image: np.ndarray, solid: np.ndarray) -> bool:
    """Whether the picture has no soft edge along a mask (H, W) bool: all pixels just outside are the ground's.

    So it is in pixel art, and in the colours hidden beside a file's alpha.
    """
    outside = ndimage.distance_transform_edt(~solid)
    ring, beyond = (outside > 0) & (outside < 1.2), outside >= 2
    if not ring.any() or not beyond.any():
        return True
    off = np.abs(image[ring] - image[nearest(beyond)][ring]).max(1)
    return bool((off < 0.02).mean() > 0.98)
