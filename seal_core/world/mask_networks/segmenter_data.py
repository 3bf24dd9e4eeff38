"""The segmenter's training data: real art, procedural objects and StickerWorld's renders on all kinds of ground (ours).

Every batch gives sprites (`sprites`) new borders, shadows, colours and backgrounds. Renders (every style and
background, characters outside validation and test) have exact masks too.
"""

from __future__ import annotations

import io
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
from PIL import Image
from scipy import ndimage
from torch import Generator, Tensor
from tqdm import tqdm

from ...masks.segmenter import SIDE
from ...pictures.resize import resize
from ..array_files import cached_array
from ..judges import degradations
from ..renderer import seeds
from ..renderer.characters import character
from ..renderer.render import render
from ..renderer.scenes import random_scene
from . import sprites
from .procedural import random_background, random_colour
from .sprites import REACH

UNIT = SIDE // 128
"""Pixels of what is measured at 128 px."""
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
_SHADOWED, _FLOOR = 0.35, 0.25  # share of figures with a shadow; of these, one that lies on the floor
_PART = 0.25  # share of sprites of which a part has another colour
_CROPPED, _STANDING = 0.35, 0.5  # share of sprites that the frame may crop; of these, by one side alone


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
        both[raw:] = _moved(both[raw:], generator)
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
            images[i] = _jpeg_file(images[i], rng)
        return images, both[:, 3]

    def compositions(self, count: int, rng: np.random.Generator, generator: Generator) -> Tensor:
        """(count, 4, SIDE, SIDE): sprites with or without border and shadow on other backgrounds, and their masks."""
        chosen = np.stack([self._subject(rng) for _ in range(count)])
        near = torch.from_numpy(chosen["near"].astype(np.float32))[:, None] * (REACH / 255)
        alpha = torch.from_numpy(chosen["alpha"].astype(np.float32))[:, None] / 255
        rgb = torch.from_numpy(chosen["rgb"].astype(np.float32)).permute(0, 3, 1, 2) / 255
        grid, scale = _placing(alpha, rng)
        moved = F.grid_sample(torch.cat([rgb, alpha], 1), grid, padding_mode="zeros", align_corners=False)
        # Distances scale with the sprite; those beyond REACH count as large.
        near = F.grid_sample(near, grid, align_corners=False)
        away = torch.where(near < 0.5, torch.full((), 99.0), (REACH - near) * scale)
        rgb, alpha = moved[:, :3], moved[:, 3:]
        rgb = _recoloured(rgb, rng)
        looks = [random_die_cut(rng) for _ in range(count)]
        back = np.stack([self._ground(look, rng) for look in looks])
        image = torch.from_numpy(back).permute(0, 3, 1, 2)
        width, line = (torch.tensor([getattr(k, n) for k in looks]).view(-1, 1, 1, 1) for n in ("width", "line"))
        width = width.minimum((REACH - 1) * scale - 2)
        inner = torch.where(width > 0, (width + 0.5 - away).clamp(0, 1), alpha).maximum(alpha)
        whole = torch.where(line > 0, (width + line + 0.5 - away).clamp(0, 1), inner).maximum(inner)
        image = image * (1 - _shadows(whole, rng))
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


@dataclass(frozen=True)
class DieCut:
    """A die-cut border and the line around it: widths in pixels (0 = none), colours. paper: the background has the
    border's colour."""

    width: float
    line: float
    border: NDArray[np.float32]
    ink: NDArray[np.float32]
    paper: bool


def random_die_cut(rng: np.random.Generator, unit: float = UNIT) -> DieCut:
    """unit: pixels of what is one pixel at 128 px."""
    white = np.full(3, rng.uniform(0.95, 1), np.float32)
    border = white if rng.random() < 0.8 else random_colour(rng)
    grey = (border * rng.uniform(0.4, 0.85)).astype(np.float32)
    ink = grey if rng.random() < 0.7 else random_colour(rng) * np.float32(0.5)
    if rng.random() < 0.65:
        return DieCut(0.0, 0.0, border, ink, False)
    paper = rng.random() < 0.35
    line = float(rng.uniform(0.4, 1.4)) if paper or rng.random() < 0.5 else 0.0
    return DieCut(unit * float(rng.uniform(1.2, 6)), unit * line, border, ink, paper)


