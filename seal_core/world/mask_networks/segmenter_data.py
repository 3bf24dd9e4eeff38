"""The segmenter's training data: StickerWorld's renders, and sprites on other backgrounds (ours).

The renders are the judges' (`training_pictures`: 128 px, every style and background, characters outside validation and
test; masks exact to half a pixel). Sprites are their figures without the die-cut border, and procedural objects; every
batch gives them new borders, shadows and backgrounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Generator, Tensor
from tqdm import tqdm

from ...messages import SealError
from ...pictures.matting import nearest
from ..array_files import cached_array
from ..judges import degradations
from ..judges.judge_networks import SIZE
from ..judges.training_pictures import RECORD, RenderCache, masks, pictures
from .procedural import random_background, random_colour, random_object

BORDER = 3.3
"""Die-cut border and line of StickerWorld's figures at SIZE, in pixels (`render.CUT` and `render.RIM`)."""
REACH = 15.0
"""Distances from a sprite are stored up to this many pixels: the widest border."""
SPRITE = np.dtype([("rgb", "u1", (SIZE, SIZE, 3)), ("alpha", "u1", (SIZE, SIZE)), ("near", "u1", (SIZE, SIZE))])
"""rgb: the subject's colours, extended beyond its edge. near: REACH minus the distance from it, times 255 / REACH."""
_RAW = 0.3  # share of the renders that are only mirrored
_COMPOSED = 0.45
_EMPTY = 0.02
_DECODED = 0.35


def sprite(rgb: NDArray[np.uint8], alpha: NDArray[np.floating]) -> NDArray[np.void]:
    """A SPRITE from colours (SIZE, SIZE, 3) and opacity (SIZE, SIZE) in [0, 1], not empty."""
    record = np.zeros((), SPRITE)
    record["rgb"] = rgb[nearest(alpha >= 0.95)]
    record["alpha"] = np.rint(alpha * 255)
    # Distance 0 lies where alpha is one half.
    edge = ndimage.distance_transform_edt(alpha < 0.5)
    record["near"] = np.rint((REACH - np.minimum(np.maximum(edge - 0.5, 0), REACH)) * 255 / REACH)
    return record


def of_render(record: np.void) -> NDArray[np.void] | None:
    """The figure of a judges' record without its border; None if nothing is left."""
    mask = np.unpackbits(record["mask"]).reshape(SIZE, SIZE).astype(bool)
    # A figure has no border where the frame cuts it.
    inside = ndimage.distance_transform_edt(np.pad(mask, 8, mode="edge"))[8:-8, 8:-8] - 0.5
    alpha = (inside - BORDER).clip(0, 1).astype(np.float32)
    return sprite(record["image"], alpha) if (alpha > 0.95).sum() > 300 else None


def sprites(cache: RenderCache, chunk: int, objects: int) -> NDArray[np.void]:
    """Every other figure of a chunk, and `objects` procedural objects. Deterministic."""
    rng, rows = np.random.default_rng(chunk), []
    for record in cache.load(chunk)[::2]:
        found = of_render(record)
        if found is not None:
            rows.append(found)
    while objects:
        rgb, alpha = random_object(rng, SIZE)
        if (alpha > 250).sum() > 300:
            rows.append(sprite(rgb, alpha.astype(np.float32) / 255))
            objects -= 1
    return np.stack(rows)


