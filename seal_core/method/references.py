"""References: what a training is given, already fitted (see `fitting`)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Reference:
    """A fitted reference: image (H, W, 3) and mask (H, W), both float32 in [0, 1], foreground = 1.

    caption: what the picture shows, told in place of the training prompts and without a concept; None = the training
    prompts. start_percent, end_percent: the part of the noise levels at which it is looked at, 0 = noisiest, within
    the concept's own. Where references differ in it, each level goes to all of those that are looked at there.
    """

    image: Tensor
    mask: Tensor
    caption: str | None = None
    start_percent: float = 0.0
    end_percent: float = 1.0


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
