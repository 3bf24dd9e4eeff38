"""Border flood or learned segmenter: which of the two masks a picture gets where nobody chose (ours).

The flood is exact where colours part the subject from its ground, and wrong by a whole rim or a whole landscape where
they do not; the segmenter is never far off on stickers, but coarser. So the flood is kept where both agree, and
otherwise the segmenter is believed as far as it is sure.
"""

from __future__ import annotations

import numpy as np

from .errors import SealError
from .masks_border import resize
from .segmenter import enlarged, seen

AGREE = 0.97
"""Intersection over union from which the flood's mask is taken for right."""
SURE = 0.93
"""What the segmenter must expect of its own mask to be believed against a flood that found something."""
SURE_ALONE = 0.85
"""The same where the flood found nothing."""


def preferred(image: np.ndarray, flooded: np.ndarray | None) -> np.ndarray | None:
    """The segmenter's mask (H, W) of an image (H, W, 3) where it is to be preferred to the border flood's (H, W), which
    is None where that found nothing usable. None where the flood's is, or where the segmenter's file cannot be read.
    """
    try:
        small, sure = seen(image)
    except SealError:
        return None  # method "learned" says what is wrong with the file; here there is the flood to fall back to
    if not (small > 0.5).any() or (small > 0.5).all():
        return None
    if flooded is None:
        return enlarged(image, small) if sure >= SURE_ALONE else None
    if sure < SURE or agreement(resize(flooded, *small.shape), small) >= AGREE:
        return None
    return enlarged(image, small)


def agreement(one: np.ndarray, two: np.ndarray) -> float:
    """Soft intersection over union of two masks (H, W), 0 to 1."""
    return float(np.minimum(one, two).sum() / max(np.maximum(one, two).sum(), 1e-6))
