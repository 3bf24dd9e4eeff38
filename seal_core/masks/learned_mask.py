"""The segmenter's mask at full size, and whether it beats the border flood's where nobody chose a method (ours).

The flood is exact where colours separate the subject from its ground. Where they do not, it loses a whole rim or keeps
a whole landscape. The segmenter is never far off on stickers, but it is coarser and may include a drop shadow. So the
flood wins where both nearly agree, and otherwise the segmenter, if it is confident enough. The thresholds were chosen
on StickerWorld's validation characters and on emoji that no table reports.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..messages import SealError
from ..pictures.matting import sample_matte
from ..pictures.resize import resize
from .edge_network import refine_edge
from .segmenter import coarse_mask

AGREE = 0.95
"""Intersection over union (IoU) of both masks from which the flood's is taken as right."""
NEAR, SURE_NEAR = 0.88, 0.955
"""If the IoU is at least NEAR, the segmenter needs a confidence of SURE_NEAR."""
SURE = 0.935
"""The confidence it needs between FAR and NEAR, or where the flood found nothing."""
FAR, SURE_FAR = 0.75, 0.85
"""Below FAR one of the two is altogether wrong, seldom the segmenter: SURE_FAR is enough."""
SURE_SHADOW, FAINT, CRISPER = 0.96, 0.1, 3.5
"""The confidence it needs where its mask may include a shadow. A shadow's outline has a contrast below FAINT, and the
flood's outline inside it is CRISPER times as strong."""
SURE_PARTS, CLEAR = 0.95, 0.1
"""Where both nearly agree, a segmenter this confident may correct parts of the flood: it removes a part where its own
opacity is below CLEAR, and adds one where that is above 1 - CLEAR."""

_BOX = np.ones((3, 3), bool)


def learned_mask(image: np.ndarray) -> np.ndarray:
    """Soft foreground mask (H, W) float32 in [0, 1] of an image (H, W, 3) in [0, 1].

    All zero if the network sees no subject, and for pictures with a side below `segmenter.LEAST`. Raises SealError if
    the network's file is missing or damaged.
    """
    return full_size_mask(image, coarse_mask(image)[0])


def full_size_mask(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A mask (h, w) of a smaller copy at the size of the image (H, W, 3), with its outline found anew.

    The edge network finds it, or colour samples if that network's file cannot be read.
    """
    if mask.shape == image.shape[:2]:
        return mask
    try:
        return refine_edge(image, mask)[1]
    except SealError:
        return sample_matte(image, resize(mask, *image.shape[:2]), decided=True)[1]


def better_than_flood(image: np.ndarray, flooded: np.ndarray | None) -> np.ndarray | None:
    """The segmenter's mask (H, W) of an image (H, W, 3) if it should replace the flood's (H, W), else None.

    flooded: None if the flood found nothing usable. Also None if the segmenter's file cannot be read.
    """
    try:
        small, sure = coarse_mask(image)
    except SealError:
        return None  # method "learned" reports the broken file; here the flood is still there to fall back on
    if not (small > 0.5).any() or (small > 0.5).all():
        return None
    least = SURE
    if flooded is not None:
        whole, flooded = flooded, resize(flooded, *small.shape)
        agree = agreement(flooded, small)
        if agree >= AGREE:
            return _corrected(image, whole, small, flooded) if sure >= SURE_PARTS else None
        least = SURE_NEAR if agree >= NEAR else SURE if agree >= FAR else SURE_FAR
        if sure < SURE_SHADOW and _shadowed(resize(image, *small.shape), small > 0.5, flooded > 0.5):
            return None
    return full_size_mask(image, small) if sure >= least else None


def _corrected(image: np.ndarray, whole: np.ndarray, small: np.ndarray, flooded: np.ndarray) -> np.ndarray | None:
    """The flood's mask with the parts corrected about which the segmenter is sure, or None if there are none.

    It removes a shadow under the feet or ground between two legs, and adds a rim of the ground's colour.
    whole: the flood's mask (H, W). small, flooded: the segmenter's and the flood's (h, w).
    """
    ours, theirs = small > 0.5, flooded > 0.5
    parts = np.zeros(small.shape, bool)
    for differ, clear in ((theirs & ~ours, small < CLEAR), (ours & ~theirs, small > 1 - CLEAR)):
        seeds = ndimage.binary_opening(differ & clear, _BOX)
        parts |= ndimage.binary_propagation(seeds, mask=differ)
    if not parts.any():
        return None
    near = resize(ndimage.binary_dilation(parts, _BOX).astype(np.float32), *whole.shape) > 0.5
    return np.where(near, full_size_mask(image, small), whole)


def agreement(one: np.ndarray, two: np.ndarray) -> float:
    """Soft intersection over union of two masks (H, W), 0 to 1."""
    return float(np.minimum(one, two).sum() / max(np.maximum(one, two).sum(), 1e-6))


def _shadowed(image: np.ndarray, wide: np.ndarray, narrow: np.ndarray) -> bool:
    """Whether `wide` adds a drop shadow to `narrow`: its outline fades out where that of `narrow` is crisp."""
    if not narrow.any() or (narrow & ~wide).sum() > 0.04 * narrow.sum() or (wide & ~narrow).sum() < 0.1 * wide.sum():
        return False
    contrast = (ndimage.maximum_filter(image, (3, 3, 1)) - ndimage.minimum_filter(image, (3, 3, 1))).max(2)
    rims = [mask & ~ndimage.binary_erosion(mask, _BOX, border_value=1) for mask in (wide, narrow)]
    apart = [rim & (ndimage.distance_transform_edt(~other) > 2) for rim, other in (rims, rims[::-1])]
    if not all(part.any() for part in apart):
        return False
    outer, inner = (float(np.median(contrast[part])) for part in apart)
    return outer < FAINT and inner > CRISPER * outer
