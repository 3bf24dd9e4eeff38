"""Pictures as the bytes of a PNG file."""

from __future__ import annotations

import io
from collections.abc import Mapping

import torch
from PIL import Image, PngImagePlugin
from torch import Tensor


def png_bytes(picture: Image.Image | Tensor, texts: Mapping[str, str] | None = None) -> bytes:
    """The smallest PNG that Pillow makes of a picture; lossless, and RGB under transparent pixels stays.

    picture: a tensor is (H, W) or (H, W, 3) in [0, 1]. texts: keyword -> text of its text chunks.
    """
    if isinstance(picture, Tensor):
        picture = Image.fromarray((picture.clamp(0, 1) * 255).round().to(torch.uint8).numpy())
    info = PngImagePlugin.PngInfo()
    for keyword, text in (texts or {}).items():
        info.add_itxt(keyword, text)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True, pnginfo=info)
    return buffer.getvalue()
