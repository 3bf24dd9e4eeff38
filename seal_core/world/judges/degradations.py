"""Flaws of generated stickers, added to renders for training and testing the judges (ours).

Each maps images (B, 3, H, W) in [0, 1] to the same shape. strength: 0 (nothing) to 1 (plainly visible). Random details
are drawn once per batch or per image.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

Degradation = Callable[[Tensor, float, Generator], Tensor]


def gaussian_blur(images: Tensor, strength: float, generator: Generator) -> Tensor:
    """Gaussian, sigma up to 1.6 px at 128 px."""
    sigma = max(1.6 * strength * images.shape[-1] / 128, 1e-3)
    reach = max(1, math.ceil(2.5 * sigma))
    kernel = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    planes = F.pad(images, (reach,) * 4, mode="replicate").flatten(0, 1)[:, None]
    planes = F.conv2d(F.conv2d(planes, kernel), kernel.transpose(-1, -2))
    return planes.view(images.shape)


def noise(images: Tensor, strength: float, generator: Generator) -> Tensor:
    """White noise, standard deviation up to 0.06."""
    return (images + 0.1 * strength * torch.randn(images.shape, generator=generator)).clamp(0, 1)


def blotches(images: Tensor, strength: float, generator: Generator) -> Tensor:
    """Coloured noise in cells of 8 and 4 px (a latent cell and half of one), up to 0.06: unfinished denoising."""
    result = images
    for cell in (4, 8):
        size = (max(2, images.shape[-2] // cell), max(2, images.shape[-1] // cell))
        coarse = torch.randn(len(images), 3, *size, generator=generator)
        result = result + 0.06 * strength * F.interpolate(coarse, images.shape[-2:], mode="bilinear")
    return result.clamp(0, 1)


def jpeg(images: Tensor, strength: float, generator: Generator) -> Tensor:
    """JPEG: quantised 8 x 8 cosine blocks in YCbCr, colour at half the size; strength 1 is about quality 15."""
    steps = _quantisation().to(images) * (2.2 * strength / 255) + 1e-4
    y, colour = _to_ycc(images).split((1, 2), dim=1)
    colour = _quantised(F.avg_pool2d(colour, 2), 1.3 * steps)
    colour = F.interpolate(colour, images.shape[-2:], mode="bilinear")
    return _from_ycc(torch.cat([_quantised(y, steps), colour], dim=1)).clamp(0, 1)


def colour_shift(images: Tensor, strength: float, generator: Generator) -> Tensor:
    """Random brightness, contrast and tint per image, too little to change a colour's name."""
    tint, light, contrast = (
        strength * (2 * torch.rand(len(images), n, 1, 1, generator=generator) - 1) for n in (3, 1, 1)
    )
    return ((images - 0.5) * (1 + 0.12 * contrast) + 0.5 + 0.05 * light + 0.03 * tint).clamp(0, 1)


def warp(images: Tensor, strength: float, generator: Generator) -> Tensor:
    """Shifted up to 4 px, turned up to 4 degrees, scaled up to 4 %, and softly bent by about 1.5 px (at 128 px)."""
    count = len(images)
    turn, scale, *shift = strength * (2 * torch.rand(4, count, generator=generator) - 1)
    turn, scale = turn * math.radians(4), 1 + 0.04 * scale
    rows = [scale * turn.cos(), -scale * turn.sin(), shift[0] * 8 / 128, scale * turn.sin(), scale * turn.cos(),
            shift[1] * 8 / 128]  # fmt: skip
    grid = F.affine_grid(torch.stack(rows, dim=1).view(count, 2, 3), list(images.shape), align_corners=False)
    bend = F.interpolate(torch.randn(count, 2, 6, 6, generator=generator), images.shape[-2:], mode="bicubic")
    grid = grid + strength * (2.0 * 1.5 / 128) * bend.movedim(1, -1)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def soften(images: Tensor, strength: float, generator: Generator) -> Tensor:
    """Loses detail as a small autoencoder does: weakens a Laplacian pyramid's finest levels, 2 px nearly to nothing."""
    result = images
    for level, kept in ((2, 1 - 0.9 * strength), (4, 1 - 0.45 * strength)):
        coarse = F.interpolate(F.avg_pool2d(result, level), images.shape[-2:], mode="bilinear")
        result = coarse + kept * (result - coarse)
    return result.clamp(0, 1)


