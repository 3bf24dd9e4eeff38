"""IMAGE and MASK inputs turned into the one kind of tensor that the rest of the core works on (ours).

Nodes send batches, single pictures, half precision, bytes, and masks with an extra channel or of another size. All code
that takes a picture or a mask from outside calls these functions. Nothing else checks shapes, types or values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..messages import SealError, notify_user
from .resize import resize

CHANNELS = (1, 3, 4)
"""Grey, RGB, RGB and alpha."""
SLACK = 1e-3
"""How far values may leave 0..1 (rounding, sharp scaling) before a warning says that they were clipped."""

Told = Callable[[str], None]


def images_of(image: Any, told: Told = notify_user, name: str = "image") -> Tensor:
    """(B, H, W, C) float32 on the CPU in [0, 1], C = 1, 3 or 4, from an IMAGE.

    image: a tensor (B, H, W, C) or (H, W, C) of any real type. Integers range to 255, or to 65535 if one is larger.
    told: called with warnings. The result may share memory with the input, so do not change it.
    Raises SealError, naming `name`, for other shapes, empty batches, and values that are NaN or infinite.
    """
    images = _tensor(image, name, "IMAGE")
    shape, images = tuple(images.shape), images[None] if images.ndim == 3 else images
    if images.ndim != 4 or images.shape[-1] not in CHANNELS:
        raise SealError(
            f"{name}: needs the shape (batch, height, width, 1, 3 or 4 channels), got {shape}; wire an IMAGE."
        )
    if 0 in shape:
        raise SealError(f"{name}: needs the shape of at least one picture and pixel, got {shape}; wire an IMAGE.")
    return _in_range(images, told, name, from_bytes=images.dtype == torch.uint8)


def masks_for(mask: Any, count: int, height: int, width: int, told: Told = notify_user, name: str = "mask") -> Tensor:
    """(count, H, W) float32 on the CPU in [0, 1], from a MASK for `count` pictures of height x width.

    mask: a tensor (B, H, W), (H, W), (B, 1, H, W) or (B, H, W, 1) of any real type, with B = `count`, or 1 for all
    pictures. Another size is resized, with a warning. Integers: 0 and 1, or as in `images_of`. Polarity is left alone.
    Raises SealError, naming `name`, for other shapes and counts, empty masks, and values that are NaN or infinite.
    """
    masks = _tensor(mask, name, "MASK")
    shape = tuple(masks.shape)
    if masks.ndim == 4 and 1 in (masks.shape[1], masks.shape[3]):
        last = masks.shape[3] == 1 and (masks.shape[1] != 1 or shape[1:3] == (height, width))
        masks = masks[..., 0] if last else masks[:, 0]
    masks = masks[None] if masks.ndim == 2 else masks
    if masks.ndim != 3:
        raise SealError(f"{name}: shape {shape} is not (batch, height, width); wire a MASK.")
    if 0 in shape:
        raise SealError(f"{name}: shape {shape} holds no pixel; wire a MASK, or leave it unwired.")
    if len(masks) not in (1, count):
        images = f"{count} image{'s' * (count > 1)}"
        raise SealError(f"{name}: {len(masks)} masks for {images}; wire one mask for all, or one each.")
    masks = _in_range(masks, told, name)
    if masks.shape[1:] != (height, width):
        if masks.amin() < masks.amax():  # LoadImage's placeholder mask is small and empty: no warning
            told(f"{name}: resized from {masks.shape[2]} x {masks.shape[1]} to the image's {width} x {height}.")
        masks = torch.stack([resize_mask(one, height, width) for one in masks])
    return masks.expand(count, -1, -1)


def resize_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """A mask (h, w) in [0, 1] at another size: area averages when smaller, bilinear when larger."""
    if mask.shape == (height, width):
        return mask
    return torch.from_numpy(resize(mask.detach().float().cpu().numpy(), height, width)).clamp(0, 1)


def rgb_and_alpha(images: Tensor) -> tuple[Tensor, Tensor | None]:
    """RGB (..., 3) and alpha (...) or None, of images as `images_of` returns them."""
    if images.shape[-1] == 1:
        return images.expand(*images.shape[:-1], 3), None
    return images[..., :3], images[..., 3] if images.shape[-1] == 4 else None


def _tensor(value: Any, name: str, kind: str) -> Tensor:
    if not isinstance(value, Tensor) or value.is_complex() or value.layout != torch.strided:
        what = f"a tensor of {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
        raise SealError(f"{name}: is {what}, which is no {kind}; wire an {kind}.".replace("an MASK", "a MASK"))
    return value.detach()


def _in_range(values: Tensor, told: Told, name: str, from_bytes: bool = False) -> Tensor:
    whole = not values.is_floating_point() and values.dtype != torch.bool
    values = values.to("cpu", torch.float32)
    low, high = (float(v) for v in values.aminmax())  # NaN shows in both, so one pass is enough
    if not (math.isfinite(low) and math.isfinite(high)):
        raise SealError(f"{name}: has values that are not numbers (NaN or infinite); check the node before.")
    if whole and (from_bytes or high > 1):
        scale = 255.0 if high <= 255 else 65535.0
        values, low, high = values / scale, low / scale, high / scale
    if low < -SLACK or high > 1 + SLACK:
        told(f"{name}: values outside 0..1 were clipped.")
    return values.clamp(0, 1) if low < 0 or high > 1 else values
