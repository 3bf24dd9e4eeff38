"""What a learned concept looks like at a glance, as one small picture file."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..masks.preview import mask_overlay
from ..stickers.contact_sheet import contact_sheet

_CELL, _QUALITY = 384, 88


def preview_sheet(image: Tensor, mask: Tensor, other: np.ndarray | None, attention: Tensor) -> bytes:
    """A JPEG: the sticker and its mask, and below `attention`, a figure (H, W, 3) of what the word looks at.

    image (H, W, C), mask (H, W) with foreground = 1. other: another reading of it (see `masks.preview`), or None.
    """
    top = contact_sheet([image, mask_overlay(image, mask, other)], columns=2, cell=_CELL, ground="white")[0]
    wide = max(top.shape[1], attention.shape[1])
    sheet = torch.cat([_widened(part, wide) for part in (top, attention)])
    buffer = io.BytesIO()
    Image.fromarray((sheet.clamp(0, 1) * 255).round().to(torch.uint8).numpy()).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _widened(part: Tensor, wide: int) -> Tensor:
    """In the middle of a strip of the colour of its corner."""
    left = (wide - part.shape[1]) // 2
    sheet = part[:1, :1].expand(part.shape[0], wide, 3).clone()
    sheet[:, left : left + part.shape[1]] = part
    return sheet