@dataclass
class SegmenterData:
    """Renders (N,) of training_pictures.RECORD; sprites (M,) of SPRITE; grounds (K, SIZE, SIZE, 3) uint8."""

    renders: NDArray[np.void]
    sprites: NDArray[np.void]
    grounds: NDArray[np.uint8]

    @classmethod
    def load(cls, cache: RenderCache, folder: Path, chunks: int, quiet: bool = False) -> SegmenterData:
        """`chunks` chunks of renders, and the sprites and backgrounds cached in `folder`; missing ones are made now."""
        parts = ([], [], [])
        for number in tqdm(range(chunks), "pictures", disable=quiet):
            parts[0].append(_renders(cache, number))
            parts[1].append(cached_array(folder / f"sprites-{number:03d}.npy", lambda n=number: sprites(cache, n, 400)))
            parts[2].append(cached_array(folder / f"grounds-{number:03d}.npy", lambda n=number: _grounds(n, 250)))
        source = cls(*(np.concatenate(part) for part in parts))
        if source.renders.dtype != RECORD or source.sprites.dtype != SPRITE:
            raise SealError(f"cache: {folder} holds other files; delete it and try again.")
        return source

    def batch(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """images (count, 3, SIZE, SIZE) in [0, 1] and masks (count, SIZE, SIZE); the same for the same seed."""
        rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        composed = round(count * _COMPOSED)
        raw = round((count - composed) * _RAW)
        rendered = self.renders[rng.integers(len(self.renders), size=count - composed)]
        images, truth = pictures(rendered), masks(rendered)[:, None]
        both = torch.cat([images, truth], 1)
        both[raw:] = _moved(both[raw:], generator)
        other = self.compositions(composed, rng, generator)
        both = torch.cat([both, other])
        mirrored = torch.rand(count, generator=generator) < 0.5
        both[mirrored] = both[mirrored].flip(3)
        images = torch.cat([both[:raw, :3], degraded(both[raw:, :3], generator)])
        return images, both[:, 3]

    def compositions(self, count: int, rng: np.random.Generator, generator: Generator) -> Tensor:
        """(count, 4, SIZE, SIZE): sprites with or without border and shadow on other backgrounds, and their masks."""
        chosen = self.sprites[rng.integers(len(self.sprites), size=count)]
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
        back = np.empty((count, SIZE, SIZE, 3), np.float32)
        looks = [random_die_cut(rng) for _ in range(count)]
        for i, look in enumerate(looks):
            if look.paper:
                back[i] = random_background(rng, look.border + rng.uniform(-0.02, 0.02, 3).astype(np.float32), SIZE)
            else:
                back[i] = self.grounds[rng.integers(len(self.grounds))].astype(np.float32) / 255
                back[i] = back[i][:, :, rng.permutation(3)]
                back[i] = back[i, ::-1] if rng.random() < 0.5 else back[i]
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


@dataclass(frozen=True)
class DieCut:
    """A die-cut border and the line around it: widths in pixels (0 = none), colours. paper: the background has the
    border's colour."""

    width: float
    line: float
    border: NDArray[np.float32]
    ink: NDArray[np.float32]
    paper: bool


def random_die_cut(rng: np.random.Generator) -> DieCut:
    white = np.full(3, rng.uniform(0.95, 1), np.float32)
    border = white if rng.random() < 0.8 else random_colour(rng)
    grey = (border * rng.uniform(0.4, 0.85)).astype(np.float32)
    ink = grey if rng.random() < 0.7 else random_colour(rng) * np.float32(0.5)
    if rng.random() < 0.5:
        return DieCut(0.0, 0.0, border, ink, False)
    paper = rng.random() < 0.35
    line = float(rng.uniform(0.5, 1.4)) if paper or rng.random() < 0.5 else 0.0
    return DieCut(float(rng.uniform(1.2, 6)), line, border, ink, paper)


def _placing(alpha: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Where each sprite (B, 1, H, W) goes: a sampling grid, and by how much it is enlarged (B, 1, 1, 1)."""
    count, rows, scales = len(alpha), [], []
    for cover in (alpha[:, 0] > 0.5).numpy():
        y, x = np.nonzero(cover)
        box = max(np.ptp(y), np.ptp(x)) + 1
        middle = ((x.min() + x.max()) / SIZE - 1, (y.min() + y.max()) / SIZE - 1)
        scale = float(np.clip(rng.uniform(0.35, 0.95) * SIZE / box, 0.4, 2.0))
        turn = float(rng.normal(0, 0.15)) if rng.random() < 0.8 else float(rng.uniform(0, 6.28))
        free = max(0.0, 0.96 - scale * box / SIZE) if rng.random() < 0.85 else 0.5  # else the frame may crop it
        cos, sin = np.cos(turn) / scale, np.sin(turn) / scale
        across, down = rng.uniform(-free, free, 2)
        rows.append([[cos, -sin, middle[0] - cos * across + sin * down],
                     [sin, cos, middle[1] - sin * across - cos * down]])  # fmt: skip
        scales.append(scale)
    grid = F.affine_grid(torch.tensor(rows, dtype=torch.float32), [count, 1, SIZE, SIZE], align_corners=False)
    return grid, torch.tensor(scales, dtype=torch.float32).view(-1, 1, 1, 1)


def _recoloured(rgb: Tensor, rng: np.random.Generator) -> Tensor:
    """Half with permuted channels, all with another gamma."""
    order = torch.from_numpy(np.stack([rng.permutation(3) if rng.random() < 0.5 else np.arange(3) for _ in rgb]))
    rgb = rgb.gather(1, order[:, :, None, None].expand_as(rgb))
    power = torch.from_numpy(np.exp(rng.normal(0, 0.25, len(rgb))).astype(np.float32)).view(-1, 1, 1, 1)
    return rgb.clamp(1e-3, 1) ** power


def _shadows(whole: Tensor, rng: np.random.Generator) -> Tensor:
    """(B, 1, H, W): how much each figure's drop shadow darkens the background; most have none."""
    dark = torch.from_numpy(np.where(rng.random(len(whole)) < 0.3, rng.uniform(0.1, 0.5, len(whole)), 0))
    shift = [int(rng.integers(-7, 8)), int(rng.integers(-3, 9))]
    soft = whole.roll([shift[1], shift[0]], (2, 3))
    for _ in range(int(rng.integers(1, 4))):
        soft = F.avg_pool2d(soft, 5, 1, 2)
    return soft * dark.float().view(-1, 1, 1, 1)


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


def _renders(cache: RenderCache, number: int) -> NDArray[np.void]:
    """A chunk's records, some as decoded by the autoencoder if the judges' training has left decoded pictures."""
    rows = np.array(cache.load(number))
    for path in sorted(cache.folder.glob(f"decoded-*-{number:04d}.npy"))[:1]:
        taken = np.random.default_rng(number).random(len(rows)) < _DECODED
        rows["image"][taken] = np.load(path, mmap_mode="r", allow_pickle=False)[taken]
    return rows


def _grounds(number: int, count: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng([number, 7])
    return np.stack([np.rint(random_background(rng, None, SIZE) * 255).astype(np.uint8) for _ in range(count)])
