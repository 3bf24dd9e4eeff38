"""Input pictures: glyphs of Noto Color Emoji, which nobody here drew."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw, ImageFont

FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"


def sticker(glyph: str = "\N{CAT FACE}", size: int = 128) -> Image.Image:
    """One glyph, RGBA with its own alpha, `size` px square."""
    try:
        font = ImageFont.truetype(FONT, 109)
    except OSError:
        pytest.skip("Noto Color Emoji is missing: apt-get install fonts-noto-color-emoji")
    image = Image.new("RGBA", (136, 128), (255, 255, 255, 0))
    ImageDraw.Draw(image).text((0, 0), glyph, font=font, embedded_color=True)
    box = image.getbbox()
    square = Image.new("RGBA", (144, 144), (255, 255, 255, 0))
    cut = image.crop(box)
    square.paste(cut, ((144 - cut.width) // 2, (144 - cut.height) // 2))
    return square.resize((size, size), Image.Resampling.LANCZOS)
