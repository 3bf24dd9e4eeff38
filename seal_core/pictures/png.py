"""Pictures as the bytes of a PNG file."""

from __future__ import annotations

import io

from PIL import Image


def png_bytes(picture: Image.Image) -> bytes:
    """The smallest PNG that Pillow makes of the picture; lossless, and RGB under transparent pixels stays."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
