"""The look that all pictures of a training share: colours, typeface, rounded corners; and tensors as pictures.

Shapes are drawn at three times their size and scaled down, text at its own size, so that both stay crisp.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

RGB = tuple[int, int, int]

PAPER, CARD, GRID = (19, 20, 29), (27, 29, 41), (47, 50, 68)
INK, MUTED, CURVE, MARK = (236, 237, 244), (146, 150, 172), (255, 148, 82), (167, 139, 250)
FINE = 3  # shapes are drawn this many times larger


@functools.cache
def typeface(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font at a size in pixels."""
    return ImageFont.load_default(size=size)


def rounded(size: tuple[int, int], radius: int) -> Image.Image:
    """A mask (width, height) of a rectangle with rounded corners."""
    mask = Image.new("L", (size[0] * FINE, size[1] * FINE))
    ImageDraw.Draw(mask).rounded_rectangle([0, 0, mask.width - 1, mask.height - 1], radius * FINE, fill=255)
    return mask.resize(size, Image.Resampling.LANCZOS)


def array_of(tensor: Tensor) -> np.ndarray:
    """float32 values; 0 for those that are not finite."""
    values = tensor.detach().to("cpu", torch.float32).numpy()
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def tensor_of(picture: Image.Image) -> Tensor:
    """(H, W, 3) in [0, 1]."""
    return torch.from_numpy(np.asarray(picture.convert("RGB"), np.float32) / 255)


def picture_of(image: Tensor) -> Image.Image:
    """A picture of a tensor (H, W, 1 or more channels) in [0, 1]."""
    values = array_of(image)
    values = np.repeat(values, 3, -1) if values.shape[-1] == 1 else values[..., :3]
    return Image.fromarray((values.clip(0, 1) * 255).round().astype(np.uint8))


def fitted(picture: Image.Image, side: int) -> Image.Image:
    """The picture with its longer side scaled to `side`."""
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)