def ghost(images: Tensor, strength: float, generator: Generator) -> Tensor:
    """Another image of the batch shines through, up to 15 %, as from averaged samples."""
    return images + 0.15 * strength * (images.roll(1, dims=0) - images)


def patches(images: Tensor, strength: float, generator: Generator) -> Tensor:
    """Three rectangles per image, sides up to 14 px, in its mean colour: parts that went wrong."""
    count, (height, width) = len(images), images.shape[-2:]
    y, x = torch.arange(height)[:, None], torch.arange(width)
    for _ in range(3):
        top, left, tall, wide = torch.rand(4, count, 1, 1, generator=generator)
        tall, wide = (strength * (0.25 + 0.75 * side) * 14 * height / 128 for side in (tall, wide))
        top, left = top * height, left * width
        hit = (y >= top) & (y < top + tall) & (x >= left) & (x < left + wide)
        images = torch.where(hit[:, None], images.mean(dim=(2, 3), keepdim=True), images)
    return images


DEGRADATIONS: Mapping[str, Degradation] = {
    "blur": gaussian_blur,
    "noise": noise,
    "blotches": blotches,
    "jpeg": jpeg,
    "colour": colour_shift,
    "warp": warp,
    "soften": soften,
    "ghost": ghost,
    "patches": patches,
}
"""By name; `mixed` combines them."""


def mixed(images: Tensor, strength: float, generator: Generator, groups: int = 8) -> Tensor:
    """Several at once: each of `groups` parts of the batch gets a quarter of them on average, each at a strength drawn
    from 0..`strength`."""
    parts = []
    for part in images.chunk(min(groups, len(images))):
        for degrade in DEGRADATIONS.values():
            chosen, how = torch.rand(2, generator=generator).tolist()
            if chosen < 1 / 4:
                part = degrade(part, how * strength, generator)
        parts.append(part)
    return torch.cat(parts)


def _to_ycc(images: Tensor) -> Tensor:
    return torch.einsum("ij,bjhw->bihw", _YCC.to(images), images) - _YCC.new_tensor([0.5, 0, 0]).view(3, 1, 1)


def _from_ycc(images: Tensor) -> Tensor:
    back = torch.linalg.inv(_YCC).to(images)
    return torch.einsum("ij,bjhw->bihw", back, images + _YCC.new_tensor([0.5, 0, 0]).view(3, 1, 1))


_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
"""JFIF's matrix."""


def _quantised(planes: Tensor, steps: Tensor) -> Tensor:
    """planes (B, C, H, W) with H and W multiples of 8; steps (8, 8)."""
    basis = _cosines().to(planes)
    batch, channels, height, width = planes.shape
    blocks = planes.reshape(batch, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    waves = basis @ blocks @ basis.T
    blocks = basis.T @ ((waves / steps).round() * steps) @ basis
    return blocks.transpose(3, 4).reshape(planes.shape)


@functools.lru_cache(maxsize=1)
def _cosines() -> Tensor:
    """The orthonormal 8 x 8 cosine transform."""
    k, n = torch.arange(8.0)[:, None], torch.arange(8.0)
    rows = torch.cos(math.pi / 8 * (n + 0.5) * k) / 2
    rows[0] /= math.sqrt(2)
    return rows


@functools.lru_cache(maxsize=1)
def _quantisation() -> Tensor:
    """Steps that grow with the frequency, in grey levels: 12 for the mean, 96 for the finest, as JPEG tables do."""
    k = torch.arange(8.0)
    return 12 + 6 * (k[:, None] + k)
