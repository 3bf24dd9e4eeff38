"""What the edge network learns from: crops along outlines of real art, procedural objects and stickers (ours).

A crop holds the picture, the subject's own colours without any background, its exact opacity, and the segmenter's mask
of the whole picture, which the network refines. Every batch adds masks that are one to three pixels off.
"""

from __future__ import annotations

import os
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Generator, Tensor
from tqdm import tqdm

from ...masks.segmenter import coarse_mask
from ...pictures.matting import nearest
from ...pictures.resize import resize
from ..array_files import cached_array
from ..renderer import seeds
from ..renderer.characters import character
from ..renderer.render import own_colours, render
from ..renderer.scenes import random_scene
from . import real_art
from .procedural import random_background, random_object
from .variations import degraded, random_die_cut

CROP = 96
"""Side of a crop, in pixels."""
SIZES = (128, 160, 192, 256, 256, 384, 512, 512, 512, 768, 1024)
"""Sides of pictures in pixels; a repeated value is drawn more often."""
CROPS = 8
"""Crops of a picture."""
PICTURES = 64
"""Pictures in a chunk: of eight, four show real art, one a procedural object, three StickerWorld's stickers."""
RECORD = np.dtype(
    [(n, "u1", (CROP, CROP, 3)) for n in ("image", "own")] + [(n, "u1", (CROP, CROP)) for n in ("alpha", "coarse")]
)
_FIRST = seeds.JUDGE.start + 6_000_000  # characters beyond the judges' and the segmenter's chunks
_COARSE, _DEGRADED = 0.4, 0.4  # shares of a batch: the segmenter's mask, a degraded picture
_WHITE = 0.25  # share of compositions on plain white
_PAPER_ALONE = 0.25  # share of borders on their own colour that only a shadow shows

Floats = NDArray[np.floating]


def rendered_sticker(seed: int, size: int) -> tuple[Floats, Floats, Floats]:
    """A StickerWorld picture (size, size, 3), its own colours and its mask (size, size), in [0, 1]."""
    who, scene = character(seed), random_scene(random.Random(f"edge {seed}"))
    shown, own = render(who, scene, seed, size), own_colours(who, scene, seed, size)
    image, colours, mask = (a.astype(np.float32) / 255 for a in (shown.image, own, shown.mask))
    return image, colours, mask


def composed_picture(rng: np.random.Generator, size: int, art: bool) -> tuple[Floats, Floats, Floats]:
    """The same for real art (`real_art`, some redrawn), or else a procedural object, on a procedural background, with
    or without border, line and shadow. Raises real_art.Missing."""
    if art:
        own, alpha = _art(rng, size)
    else:
        rgb, cover = random_object(rng, size)
        own, alpha = rgb.astype(np.float32) / 255, cover.astype(np.float32) / 255
    own = own[nearest(alpha >= min(0.95, alpha.max()))]
    own = own[..., rng.permutation(3)] if rng.random() < 0.5 else own
    unit = size / 128
    look = random_die_cut(rng, 1.0)
    shadowed = rng.random() < 0.3
    if look.width and rng.random() < _PAPER_ALONE:
        look, shadowed = replace(look, line=0.0, paper=True), True
    whole = alpha
    if look.width:
        away = np.maximum(ndimage.distance_transform_edt(alpha < 0.5) - 0.5, 0)
        inner = np.maximum((look.width * unit + 0.5 - away).clip(0, 1), alpha)
        whole = np.maximum(((look.width + look.line) * unit + 0.5 - away).clip(0, 1), inner)
        below = look.ink + (look.border - look.ink) * inner[..., None] if look.line else look.border
        own = below + (own - below) * alpha[..., None]
    base = look.border + rng.uniform(-0.02, 0.02, 3).astype(np.float32) if look.paper else None
    if base is None and rng.random() < _WHITE:
        base = np.ones(3, np.float32)
    back = random_background(rng, base, size)
    if shadowed:
        back = back * (1 - _shadow(rng, whole, unit))[..., None]
    return (back + (own - back) * whole[..., None]).clip(0, 1), own.clip(0, 1), whole.astype(np.float32)


