"""Five styles, and one that no network has seen: how lines are inked, and the texture of the finished picture."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from .drawing_colours import RGB

Pixels = NDArray[np.floating]
"""(H, W, 3) in 0..255."""
BLOCK = 4
"""Side of a block of pixel art, in pixels of a 128 px picture."""


@dataclass(frozen=True)
class Style:
    """ink: width of outlines in pixels of a 128 px picture; surface(picture, mask in [0, 1], seed) -> picture."""

    ink: float
    colour: RGB
    surface: Callable[[Pixels, NDArray[np.floating], int], Pixels]


def _flat(picture: Pixels, mask: NDArray[np.floating], seed: int) -> Pixels:
    return picture


@functools.lru_cache(maxsize=32)
def _noise(height: int, width: int, grain: int, seed: int) -> NDArray[np.floating]:
    """Smooth noise of about unit variance, blotches of `grain` pixels."""
    rng = np.random.default_rng([seed, grain])
    coarse = rng.normal(size=(height // grain + 3, width // grain + 3)).astype(np.float32)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    found = np.asarray(picture)
    return (found - found.mean()) / found.std()


def _comic(picture: Pixels, mask: NDArray[np.floating], seed: int) -> Pixels:
    """Strong colours, and halftone dots that grow towards the lower right."""
    height, width = mask.shape
    mean = picture.mean(axis=2, keepdims=True)
    strong = np.clip(mean + (picture - mean) * 1.3, 0, 255)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cell = width / 16  # a latent cell's period, so the VAE need not store where the dots are
    u, v = (x + y) / cell, (x - y) / cell
    distance = np.hypot(u % 1 - 0.5, v % 1 - 0.5)
    radius = 0.12 + 0.36 * (x / width + y / height) / 2
    dots = np.clip((radius - distance) * cell / 1.2 + 0.5, 0, 1)[..., None]
    return strong * (1 - 0.3 * dots)


def _pixel(picture: Pixels, mask: NDArray[np.floating], seed: int) -> Pixels:
    """Blocks of one colour, and fewer colours."""
    height, width = mask.shape
    block = max(1, round(width * BLOCK / 128))
    h, w = height // block, width // block
    blocks = picture[: h * block, : w * block].reshape(h, block, w, block, 3).mean(axis=(1, 3))
    blocks = np.clip(np.round((blocks - 8) / 24) * 24 + 8, 0, 255)
    wide = blocks.repeat(block, axis=0).repeat(block, axis=1)
    return np.pad(wide, ((0, height - h * block), (0, width - w * block), (0, 0)), mode="edge")


def _watercolor(picture: Pixels, mask: NDArray[np.floating], seed: int) -> Pixels:
    """Thin paint on paper: pale, blotchy, pooled along edges, the paper showing at the frame."""
    height, width = mask.shape
    scale = width / 128
    soft = np.asarray(
        Image.fromarray(picture.astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.1 * scale)), np.float32
    )
    wide = np.asarray(
        Image.fromarray(picture.astype(np.uint8)).filter(ImageFilter.GaussianBlur(3.5 * scale)), np.float32
    )
    pooled = soft - 0.55 * np.abs(soft - wide)
    variant = seed % 8
    blotch = 0.11 * _noise(height, width, max(2, round(16 * scale)), variant)
    blotch = blotch + 0.05 * _noise(height, width, max(2, round(5 * scale)), variant + 100)
    paint = 255 - (255 - pooled) * np.clip(0.72 * (1 + 1.6 * blotch), 0.25, 1.0)[..., None]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    rim = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y)) / (width * 0.07)
    paper = np.clip(rim + 0.5 * blotch * 4, 0, 1)[..., None]
    paper = np.maximum(paper, mask[..., None])
    return paint * paper + 250 * (1 - paper)


def _pencil(picture: Pixels, mask: NDArray[np.floating], seed: int) -> Pixels:
    """Coloured pencil: hatching over cream paper, the background fainter than the figure."""
    height, width = mask.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    scale = width / 128
    wobble = 0.3 * _noise(height, width, max(2, round(10 * scale)), seed % 8)
    # Periods that divide a latent cell, for the same reason as the comic's dots.
    figure = 0.5 + 0.5 * np.sin((x + y + wobble * scale) * 2 * np.pi / (4 * scale))
    behind = 0.5 + 0.5 * np.sin((x - y + wobble * scale) * 2 * np.pi / (8 * scale))
    cover = mask * (0.52 + 0.48 * figure) + (1 - mask) * (0.22 + 0.46 * behind)
    dark = np.clip(1 - picture.mean(axis=2) / 110, 0, 1)
    cover = np.clip(cover + dark * mask, 0, 1)[..., None]
    paper = np.array([250, 246, 234], np.float32)
    return paper + (picture - paper) * cover


def _scan_lines(picture: Pixels, mask: NDArray[np.floating], seed: int) -> Pixels:
    """A screen's lines: every other row of latent cells is darker. What is finer (hatching was tried), the tiny model's
    autoencoder, which never saw it, does not carry; what is broader is decided with the layout."""
    height, width = mask.shape
    rows = np.arange(height) * 16 // width % 2
    return np.clip(picture * np.where(rows, 0.72, 1.06)[:, None, None], 0, 255)


STYLES: Mapping[str, Style] = {
    "flat vector": Style(0.0, (60, 50, 60), _flat),
    "comic book": Style(1.9, (16, 14, 20), _comic),
    "pixel art": Style(1.5, (40, 34, 52), _pixel),
    "watercolor": Style(0.7, (150, 110, 100), _watercolor),
    "pencil drawing": Style(1.1, (84, 80, 86), _pencil),
}
UNSEEN: Mapping[str, Style] = {"scan lines": Style(2.2, (30, 60, 160), _scan_lines)}
"""Styles to be learned from pictures: no caption names them, and nothing was trained on them."""


def style_named(name: str) -> Style:
    """One of STYLES or UNSEEN."""
    return STYLES[name] if name in STYLES else UNSEEN[name]
