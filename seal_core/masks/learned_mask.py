"""Border flood or learned segmenter: which of the two masks a picture gets where nobody chose (ours).

The flood is exact where colours part the subject from its ground, and wrong by a whole rim or a whole landscape where
they do not; the segmenter is never far off on stickers, but coarser, and may take a drop shadow for a part of one. So
the flood is kept where both nearly agree, and otherwise the segmenter is believed as far as it is sure. The figures
were chosen on StickerWorld's validation characters and on emoji that no table reports.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..messages import SealError
from ..pictures.resize import resize
from .segmenter import coarse_mask, full_size_mask

AGREE = 0.95
"""Intersection over union of both from which the flood's mask is taken for right."""
NEAR, SURE_NEAR = 0.88, 0.955
"""From this agreement on, what the segmenter must expect of its own mask to be believed."""
SURE = 0.935
"""The same where they differ by more, or the flood found nothing."""
FAR, SURE_FAR = 0.75, 0.85
"""And where they have so little in common that one of them is altogether wrong, which is seldom the segmenter."""
SURE_SHADOW, FAINT, CRISPER = 0.96, 0.1, 3.5
"""What the segmenter must expect of its own mask to be believed where that may hold a shadow; a shadow's end: contrast
of its outline, and how many times that the flood's outline inside of it must have."""

SURE_PARTS, CLEAR = 0.95, 0.1
"""Where they nearly agree, what the segmenter must expect of its own mask, and how little it must see of the subject
in a part, that this is taken out (or how much, that it is put in)."""

_BOX = np.ones((3, 3), bool)


def better_than_flood(image: np.ndarray, flooded: np.ndarray | None) -> np.ndarray | None:
    """The segmenter's mask (H, W) of an image (H, W, 3) where it is to be preferred to the border flood's (H, W), which
    is None where that found nothing usable. None where the flood's is, or where the segmenter's file cannot be read.
    """
    try:
        small, sure = coarse_mask(image)
    except SealError:
        return None  # method "learned" says what is wrong with the file; here there is the flood to fall back to
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
    """The flood's mask without the parts that the segmenter is sure are none of the subject's, and with those that it
    is sure are: a shadow under the feet, ground between two legs, a rim of the ground's colour. None if there are none.

    whole: the flood's (H, W); small, flooded: the segmenter's and the flood's (h, w).
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
    """Whether what `wide` has beyond `narrow` looks like a drop shadow: it fades out, where `narrow` ends crisply."""
    if not narrow.any() or (narrow & ~wide).sum() > 0.04 * narrow.sum() or (wide & ~narrow).sum() < 0.1 * wide.sum():
        return False
    contrast = (ndimage.maximum_filter(image, (3, 3, 1)) - ndimage.minimum_filter(image, (3, 3, 1))).max(2)
    rims = [mask & ~ndimage.binary_erosion(mask, _BOX, border_value=1) for mask in (wide, narrow)]
    apart = [rim & (ndimage.distance_transform_edt(~other) > 2) for rim, other in (rims, rims[::-1])]
    if not all(part.any() for part in apart):
        return False
    outer, inner = (float(np.median(contrast[part])) for part in apart)
    return outer < FAINT and inner > CRISPER * outer