def _art(rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
    """Colours and opacity of art that may be trained on, turned a little and perhaps cut by the frame."""
    family = rng.choice(tuple(real_art.FAMILIES))
    codes = real_art.trained_on(family)
    code = codes[rng.integers(len(codes))]
    svg = real_art.redrawn(family, code, rng) if real_art.is_drawn(family) and rng.random() < 0.4 else None
    drawn = real_art.picture(family, code, size, rng.uniform(0.5, 0.95), svg)
    if rng.random() < 0.5:
        premultiplied = np.dstack([drawn[..., :3] * drawn[..., 3:], drawn[..., 3:]])
        turned = ndimage.rotate(premultiplied, rng.uniform(-25, 25), reshape=False, order=1)
        turned = ndimage.shift(turned, (*rng.uniform(-0.15, 0.15, 2) * size, 0), order=1)
        drawn = np.dstack([turned[..., :3] / np.maximum(turned[..., 3:], 1e-3), turned[..., 3]])
    return drawn[..., :3].clip(0, 1), drawn[..., 3].clip(0, 1)


def _shadow(rng: np.random.Generator, whole: Floats, unit: float) -> Floats:
    shift = rng.uniform(-4, 8) * unit, rng.uniform(-6, 6) * unit
    return rng.uniform(0.1, 0.5) * ndimage.shift(
        ndimage.gaussian_filter(whole, rng.uniform(0.3, 4) * unit), shift, order=1
    )


def crops(rng: np.random.Generator, image: Floats, own: Floats, alpha: Floats) -> list[NDArray[np.void]]:
    """CROPS RECORDs along the outline; none for a picture without one."""
    rim = np.argwhere((alpha > 0.5) ^ ndimage.binary_erosion(alpha > 0.5, border_value=1))
    if not len(rim):
        return []
    coarse, found = resize(coarse_mask(image), *alpha.shape), []
    for _ in range(CROPS):
        middle = rim[rng.integers(len(rim))] + rng.integers(-24, 25, 2)
        top, left = (int(np.clip(m - CROP // 2, 0, len(alpha) - CROP)) for m in middle)
        record, box = np.zeros((), RECORD), (slice(top, top + CROP), slice(left, left + CROP))
        for name, values in (("image", image), ("own", own), ("alpha", alpha), ("coarse", coarse)):
            record[name] = np.rint(values[box] * 255)
        found.append(record)
    return found


def edge_chunk(number: int) -> NDArray[np.void]:
    """The crops of PICTURES pictures, deterministic."""
    torch.set_num_threads(1)
    rng, rows = np.random.default_rng([number, 11]), []
    for i in range(PICTURES):
        size = int(rng.choice(SIZES))
        if i % 8 in (0, 3, 6):
            rows += crops(rng, *rendered_sticker(_FIRST + number * PICTURES + i, size))
        else:
            rows += crops(rng, *composed_picture(rng, size, art=i % 8 != 7))
    return np.stack(rows)


def _make(folder: Path, number: int) -> None:
    """Write a chunk's file in a worker process; its crops are too large to send back."""
    _chunk(folder, number)


def _chunk(folder: Path, number: int) -> NDArray[np.void]:
    return cached_array(folder / f"edges-{number:03d}.npy", partial(edge_chunk, number))


@dataclass
class EdgeData:
    """Chunks of RECORDs."""

    parts: list[NDArray[np.void]]

    @classmethod
    def load(cls, folder: Path, chunks: int, quiet: bool = False) -> EdgeData:
        """`chunks` chunks of a folder; missing ones are made now, on all cores."""
        with ProcessPoolExecutor(min(chunks, os.cpu_count() or 1)) as pool:
            made = pool.map(partial(_make, folder), range(chunks))
            list(tqdm(made, "pictures", chunks, disable=quiet))
        return cls([np.array(_chunk(folder, n)) for n in range(chunks)])  # in memory: batches draw from all of them

    def batch(self, count: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """images (count, 3, CROP, CROP), masks to refine (count, CROP, CROP), exact opacity (the same shape) and
        own colours (like images); the same for the same seed."""
        rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        rows = []
        for _ in range(count):
            part = self.parts[rng.integers(len(self.parts))]
            rows.append(part[rng.integers(len(part))])
        record = np.stack(rows)
        image, own, alpha, coarse = (
            torch.from_numpy(record[n]).float() / 255 for n in ("image", "own", "alpha", "coarse")
        )
        both = torch.cat([image, own, alpha[..., None], coarse[..., None]], 3).permute(0, 3, 1, 2)
        both = _turned(both, generator)
        image, own, alpha, coarse = both[:, :3], both[:, 3:6], both[:, 6], both[:, 7]
        spoiled = round(count * _DEGRADED)
        image = torch.cat([degraded(image[:spoiled], generator), image[spoiled:]])
        keep = torch.rand(count, generator=generator) < _COARSE
        mask = torch.where(keep[:, None, None], coarse, displaced(alpha, generator))
        return image, mask, alpha, own


def _turned(both: Tensor, generator: Generator) -> Tensor:
    """Each mirrored and turned by right angles at random."""
    ways = torch.randint(8, (len(both),), generator=generator).tolist()
    return torch.stack([torch.rot90(b.flip(2) if way & 4 else b, way & 3, (1, 2)) for b, way in zip(both, ways)])


def displaced(alpha: Tensor, generator: Generator) -> Tensor:
    """Masks (B, H, W) as a coarse method makes them: downscaled and upscaled, outlines displaced, soft or hard."""
    result = []
    for one in alpha[:, None, None]:
        factor = int(torch.randint(1, 5, (), generator=generator))
        amount, hard = torch.rand(2, generator=generator).tolist()
        small = F.avg_pool2d(one, factor, ceil_mode=True) if factor > 1 else one
        if amount > 0.3:
            cells = int(torch.randint(3, 12, (), generator=generator))
            wave = torch.randn(1, 1, cells, cells, generator=generator)
            wave = F.interpolate(wave, small.shape[-2:], mode="bicubic")
            smooth = F.avg_pool2d(F.pad(small, (2,) * 4, mode="replicate"), 5, 1)
            small = ((smooth - 0.5 + 0.3 * amount * wave) * (4 + 8 * hard) + 0.5).clamp(0, 1)
        elif hard > 0.5:
            small = (small > 0.5).float()
        found = F.interpolate(small, size=one.shape[-2:], mode="bilinear") if factor > 1 else small
        result.append(found[0])
    return torch.cat(result)
