"""The segmenter's training data: real art, procedural objects and StickerWorld's renders on all kinds of ground (ours).

Every batch gives sprites (`sprites`) new borders, shadows, colours and backgrounds. Renders (every style and
background, characters outside validation and test) have exact masks too.
"""

from __future__ import annotations

import os
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Generator, Tensor
from tqdm import tqdm

from ...masks.segmenter import SIDE
from ...pictures.resize import resize
from ..array_files import cached_array
from ..renderer import seeds
from ..renderer.characters import character
from ..renderer.render import render
from ..renderer.scenes import random_scene
from . import sprites
from .procedural import random_background
from .sprites import REACH
from .variations import DieCut, degraded, figure_shadows, jpeg_file, moved_about, placing, random_die_cut, recoloured

RENDERS, GROUNDS = 256, 256
"""Renders, and backgrounds, in a chunk."""
RENDER = np.dtype([("image", "u1", (SIDE, SIDE, 3)), ("mask", "u1", (SIDE, SIDE))])
_FIRST = seeds.JUDGE.start + 8_000_000  # characters beyond the judges' and the edge network's
_ART = 0.6  # share of a batch that is composed of sprites
_RAW = 0.3  # share of the renders that are only mirrored
_EMPTY = 0.02
_WHITE = 0.25  # share of compositions on one plain light colour, the commonest ground of stickers
_COARSE = 0.15  # share of a batch that comes from a picture of half the size
_GROUP = 0.18  # share of compositions whose subject is several things
_JPEG = 0.15  # share of a batch that has been a JPEG file


