"""Input pictures: glyphs of Noto Color Emoji."""

from __future__ import annotations

import pytest
from glyphs import MISSING, available, render
from PIL import Image


def sticker(glyph: str = "\N{CAT FACE}", size: int = 128) -> Image.Image:
    """One glyph, RGBA with its own alpha, `size` px square."""
    if not available():
        pytest.skip(MISSING)
    return Image.fromarray((render(glyph, size) * 255).round().astype("uint8"), "RGBA")
