"""What varies from picture to picture in the mask networks' training: border, place, colours, shadow, damage (ours)."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Generator, Tensor

from ...masks.segmenter import SIDE
from ..judges import degradations
from .procedural import random_colour

UNIT = SIDE // 128
"""Pixels of what is measured at 128 px."""
_SHADOWED, _FLOOR = 0.35, 0.25  # share of figures with a shadow; of these, one that lies on the floor
_PART = 0.25  # share of sprites of which a part has another colour
_CROPPED, _STANDING = 0.35, 0.5  # share of sprites that the frame may crop; of these, by one side alone


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


def placing(alpha: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
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


def recoloured(rgb: Tensor, rng: np.random.Generator) -> Tensor:
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


def figure_shadows(whole: Tensor, rng: np.random.Generator) -> Tensor:
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


def jpeg_file(image: Tensor, rng: np.random.Generator) -> Tensor:
    """An image (3, SIDE, SIDE) that was once a JPEG file of this size or of twice the size."""
    fine = SIDE * int(rng.integers(1, 3))
    picture = Image.fromarray(np.rint(image.permute(1, 2, 0).clamp(0, 1).numpy() * 255).astype(np.uint8))
    buffer = io.BytesIO()
    picture.resize((fine, fine), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=int(rng.integers(25, 80)))
    read = Image.open(buffer, formats=("JPEG",)).reduce(fine // SIDE)
    return torch.from_numpy(np.asarray(read, np.float32) / 255).permute(2, 0, 1)


def moved_about(both: Tensor, generator: Generator) -> Tensor:
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
