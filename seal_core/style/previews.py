"""Regions and pairs as pictures, for people to look at."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from ..stickers.font import open_font
from .matching import Pairs
from .regions import Regions

TINT = 0.6
GREY = (0.55, 0.55, 0.55)
Colour = tuple[float, float, float]


def region_colour(number: int) -> Colour:
    """A colour for each number; those of neighbouring numbers lie far apart on the wheel."""
    return colorsys.hsv_to_rgb((0.07 + 0.381966 * number) % 1, 0.8, 0.95)


def regions_preview(regions: Regions, colours: Mapping[int, Colour] | None = None, label: str = "") -> Tensor:
    """The picture tinted by region, with each region's number (from 1) in its midst: (H, W, 3).

    colours: of the regions; default `region_colour`, and grey for a region that has none. label: in the corner.
    """
    height, width = regions.image.shape[:2]
    labels = regions.at_pixels().numpy()
    table = [(colours.get(i, GREY) if colours is not None else region_colour(i)) for i in range(regions.count)]
    light = regions.image.mean(dim=2, keepdim=True)
    tinted = (1 - TINT) * light + TINT * torch.tensor(table)[torch.from_numpy(labels)]
    edges = ndimage.grey_dilation(labels, size=(3, 3)) != ndimage.grey_erosion(labels, size=(3, 3))
    tinted[torch.from_numpy(edges)] = 1.0
    canvas = Image.fromarray((tinted.clamp(0, 1) * 255).byte().numpy())
    draw, font = ImageDraw.Draw(canvas), open_font().at(max(12, min(height, width) / 14))
    for i in range(regions.count):
        depth = ndimage.distance_transform_edt(np.pad(labels == i, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        _write(draw, (float(column), float(row)), str(i + 1), font, "mm")
    if label:
        _write(draw, (width * 0.03, height * 0.03), label, font, "la")
    return torch.from_numpy(np.asarray(canvas).copy()).float() / 255


def pairs_preview(pairs: Pairs) -> Tensor:
    """Content and style pictures side by side, a region in its source's colour: (H, W, 3), as high as the content."""
    number: dict[tuple[int, int], int] = {}
    for pair in pairs.pairs:
        if pair.style is not None:
            number.setdefault((pair.style, pair.source), len(number))
    own = {p.region: region_colour(number[p.style, p.source]) for p in pairs.pairs if p.style is not None}
    shown = [regions_preview(pairs.content, own, "content")]
    height = shown[0].shape[0]
    for i, style in enumerate(pairs.styles):
        colours = {source: region_colour(n) for (at, source), n in number.items() if at == i}
        shown.append(_as_high(regions_preview(style, colours, f"style {i + 1}"), height))
    return torch.cat(shown, dim=1)


def in_one_batch(pictures: Sequence[Tensor]) -> Tensor:
    """(B, H, W, 3) of pictures (h, w, 3) of any sizes, each in the upper left corner, the rest white."""
    height, width = (max(p.shape[side] for p in pictures) for side in (0, 1))
    return torch.stack([F.pad(p, (0, 0, 0, width - p.shape[1], 0, height - p.shape[0]), value=1.0) for p in pictures])


def _as_high(image: Tensor, height: int) -> Tensor:
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    picture = Image.fromarray((image * 255).byte().numpy()).resize((width, height), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(picture).copy()).float() / 255


def _write(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, font, anchor: str) -> None:
    draw.text(at, text, font=font, anchor=anchor, fill="white", stroke_width=2, stroke_fill="black")
