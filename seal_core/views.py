"""Context augmentation (ours): the subject on other grounds, elsewhere, larger, smaller, mirrored.

It attacks visual entanglement and structural rigidity at the root: the ground and the place change
from draw to draw, and the prompt says so, so that neither belongs to the concept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from .references import Reference

COLOURS = {
    "red": (0.86, 0.22, 0.2),
    "orange": (0.96, 0.6, 0.22),
    "yellow": (0.97, 0.86, 0.35),
    "green": (0.35, 0.68, 0.36),
    "teal": (0.2, 0.6, 0.6),
    "blue": (0.27, 0.48, 0.85),
    "purple": (0.55, 0.38, 0.76),
    "pink": (0.96, 0.66, 0.76),
    "brown": (0.52, 0.37, 0.26),
    "grey": (0.6, 0.6, 0.62),
    "white": (0.98, 0.98, 0.98),
    "black": (0.08, 0.08, 0.09),
}
SMALL, LARGE = 0.6, 1.1
"""Range of the subject's size relative to the reference."""


@dataclass(frozen=True, eq=False)
class View:
    """A picture to train on: image (H, W, 3) and mask (H, W) in [0, 1].

    background: "" for the reference's own ground, else words that a prompt puts before "background"
    ("plain red"). source: which reference it shows.
    """

    image: Tensor
    mask: Tensor
    background: str = ""
    mirrored: bool = False
    source: int = 0


def _plain(colours: Tensor, y: Tensor, x: Tensor) -> Tensor:
    return colours[0].expand(*y.shape, 3)


def _gradient(colours: Tensor, y: Tensor, x: Tensor) -> Tensor:
    pale = colours[0] + 0.7 * (1 - colours[0])
    return torch.lerp(colours[0].expand(*y.shape, 3), pale.expand(*y.shape, 3), y[..., None])


def _two(choose: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def paint(colours: Tensor, y: Tensor, x: Tensor) -> Tensor:
        return torch.where(choose(y, x)[..., None], colours[0], colours[1])

    return paint


def _dots(y: Tensor, x: Tensor) -> Tensor:
    return ((y * 7).frac() - 0.5) ** 2 + ((x * 7).frac() - 0.5) ** 2 > 0.08


_PAINT: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "plain": _plain,
    "gradient": _gradient,
    "striped": _two(lambda y, x: (x * 6).floor() % 2 == 0),
    "checkered": _two(lambda y, x: ((x * 6).floor() + (y * 6).floor()) % 2 == 0),
    "dotted": _two(_dots),
}
AUGMENT_GROUNDS = tuple(_PAINT)
"""Kinds of ground that augmentation paints; an evaluation must use others."""


def make_views(references: Sequence[Reference], count: int, generator: torch.Generator) -> list[View]:
    """The references as they are, then `count` augmented views, taken in turn from each reference.

    Deterministic for a generator's seed. A view has the size of its reference.
    """
    views = [View(r.image, r.mask, source=i) for i, r in enumerate(references)]
    clean = [_decontaminated(r) for r in references] if count else []
    for i in range(count):
        views.append(_augmented(clean[i % len(clean)], i % len(clean), generator))
    return views


def _decontaminated(reference: Reference) -> Reference:
    """The subject's own colours carried over its soft edge, so that no halo of the old ground comes along."""
    solid = reference.mask.numpy() > 0.95
    if not solid.any():
        return reference
    rows, columns = ndimage.distance_transform_edt(~solid, return_distances=False, return_indices=True)
    return Reference(reference.image[torch.from_numpy(rows), torch.from_numpy(columns)], reference.mask)


def _uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _augmented(reference: Reference, source: int, generator: torch.Generator) -> View:
    height, width = reference.mask.shape
    ground, words = _ground(height, width, generator)
    top, bottom, left, right = _box(reference.mask)
    mirrored = bool(torch.rand((), generator=generator) < 0.5)
    # Never larger than the frame: a sticker's subject is whole.
    fits = min(height / (bottom - top), width / (right - left))
    scale = min(_uniform(generator, SMALL, LARGE), fits)
    size = (max(1, int((bottom - top) * scale)), max(1, int((right - left) * scale)))
    layers = torch.cat([reference.image, reference.mask[..., None]], dim=-1)[top:bottom, left:right]
    layers = layers.flip(1) if mirrored else layers
    layers = F.interpolate(layers.permute(2, 0, 1)[None], size=size, mode="bilinear", antialias=True)[0].permute(1, 2, 0)
    y = int(_uniform(generator, 0, height - size[0] + 1 - 1e-6))
    x = int(_uniform(generator, 0, width - size[1] + 1 - 1e-6))
    mask = torch.zeros(height, width)
    mask[y : y + size[0], x : x + size[1]] = layers[..., 3]
    image = ground.clone()
    alpha = layers[..., 3:]
    window = image[y : y + size[0], x : x + size[1]]
    image[y : y + size[0], x : x + size[1]] = alpha * layers[..., :3] + (1 - alpha) * window
    return View(image.clamp(0, 1), mask.clamp(0, 1), words, mirrored, source)


def _box(mask: Tensor) -> tuple[int, int, int, int]:
    """Bounding box of everything that is not clearly ground."""
    rows, columns = (np.flatnonzero((mask > 0.02).any(dim=d).numpy()) for d in (1, 0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _ground(height: int, width: int, generator: torch.Generator) -> tuple[Tensor, str]:
    """A painted ground (H, W, 3) and the words for it: "plain red", "blue and white striped"."""
    kind = AUGMENT_GROUNDS[int(torch.randint(len(AUGMENT_GROUNDS), (), generator=generator))]
    names = [list(COLOURS)[int(i)] for i in torch.randperm(len(COLOURS), generator=generator)[:2]]
    if kind == "gradient" and names[0] == "white":
        names = names[::-1]
    colours = torch.tensor([COLOURS[n] for n in names])
    side = max(height, width)
    y = (torch.arange(height) / side)[:, None].expand(height, width)
    x = (torch.arange(width) / side)[None].expand(height, width)
    one = kind in ("plain", "gradient")
    words = f"plain {names[0]}" if kind == "plain" else f"{names[0]} gradient" if one else f"{names[0]} and {names[1]} {kind}"
    return _PAINT[kind](colours, y, x).clone(), words