def _placing(alpha: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Where each sprite (B, 1, H, W) goes: a sampling grid, and by how much it is enlarged (B, 1, 1, 1)."""
    count, rows, scales = len(alpha), [], []
    for cover in (alpha[:, 0] > 0.5).numpy():
        y, x = np.nonzero(cover)
        box = max(np.ptp(y), np.ptp(x)) + 1
        middle = ((x.min() + x.max()) / SIDE - 1, (y.min() + y.max()) / SIDE - 1)
        scale = float(np.clip(rng.uniform(0.35, 0.95) * SIDE / box, 0.4, 2.0))
        turn = float(rng.normal(0, 0.15)) if rng.random() < 0.8 else float(rng.uniform(0, 6.28))
        free = [max(0.0, 0.96 - scale * box / SIDE)] * 2
        if rng.random() < _CROPPED:
            free = [free[0], 0.6] if rng.random() < _STANDING else [0.6, 0.6]
        cos, sin = np.cos(turn) / scale, np.sin(turn) / scale
        across, down = rng.uniform(-1, 1, 2) * free
        rows.append([[cos, -sin, middle[0] - cos * across + sin * down],
                     [sin, cos, middle[1] - sin * across - cos * down]])  # fmt: skip
        scales.append(scale)
    grid = F.affine_grid(torch.tensor(rows, dtype=torch.float32), [count, 1, SIDE, SIDE], align_corners=False)
    return grid, torch.tensor(scales, dtype=torch.float32).view(-1, 1, 1, 1)


def _recoloured(rgb: Tensor, rng: np.random.Generator) -> Tensor:
    """Half with permuted channels, all with another gamma, some with a part of any colour: its shading stays."""
    order = torch.from_numpy(np.stack([rng.permutation(3) if rng.random() < 0.5 else np.arange(3) for _ in rgb]))
    rgb = rgb.gather(1, order[:, :, None, None].expand_as(rgb))
    power = torch.from_numpy(np.exp(rng.normal(0, 0.25, len(rgb))).astype(np.float32)).view(-1, 1, 1, 1)
    rgb = rgb.clamp(1e-3, 1) ** power
    for i in np.flatnonzero(rng.random(len(rgb)) < _PART):
        y, x = rng.integers(SIDE // 4, 3 * SIDE // 4, 2)
        old, new = rgb[i, :, y, x].view(3, 1, 1).clone(), torch.from_numpy(random_colour(rng)).float().view(3, 1, 1)
        part = (-((rgb[i] - old) ** 2).sum(0) / 0.12**2).exp()
        rgb[i] = (rgb[i] + part * (new - old)).clamp(0, 1)
    return rgb


def _shadows(whole: Tensor, rng: np.random.Generator) -> Tensor:
    """(B, 1, H, W): how much each figure's shadow darkens the background; most have none."""
    dark = torch.zeros_like(whole)
    for i in np.flatnonzero(rng.random(len(whole)) < _SHADOWED):
        figure = whole[i, 0].numpy()
        if rng.random() < _FLOOR:
            y, x = np.nonzero(figure > 0.5)
            if not len(y):
                continue
            down, across = np.mgrid[:SIDE, :SIDE].astype(np.float32)
            wide = np.ptp(x) * rng.uniform(0.25, 0.6)
            far = np.hypot((across - x.mean()) / wide, (down - y.max()) / (wide * rng.uniform(0.1, 0.3)))
            cast = (far < 1).astype(np.float32)
        else:
            cast = ndimage.shift(figure, rng.uniform(-0.06, 0.06, 2) * SIDE, order=1)
        soft = rng.uniform(0, 0.04) * SIDE if rng.random() < 0.85 else 0.5
        dark[i, 0] = torch.from_numpy(rng.uniform(0.1, 0.55) * ndimage.gaussian_filter(cast, soft))
    return dark


def _jpeg_file(image: Tensor, rng: np.random.Generator) -> Tensor:
    """An image (3, SIDE, SIDE) that was once a JPEG file of this size or of twice the size."""
    fine = SIDE * int(rng.integers(1, 3))
    picture = Image.fromarray(np.rint(image.permute(1, 2, 0).clamp(0, 1).numpy() * 255).astype(np.uint8))
    buffer = io.BytesIO()
    picture.resize((fine, fine), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=int(rng.integers(25, 80)))
    read = Image.open(buffer, formats=("JPEG",)).reduce(fine // SIDE)
    return torch.from_numpy(np.asarray(read, np.float32) / 255).permute(2, 0, 1)


def _moved(both: Tensor, generator: Generator) -> Tensor:
    """Pictures with their masks (B, 4, H, W) shifted, turned and scaled, mirrored beyond the frame."""
    count = len(both)
    turn, zoom, across, down = 2 * torch.rand(4, count, generator=generator) - 1
    turn, zoom = 0.2 * turn**3, torch.exp(-0.3 * zoom)
    rows = [zoom * turn.cos(), -zoom * turn.sin(), 0.25 * across, zoom * turn.sin(), zoom * turn.cos(), 0.25 * down]
    grid = F.affine_grid(torch.stack(rows, 1).view(count, 2, 3), list(both.shape), align_corners=False)
    return F.grid_sample(both, grid, padding_mode="reflection", align_corners=False)


def degraded(images: Tensor, generator: Generator) -> Tensor:
    """Degraded as by files, resizing and generators; a third stay unchanged."""
    ways = [
        degradations.jpeg,
        degradations.gaussian_blur,
        degradations.noise,
        degradations.soften,
        degradations.colour_shift,
    ]
    parts = []
    for part in images.chunk(max(1, len(images) // 4)):
        for way in ways:
            chosen, strength = torch.rand(2, generator=generator).tolist()
            if chosen < 0.2:
                part = way(part, 0.7 * strength, generator)
        parts.append(part)
    return torch.cat(parts)


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
