"""Arrays at another size."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import interpolate


def resize(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) or (H, W, C) float32 resized: area averages when smaller, bilinear when larger."""
    data = torch.from_numpy(np.ascontiguousarray(array, np.float32))
    data = data[None, None] if data.ndim == 2 else data.permute(2, 0, 1)[None]
    smaller = height <= data.shape[2] and width <= data.shape[3]
    out = (
        interpolate(data, (height, width), mode="area")
        if smaller
        else interpolate(data, (height, width), mode="bilinear", antialias=True)
    )
    return (out[0, 0] if array.ndim == 2 else out[0].permute(1, 2, 0)).numpy()


def fitted_to(array: np.ndarray, side: int) -> np.ndarray:
    """(H, W) or (H, W, C) float32 scaled down so that its longer side is `side`; smaller ones as they are."""
    shrink = max(1.0, max(array.shape[:2]) / side)
    size = max(1, round(array.shape[0] / shrink)), max(1, round(array.shape[1] / shrink))
    return array if size == array.shape[:2] else resize(array, *size)
