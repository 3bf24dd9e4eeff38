"""A mask laid over its picture, for people to look at."""

from __future__ import annotations

import torch
from scipy import ndimage
from torch import Tensor

from ..pictures.inputs import resize_mask, rgb_and_alpha


def mask_overlay(image: Tensor, mask: Tensor) -> Tensor:
    """Preview (H, W, 3): the foreground unchanged, the ground dim and magenta, a white line between them."""
    rgb, _ = rgb_and_alpha(image)
    m = resize_mask(mask, *rgb.shape[:2])[..., None]
    tint = 0.25 * rgb + 0.75 * torch.tensor([0.85, 0.1, 0.55])
    out = rgb * m + tint * (1 - m)
    solid = (m[..., 0] > 0.5).numpy()
    width = max(1, round(max(solid.shape) / 400))
    line = ndimage.binary_dilation(solid, iterations=width) & ~solid
    out[torch.from_numpy(line)] = 1.0
    return out.clamp(0, 1)
