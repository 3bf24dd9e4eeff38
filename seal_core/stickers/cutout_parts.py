"""Which parts and holes of a cut-out stay: the subject without specks and pinholes (ours)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..pictures.matting import nearest

KEEP = ("main", "largest", "all")
"""main: the largest part and what is near it or large too. largest: that part alone. all: everything but specks."""
FAINT = 0.1
"""Opacity from which a pixel belongs to a part."""
LARGE, CLOSE = 0.05, 0.06
"""What belongs to "main": parts from LARGE of the largest part's area, or within CLOSE of the picture's longer side."""

_BOX = np.ones((3, 3), bool)


def without_specks(alpha: np.ndarray, keep: str, specks: float) -> np.ndarray:
    """Alpha (H, W) with only the parts that `keep` and `specks` (a share of the largest) let stay, and holes filled."""
    seen = alpha > FAINT
    labels, count = ndimage.label(seen, _BOX)
    if not count:
        return alpha
    areas = ndimage.sum_labels(alpha, labels, np.arange(count + 1))
    areas[0] = 0
    largest = int(areas.argmax())
    kept = areas >= max(specks * areas[largest], 1e-6)
    if keep != "all" and count > 1:
        kept = kept & (np.arange(count + 1) == largest) if keep == "largest" else kept & _belongs(labels, areas)
    kept[0] = False
    if not kept.all() and kept[1:].sum() < count:
        # Pixels below FAINT stay or go with the nearest part.
        alpha = np.where(kept[labels][nearest(seen)], alpha, 0)
    return _without_pinholes(alpha, 0.2 * specks * areas[largest])


def _belongs(labels: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """For each label, whether it is large, or joined to the largest part by a chain of small gaps."""
    largest = int(areas.argmax())
    reach = CLOSE * max(labels.shape) / 2
    groups, _ = ndimage.label(ndimage.distance_transform_edt(labels == 0) <= reach, _BOX)
    group = np.zeros(len(areas), int)
    group[labels.ravel()] = groups.ravel()  # every part lies wholly in one group
    return (areas >= LARGE * areas[largest]) | (group == group[largest])


def _without_pinholes(alpha: np.ndarray, area: float) -> np.ndarray:
    """Alpha (H, W) with enclosed holes smaller than `area` pixels filled."""
    labels, count = ndimage.label(alpha < 0.9)
    if not count or area < 1:
        return alpha
    sizes = ndimage.sum_labels(1 - alpha, labels, np.arange(count + 1))
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    filled = sizes < area
    filled[rim] = False
    filled[0] = False
    return np.where(filled[labels], 1, alpha).astype(np.float32)
