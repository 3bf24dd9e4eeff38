"""Clips, stickers and packs for the tests of sticker packs."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from PIL import Image, ImageDraw

from seal_core.stickers.pack.clip import Clip
from seal_core.stickers.pack.pack_request import PackRequest, Sticker, with_emoji
from seal_core.stickers.pack.save_pack import save_pack


def picture(width=120, height=100, shift=0, colour=(220, 120, 30, 255)):
    """A disc with a hole and a face, twice supersampled, on a transparent background."""
    image = Image.new("RGBA", (width * 2, height * 2), (10, 200, 30, 0))
    draw = ImageDraw.Draw(image)
    x, y, r = width + shift * 2, height, min(width, height) * 0.8
    draw.ellipse((x - r, y - r, x + r, y + r), fill=colour, outline=(255, 255, 255, 255), width=8)
    draw.ellipse((x - r / 2, y - r / 3, x - r / 4, y), fill=(20, 20, 40, 255))
    draw.ellipse((x + r / 4, y - r / 3, x + r / 2, y), fill=(20, 20, 40, 255))
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


def moving(count=6, fps=10.0, **options):
    return Clip.at_rate(np.stack([picture(shift=i - count // 2, **options) for i in range(count)]), fps)


def noise(count=1, width=512, height=512, seed=0):
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (count, height, width, 4), dtype=np.uint8)
    frames[..., 3] = 255
    return frames


def stickers(clips, names=()):
    return [Sticker(names[i] if names else "", c.animated, partial(lambda c: c, c)) for i, c in enumerate(clips)]


def packed(clips, platform, folder, names=(), emoji=("😀",), **options):
    request = PackRequest(platform, options.pop("title", "My Cat"), options.pop("author", "Me"), **options)
    return save_pack(with_emoji(stickers(clips, names), emoji, platform), request, folder)


def sliding(count: int, side: int, channels: int = 3) -> torch.Tensor:
    """Frames (count, side, side, channels): a light square that goes right; of 4 channels, it alone is opaque."""
    shown = torch.full((count, side, side, channels), 0.0 if channels == 4 else 0.2)
    for i in range(count):
        left = i * side // (2 * count)
        shown[i, side // 4 : side // 2, left : left + side // 3] = 0.9 if channels == 3 else 1.0
    return shown
