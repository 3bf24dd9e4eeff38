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


def shrunk_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """A mask (H, W), or masks (B, H, W), at a smaller size such as the latents', by area."""
    planes = mask.reshape(-1, 1, *mask.shape[-2:])
    small = torch.nn.functional.interpolate(planes, size=(height, width), mode="area")
    return small.reshape(*mask.shape[:-2], height, width)


def digest(*tensors: Tensor) -> str:
    """Hash of pictures and masks, shapes included, for the hash of a training."""
    total = hashlib.sha256()
    for tensor in tensors:
        values = tensor.detach().float().cpu().contiguous()
        total.update(str(tuple(values.shape)).encode())
        total.update(values.numpy().tobytes())
    return total.hexdigest()[:16]
