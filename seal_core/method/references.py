"""References: what a training is given, already fitted (see `fitting`)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Reference:
    """A fitted reference: image (H, W, 3) and mask (H, W), both float32 in [0, 1], foreground = 1."""

    image: Tensor
    mask: Tensor


def latent_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """A mask (H, W), or masks (B, H, W), at the latents' size (height, width), by area."""
    masks = mask if mask.ndim == 3 else mask[None]
    small = torch.nn.functional.interpolate(masks[:, None], size=(height, width), mode="area")[:, 0]
    return small if mask.ndim == 3 else small[0]


def digest(*tensors: Tensor) -> str:
    """Hash of pictures and masks, shapes included, for the hash of a training."""
    total = hashlib.sha256()
    for tensor in tensors:
        values = tensor.detach().float().cpu().contiguous()
        total.update(str(tuple(values.shape)).encode())
        total.update(values.numpy().tobytes())
    return total.hexdigest()[:16]
