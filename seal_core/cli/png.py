"""A picture as the bytes of a PNG file."""

from __future__ import annotations

import io

import torch
from PIL import Image, PngImagePlugin
from torch import Tensor


def png_bytes(image: Tensor, texts: dict[str, str] | None = None) -> bytes:
    """A picture (H, W, 3) in [0, 1] as PNG. texts: what its text chunks say."""
    info = PngImagePlugin.PngInfo()
    for key, value in (texts or {}).items():
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    values = (image.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    Image.fromarray(values).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()
