"""Context augmentation (ours): the subject on other grounds, elsewhere, larger, smaller, mirrored.

It attacks visual entanglement and structural rigidity at their root: ground and place change from example to example,
and the prompt names the ground, so that neither becomes part of the concept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..messages import SealError
from ..pictures.matting import decontaminated
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
SMALL, LARGE = 0.5, 0.95
"""Range of the subject's size, as a share of the largest that the frame holds: a small figure is seen close up too."""
ENLARGED = 3.0
"""Largest magnification; beyond it a view would teach blur."""
MIRRORED = 0.5
"""Share of the views that are mirrored."""
VISIBLE, SUBJECT = 0.02, 0.5
"""Mask values from which a pixel is not clearly ground, and from which it is the subject's."""
ALIKE, MOST_ALIKE = 0.2, 0.15
"""RGB distance within which colours are alike; the share of the subject that may be like its new ground."""
TOLD_APART = 0.5
"""RGB distance from which two colours of a pattern are seen as two."""
DARK = 0.5
"""Mean of RGB below which a colour is dark."""


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


Paint = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""(y, x) in cells, each (H, W) -> share of the second colour (H, W) in [0, 1]; drawn patterns are two-valued."""


def _grain(y: Tensor, x: Tensor, generator: torch.Generator) -> Tensor:
    """Paper: fine noise and soft blotches, at most a fifth of the way to the second colour."""
    fine = torch.rand(y.shape, generator=generator)
    size = [max(2, s // 24) for s in y.shape]
    soft = F.interpolate(torch.rand(1, 1, *size, generator=generator), size=y.shape, mode="bicubic")[0, 0]
    return (0.1 * fine + 0.1 * soft).clamp(0, 1)


def _dots(y: Tensor, x: Tensor, generator: torch.Generator) -> Tensor:
    radius = _uniform(generator, 0.2, 0.36)
    return ((y.frac() - 0.5) ** 2 + (x.frac() - 0.5) ** 2 < radius**2).float()


_PAINT: dict[str, Paint] = {
    "plain": lambda y, x, _: torch.zeros_like(y),
    "gradient": lambda y, x, _: (y - y.min()) / (y.max() - y.min()).clamp(min=1e-6),
    "striped": lambda y, x, _: y.floor() % 2,
    "checkered": lambda y, x, _: (y.floor() + x.floor()) % 2,
    "dotted": _dots,
    "grainy": _grain,
}
AUGMENT_GROUNDS = tuple(_PAINT)
"""Kinds of ground that augmentation paints, as its words name them. An evaluation must use others."""


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
    """The reference with the subject's own colours in its soft edge, where `matting.decontaminated` can tell them."""
    subject = decontaminated(reference.image.numpy(), reference.mask.numpy())
    return reference if subject is None else Reference(torch.from_numpy(subject), reference.mask)


def _uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _augmented(reference: Reference, source: int, generator: torch.Generator) -> View:
    height, width = reference.mask.shape
    ground, words = _ground(height, width, _apart(reference, generator), generator)
    top, bottom, left, right = _box(reference.mask)
    mirrored = bool(torch.rand((), generator=generator) < MIRRORED)
    # Never larger than the frame: a sticker's subject is whole.
    fits = min(height / (bottom - top), width / (right - left))
    scale = min(_uniform(generator, SMALL, LARGE) * fits, ENLARGED)
    size = (max(1, int((bottom - top) * scale)), max(1, int((right - left) * scale)))
    layers = torch.cat([reference.image, reference.mask[..., None]], dim=-1)[top:bottom, left:right]
    layers = layers.flip(1) if mirrored else layers
    planes = layers.permute(2, 0, 1)[None]
    layers = F.interpolate(planes, size=size, mode="bilinear", antialias=True)[0].permute(1, 2, 0)
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
    rows, columns = (np.flatnonzero((mask > VISIBLE).any(dim=d).numpy()) for d in (1, 0))
    if not len(rows):
        raise SealError("mask: empty, so there is no subject to paste on other grounds. Wire SEAL Semantic Mask.")
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _apart(reference: Reference, generator: torch.Generator) -> list[str]:
    """The colours' names in random order, without those that much of the subject has itself, if any are left."""
    names = [list(COLOURS)[int(i)] for i in torch.randperm(len(COLOURS), generator=generator)]
    own = reference.image[reference.mask > SUBJECT]

    def is_apart(name: str) -> bool:
        alike = (own - torch.tensor(COLOURS[name])).norm(dim=1) < ALIKE
        return bool(len(own)) and bool(alike.float().mean() < MOST_ALIKE)

    apart = [name for name in names if is_apart(name)]
    return apart if len(apart) > 1 else names


def _ground(height: int, width: int, names: Sequence[str], generator: torch.Generator) -> tuple[Tensor, str]:
    """A painted ground (H, W, 3) in the first of these colours, and the words for it: "blue and white striped"."""
    kind = AUGMENT_GROUNDS[int(torch.randint(len(AUGMENT_GROUNDS), (), generator=generator))]
    # Plain white is a ground that StickerWorld evaluates on; the others it draws have other colours and patterns.
    first = next(n for n in names if n != "white" or kind not in ("gradient", "plain"))
    one = torch.tensor(COLOURS[first])
    # Orange on red would hardly be seen as two colours, so the second one is well apart from the first.
    second = max(names, key=lambda n: float((torch.tensor(COLOURS[n]) - one).norm() > TOLD_APART))
    other = torch.tensor(COLOURS[second])
    if kind == "gradient":
        other = one + 0.75 * (1 - one)
    elif kind == "grainy":
        other = torch.full((3,), float(one.mean() < DARK))  # lighter or darker, never another hue
    # Painted at twice the size, then averaged: smooth edges.
    cells = _uniform(generator, 5, 11) / (2 * max(height, width))
    turn = (0.0, math.pi / 4, math.pi / 2)[int(torch.randint(3, (), generator=generator))]
    turn = turn if kind in ("striped", "gradient", "dotted") else 0.0
    rows, columns = torch.meshgrid(torch.arange(2.0 * height), torch.arange(2.0 * width), indexing="ij")
    y = (rows * math.cos(turn) + columns * math.sin(turn)) * cells
    x = (columns * math.cos(turn) - rows * math.sin(turn)) * cells
    x = x - x.min()
    share = F.avg_pool2d(_PAINT[kind](y, x, generator)[None], 2)[0, ..., None]
    words = f"{first} and {second} {kind}" if kind in ("striped", "checkered", "dotted") else f"{kind} {first}"
    return torch.lerp(one, other, share), f"{first} gradient" if kind == "gradient" else words
