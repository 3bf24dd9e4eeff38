"""What is done to a mask after it was found: growing, shrinking, feathering."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ..messages import SealError


def grow_mask(mask: Tensor, px: int) -> Tensor:
    """Grow (px > 0) or shrink (px < 0) a mask (H, W) by up to 64 pixels of Euclidean distance. Its edge stays soft."""
    if not -64 <= px <= 64:
        raise SealError(f"grow: {px} is out of range; use -64 to 64 pixels.")
    if px == 0:
        return mask
    soft = mask.numpy() if px > 0 else 1 - mask.numpy()
    solid = soft > 0.5
    if not solid.any():
        return mask
    # Distance to the outline within its pixel: the coverage of the outermost solid pixels says where it runs.
    distance, where = ndimage.distance_transform_edt(~solid, return_indices=True)
    edge = distance - (soft[tuple(where)] - 0.5)
    grown = np.maximum(soft, np.clip(abs(px) + 0.5 - np.where(solid, 0, edge), 0, 1)).astype(np.float32)
    return torch.from_numpy(grown if px > 0 else 1 - grown)


def feather_mask(mask: Tensor, px: float) -> Tensor:
    """Soften a mask (H, W) over about `px` pixels (0..64): a Gaussian of standard deviation px / 2."""
    if not 0 <= px <= 64:
        raise SealError(f"feather: {px} is out of range; use 0 to 64 pixels.")
    if px == 0:
        return mask
    return torch.from_numpy(ndimage.gaussian_filter(mask.numpy(), px / 2, mode="nearest")).clamp(0, 1)