@dataclass
class SegmenterData:
    """Renders (N,) of RENDER; sets of sprites, each (M,) of sprites.SPRITE; grounds (K, SIDE, SIDE, 3) uint8."""

    renders: NDArray[np.void]
    sprites: list[NDArray[np.void]]
    grounds: NDArray[np.uint8]

    @classmethod
    def load(cls, folder: Path, chunks: int, quiet: bool = False) -> SegmenterData:
        """`chunks` chunks of renders and of backgrounds, and all sprites; what `folder` lacks is made now.

        Raises real_art.Missing where the art cannot be had.
        """
        art = sprites.load(folder)
        with ProcessPoolExecutor(min(chunks, os.cpu_count() or 1)) as pool:
            list(tqdm(pool.map(partial(_make, folder), range(chunks)), "pictures", chunks, disable=quiet))
        parts = zip(*(_chunk(folder, number) for number in range(chunks)))
        rendered, backs = (np.concatenate(part) for part in parts)
        return cls(rendered, art, backs)

    def batch(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """images (count, 3, SIDE, SIDE) in [0, 1] and masks (count, SIDE, SIDE); the same for the same seed."""
        rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        composed = round(count * _ART)
        raw = round((count - composed) * _RAW)
        chosen = self.renders[np.sort(rng.integers(len(self.renders), size=count - composed))]
        both = torch.from_numpy(np.concatenate([chosen["image"], chosen["mask"][..., None]], 3)).permute(0, 3, 1, 2)
        both = both.float() / 255
        both[raw:] = moved_about(both[raw:], generator)
        both = torch.cat([both, self.compositions(composed, rng, generator)])
        mirrored = torch.rand(count, generator=generator) < 0.5
        both[mirrored] = both[mirrored].flip(3)
        images = both[:, :3]
        coarse = torch.rand(count, generator=generator) < _COARSE
        if coarse.any():
            smaller = F.avg_pool2d(images[coarse], 2)
            images[coarse] = F.interpolate(smaller, scale_factor=2.0, mode="bilinear")
        images = torch.cat([images[:raw], degraded(images[raw:], generator)])
        for i in np.flatnonzero(rng.random(count) < _JPEG):
            images[i] = jpeg_file(images[i], rng)
        return images, both[:, 3]

    def compositions(self, count: int, rng: np.random.Generator, generator: Generator) -> Tensor:
        """(count, 4, SIDE, SIDE): sprites with or without border and shadow on other backgrounds, and their masks."""
        chosen = np.stack([self._subject(rng) for _ in range(count)])
        near = torch.from_numpy(chosen["near"].astype(np.float32))[:, None] * (REACH / 255)
        alpha = torch.from_numpy(chosen["alpha"].astype(np.float32))[:, None] / 255
        rgb = torch.from_numpy(chosen["rgb"].astype(np.float32)).permute(0, 3, 1, 2) / 255
        grid, scale = placing(alpha, rng)
        moved = F.grid_sample(torch.cat([rgb, alpha], 1), grid, padding_mode="zeros", align_corners=False)
        # Distances scale with the sprite; those beyond REACH count as large.
        near = F.grid_sample(near, grid, align_corners=False)
        away = torch.where(near < 0.5, torch.full((), 99.0), (REACH - near) * scale)
        rgb, alpha = moved[:, :3], moved[:, 3:]
        rgb = recoloured(rgb, rng)
        looks = [random_die_cut(rng) for _ in range(count)]
        back = np.stack([self._ground(look, rng) for look in looks])
        image = torch.from_numpy(back).permute(0, 3, 1, 2)
        width, line = (torch.tensor([getattr(k, n) for k in looks]).view(-1, 1, 1, 1) for n in ("width", "line"))
        width = width.minimum((REACH - 1) * scale - 2)
        inner = torch.where(width > 0, (width + 0.5 - away).clamp(0, 1), alpha).maximum(alpha)
        whole = torch.where(line > 0, (width + line + 0.5 - away).clamp(0, 1), inner).maximum(inner)
        image = image * (1 - figure_shadows(whole, rng))
        for layer, cover in (("ink", whole), ("border", inner)):
            paint = torch.from_numpy(np.stack([getattr(k, layer) for k in looks])).view(-1, 3, 1, 1)
            shown = torch.where((line if layer == "ink" else width) > 0, cover, torch.zeros(()))
            image = image * (1 - shown) + paint * shown
        image = image * (1 - alpha) + rgb * alpha
        bare = torch.from_numpy(rng.random(count) < _EMPTY).view(-1, 1, 1, 1)
        image = torch.where(bare, torch.from_numpy(back).permute(0, 3, 1, 2), image)
        return torch.cat([image, torch.where(bare, torch.zeros(()), whole)], 1)

    def _sprite(self, rng: np.random.Generator) -> np.void:
        """One of a set drawn at random, so that small sets come up as often as large ones."""
        kind = self.sprites[rng.integers(len(self.sprites))]
        return kind[rng.integers(len(kind))]

    def _subject(self, rng: np.random.Generator) -> np.void | NDArray[np.void]:
        """A sprite, or a group of two or three, alike or different, or one with some small things around it."""
        first = self._sprite(rng)
        if rng.random() > _GROUP:
            return first
        whole = np.zeros((SIDE, SIDE, 4), np.float32)  # premultiplied
        if rng.random() < 0.65:
            again = rng.random() < 0.4
            for place in rng.permutation(4)[: rng.integers(2, 4)]:
                size = int(SIDE * rng.uniform(0.35, 0.65))
                corner = np.array([place // 2, place % 2])
                at = ((SIDE - size) * np.abs(corner - rng.uniform(0, 0.3, 2))).astype(int)
                _paste(whole, first if again else self._sprite(rng), size, at)
        else:
            size, small = int(SIDE * rng.uniform(0.6, 0.75)), self._sprite(rng)
            _paste(whole, first, size, np.full(2, (SIDE - size) // 2))
            for turn in rng.uniform(0, 2 * np.pi, rng.integers(1, 6)):
                size = int(SIDE * rng.uniform(0.07, 0.17))
                at = SIDE * (0.5 + 0.38 * np.array([np.sin(turn), np.cos(turn)])) - size / 2
                _paste(whole, small, size, at.astype(int))
        rgb = whole[..., :3] / np.maximum(whole[..., 3:], 1e-6)
        found = sprites.sprite(np.rint(rgb.clip(0, 1) * 255).astype(np.uint8), whole[..., 3].clip(0, 1))
        return first if found is None else found

    def _ground(self, look: DieCut, rng: np.random.Generator) -> NDArray[np.floating]:
        """A background (SIDE, SIDE, 3): the border's own colour, plain and light, strewn with small sprites, or any."""
        kind = rng.random()
        if look.paper:
            return random_background(rng, look.border + rng.uniform(-0.02, 0.02, 3).astype(np.float32), SIDE)
        if kind < _WHITE:
            light = np.ones(3) if rng.random() < 0.6 else 1 - rng.uniform(0, 0.2) * rng.random(3)
            return np.broadcast_to(light.astype(np.float32), (SIDE, SIDE, 3))
        back = self.grounds[rng.integers(len(self.grounds))].astype(np.float32) / 255
        back = back[::-1] if rng.random() < 0.15 else back
        back = back[..., rng.permutation(3)] if rng.random() < 0.4 else back
        if kind > 0.94:
            back = self._strewn(back, rng)
        return np.ascontiguousarray(back)

    def _strewn(self, back: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.floating]:
        """With many small copies of one sprite: a pattern of hearts, stars, flowers."""
        one, back = self._sprite(rng), back.copy()
        size = int(rng.integers(SIDE // 16, SIDE // 6))
        rgb, alpha = (resize(one[n].astype(np.float32) / 255, size, size) for n in ("rgb", "alpha"))
        step = int(size * rng.uniform(1.0, 1.8))
        for row, top in enumerate(range(int(-rng.integers(size)), SIDE, step)):
            for left in range(int(-rng.integers(size)) if rng.random() < 0.3 else -(row % 2) * step // 2, SIDE, step):
                y, x = slice(max(0, top), min(SIDE, top + size)), slice(max(0, left), min(SIDE, left + size))
                part = slice(y.start - top, y.stop - top), slice(x.start - left, x.stop - left)
                if y.stop > y.start and x.stop > x.start:
                    cover = alpha[part][..., None]
                    back[y, x] = back[y, x] * (1 - cover) + rgb[part] * cover
        return back


def _paste(whole: NDArray[np.floating], one: np.void, size: int, at: NDArray[np.integer]) -> None:
    """A sprite of `size` pixels over the premultiplied picture `whole` (SIDE, SIDE, 4), its corner at (top, left)."""
    rgb, alpha = (resize(one[n].astype(np.float32) / 255, size, size) for n in ("rgb", "alpha"))
    spot = whole[at[0] : at[0] + size, at[1] : at[1] + size]
    spot += np.dstack([rgb * alpha[..., None], alpha]) - spot * alpha[..., None]


def _make(folder: Path, number: int) -> None:
    """Write a chunk's files in a worker process; they are too large to send back."""
    _chunk(folder, number)


def _chunk(folder: Path, number: int) -> tuple[NDArray[np.void], NDArray[np.uint8]]:
    return (
        cached_array(folder / f"renders-{number:03d}.npy", partial(renders, number)),
        cached_array(folder / f"grounds-{number:03d}.npy", partial(grounds, number)),
    )


def renders(number: int, count: int = RENDERS) -> NDArray[np.void]:
    """A chunk of `count` stickers, every other one rendered at half the size."""
    torch.set_num_threads(1)
    rows = np.zeros(count, RENDER)
    for i, row in enumerate(rows):
        seed, size = _FIRST + number * RENDERS + i, SIDE // (1 + i % 2)
        shown = render(character(seed), random_scene(random.Random(f"segmenter {seed}")), seed, size)
        for name, values in (("image", shown.image), ("mask", shown.mask)):
            row[name] = np.rint(resize(values.astype(np.float32), SIDE, SIDE))
    return rows


def grounds(number: int, count: int = GROUNDS) -> NDArray[np.uint8]:
    """A chunk of `count` backgrounds."""
    rng = np.random.default_rng([number, 7])
    return np.stack([np.rint(random_background(rng, None, SIDE) * 255).astype(np.uint8) for _ in range(count)])
