"""Reference pictures: from whatever an image input carries to what the training takes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .errors import SealError
from .masks import coverage, foreground_from_mask, resize_mask

SMALLEST = 16
"""Pixels of the shorter side below which a picture shows no subject on a ground."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A fitted reference: image (H, W, 3) and mask (H, W), both float32 in [0, 1], foreground = 1."""

    image: Tensor
    mask: Tensor


def prepare(
    images: Tensor, masks: Tensor, resolution: int, polarity: str = "auto", multiple: int = 8
) -> tuple[list[Reference], list[str]]:
    """References fitted to `resolution`, and what was noticed on the way.

    images: (B, H, W, C) in [0, 1] with 1, 3 or 4 channels. masks: (B, H, W), (1, H, W) or (H, W), one
    each or one for all; another size is resized. resolution: the longer side in pixels; the shorter one
    follows the picture's shape and is padded with the ground's colour, so nothing is distorted. Sides are
    multiples of 64 where the resolution is, so that every level of a U-Net divides evenly.
    Raises SealError naming `image` or `mask`.
    """
    images, warnings = _rgb(images)
    masks = _one_each(masks, images)
    if masks.shape[-2:] != images.shape[1:3]:
        have, want = (f"{s[1]} x {s[0]}" for s in (masks.shape[-2:], images.shape[1:3]))
        warnings.append(f"mask: resized from {have} to the image's {want}.")
        masks = torch.stack([resize_mask(m, *images.shape[1:3]) for m in masks])
    step = 64 if resolution % 64 == 0 else multiple
    references = []
    for i in range(len(images)):
        mask = foreground_from_mask(masks[i if len(masks) > 1 else 0], polarity)
        share = coverage(mask)
        if not 0.001 < share < 0.999:
            what = "empty" if share < 0.5 else "full"
            raise SealError(
                f"mask: {what} ({share:.1%} of the image is foreground), so there is no subject on a ground. "
                "Wire SemanticMask's mask, or check mask_polarity."
            )
        references.append(_fitted(images[i], mask, resolution, step))
    return references, warnings


def _rgb(images: Tensor) -> tuple[Tensor, list[str]]:
    if images.ndim != 4 or images.shape[-1] not in (1, 3, 4) or 0 in images.shape:
        raise SealError(f"image: shape {tuple(images.shape)} is not (batch, height, width, 1, 3 or 4 channels).")
    images = images.detach().float().cpu()
    height, width = images.shape[1:3]
    if min(height, width) < SMALLEST:
        raise SealError(f"image: {width} x {height} is too small to train from; use at least {SMALLEST} pixels a side.")
    if not images.isfinite().all():
        raise SealError("image: has values that are not numbers (NaN or infinite); check the node before.")
    warnings = []
    if images.min() < 0 or images.max() > 1:
        warnings.append("image: values outside 0..1 were clipped.")
        images = images.clamp(0, 1)
    if images.shape[-1] == 1:
        images = images.expand(*images.shape[:3], 3)
    elif images.shape[-1] == 4:
        warnings.append("image: its alpha was laid on white.")
        images = images[..., :3] * images[..., 3:] + 1 - images[..., 3:]
    return images, warnings


def _one_each(masks: Tensor, images: Tensor) -> Tensor:
    masks = masks.detach().float().cpu()
    masks = masks[None] if masks.ndim == 2 else masks
    if masks.ndim != 3 or 0 in masks.shape:
        raise SealError(f"mask: shape {tuple(masks.shape)} is not (batch, height, width).")
    if len(masks) not in (1, len(images)):
        raise SealError(
            f"mask: {len(masks)} masks for {len(images)} image{'s' * (len(images) > 1)}; wire one mask for all, or one each."
        )
    if not masks.isfinite().all():
        raise SealError("mask: has values that are not numbers (NaN or infinite); check the node before.")
    return masks.clamp(0, 1)


def _fitted(image: Tensor, mask: Tensor, resolution: int, step: int) -> Reference:
    """Scale to the longer side and pad the shorter one, picture and mask alike."""
    height, width = image.shape[:2]
    scale = resolution / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    channels = [_scaled(image[..., c], size) for c in range(3)]
    fitted, fitted_mask = torch.stack(channels, dim=-1), _scaled(mask, size, Image.Resampling.BOX)
    pad_x, pad_y = ((-(-side // step) * step - side) for side in size)
    left, top = pad_x // 2, pad_y // 2
    canvas = _border_colour(fitted).expand(size[1] + pad_y, size[0] + pad_x, 3).clone()
    canvas_mask = torch.zeros(canvas.shape[:2])
    canvas[top : top + size[1], left : left + size[0]] = fitted
    canvas_mask[top : top + size[1], left : left + size[0]] = fitted_mask
    return Reference(canvas, canvas_mask)


def _scaled(plane: Tensor, size: tuple[int, int], down: Image.Resampling = Image.Resampling.LANCZOS) -> Tensor:
    """One float plane at another size (width, height); enlarged bicubically whatever shrinks it."""
    picture = Image.fromarray(plane.numpy().astype(np.float32), mode="F")
    method = down if size[0] <= picture.width else Image.Resampling.BICUBIC
    return torch.from_numpy(np.array(picture.resize(size, method))).clamp(0, 1)


def _border_colour(image: Tensor) -> Tensor:
    frame = torch.cat([image[0], image[-1], image[:, 0], image[:, -1]])
    return frame.median(dim=0).values


def latent_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """A mask (H, W) at the latents' size (height, width), by area."""
    return torch.nn.functional.interpolate(mask[None, None], size=(height, width), mode="area")[0, 0]


def digest(*tensors: Tensor) -> str:
    """Hash of pictures and masks, shapes included, for the hash of a training."""
    total = hashlib.sha256()
    for tensor in tensors:
        values = tensor.detach().float().cpu().contiguous()
        total.update(str(tuple(values.shape)).encode())
        total.update(values.numpy().tobytes())
    return total.hexdigest()[:16]
