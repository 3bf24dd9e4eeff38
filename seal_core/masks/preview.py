"""A mask laid over its picture, for people to look at."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ..pictures.inputs import resize_mask, rgb_and_alpha
from ..pictures.resize import resize
from .doubts import APART, overlap


def mask_overlay(image: Tensor, mask: Tensor, other: np.ndarray | None = None) -> Tensor:
    """Preview (H, W, 3): the foreground unchanged, the ground dim and magenta, a white line between them.

    other: another reading (h, w). If it is far from the mask, what it has more is tinted yellow, and what it has less
    is hatched in yellow.
    """
    rgb, _ = rgb_and_alpha(image)
    m = resize_mask(mask, *rgb.shape[:2])[..., None]
    tint = 0.25 * rgb + 0.75 * torch.tensor([0.85, 0.1, 0.55])
    out = rgb * m + tint * (1 - m)
    solid = (m[..., 0] > 0.5).numpy()
    width = max(1, round(max(solid.shape) / 400))
    line = ndimage.binary_dilation(solid, iterations=width) & ~solid
    out[torch.from_numpy(line)] = 1.0
    second = None if other is None else resize(other, *solid.shape) > 0.5
    if second is not None and overlap(second.astype(np.float32), solid.astype(np.float32)) < APART:
        across = np.add.outer(np.arange(solid.shape[0]), np.arange(solid.shape[1]))
        hatched = solid & ~second & (across // (2 * width) % 4 == 0)
        out[torch.from_numpy(second & ~solid | hatched)] *= 0.4
        out[torch.from_numpy(second & ~solid | hatched)] += 0.6 * torch.tensor([1.0, 0.85, 0.0])
    return out.clamp(0, 1)
