"""The subjects of pictures on common ground, as actors and their cast: what the motions move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy import ndimage
from torch.nn.functional import interpolate

from ..messages import SealError, notify_user
from ..stickers.canvas import content_box

_SEEN = 0.02
"""Opacity from which a pixel counts as part of the subject."""
_WHITE, _MOSTLY, _MIXED, _DEEPEST = 0.88, 0.8, 0.006, 0.1
"""A die-cut line: pixels this bright; this share of them at one depth; and as shares of the size the width of its
outermost pixels, which are not looked at, and its largest width."""
_CUT = 0.12
"""Share of a side of the picture that a subject may touch before it looks cut there."""
_FEET = 0.1
"""The lowest share of a subject, which is what it stands on."""
_HULL = 96
"""How many rows and columns tell what a subject reaches."""


@dataclass(frozen=True, eq=False)
class Actor:
    """colours: premultiplied RGBA (h, w, 4) float32 of the subject's box with one clear pixel around it. left, top: of
    that in the picture, in pixels. middle: x of its centre of mass; bottom: y of its feet. rim: pixels of white line
    around it; 0 if it has none."""

    colours: np.ndarray
    left: int
    top: int
    middle: float
    bottom: float
    stands: tuple[float, float]
    rim: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """left, top, right, bottom of what is seen, in pixels."""
        high, wide = self.colours.shape[:2]
        return self.left + 1.0, self.top + 1.0, self.left + wide - 1.0, self.top + high - 1.0

    @cached_property
    def hull(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y in pixels of points that enclose what is seen: both ends of its rows and columns."""
        seen = self.colours[..., 3] > 0
        points = []
        for flip in (False, True):
            lines = seen.T if flip else seen
            at = np.flatnonzero(lines.any(1))
            at = at[np.unique(np.linspace(0, len(at) - 1, _HULL).round().astype(int))]
            first, last = lines[at].argmax(1), lines.shape[1] - lines[at][:, ::-1].argmax(1)
            for along in (at, at + 1):
                for across in (first, last):
                    points.append(np.stack([along, across] if flip else [across, along]))
        x, y = np.concatenate(points, 1).astype(np.float64)
        return x + self.left, y + self.top


@dataclass(frozen=True, eq=False)
class Cast:
    """Subjects, one for each key pose, that stand on one ground. size: pixels of one unit of length. middle, ground:
    where they stand. high: of all, in sizes. canvas: width and height in pixels."""

    subjects: tuple[Actor, ...]
    canvas: tuple[int, int]

    @cached_property
    def size(self) -> float:
        return float(np.mean([np.sqrt((s.box[2] - s.box[0]) * (s.box[3] - s.box[1])) for s in self.subjects]))

    @property
    def middle(self) -> float:
        return float(np.mean([s.middle for s in self.subjects]))

    @property
    def ground(self) -> float:
        return float(np.mean([s.bottom for s in self.subjects]))

    @property
    def high(self) -> float:
        return float(np.mean([s.box[3] - s.box[1] for s in self.subjects])) / self.size

    @property
    def rim(self) -> float:
        return float(np.median([s.rim for s in self.subjects]))


def cast_of(layers: Sequence[np.ndarray]) -> Cast:
    """The subjects of layers (H, W, 4), straight alpha, as key poses of one animation.

    Layers of another size are fitted into the first one's. Raises SealError, naming the picture, where nothing shows.
    """
    high, wide = layers[0].shape[:2]
    if any(layer.shape[:2] != (high, wide) for layer in layers):
        notify_user(f"image: the key poses have several sizes; all were fitted to the first one's {wide} x {high}.")
    subjects = []
    for number, layer in enumerate(layers, 1):
        which = f"picture {number}" if len(layers) > 1 else "the picture"
        subjects.append(_subject(_fitted(_premultiplied(layer), high, wide), which))
    return Cast(tuple(subjects), (wide, high))


def resized(colours: np.ndarray, high: int, wide: int) -> np.ndarray:
    """Premultiplied RGBA (h, w, 4) at another size: bicubic, over the area of each pixel when smaller."""
    if colours.shape[:2] == (high, wide):
        return colours
    data = torch.from_numpy(np.ascontiguousarray(colours)).permute(2, 0, 1)[None]
    return interpolate(data, (high, wide), mode="bicubic", antialias=True)[0].permute(1, 2, 0).numpy()


def _premultiplied(layer: np.ndarray) -> np.ndarray:
    return np.concatenate([layer[..., :3] * layer[..., 3:], layer[..., 3:]], -1)


def _fitted(colours: np.ndarray, high: int, wide: int) -> np.ndarray:
    """A premultiplied picture scaled into a canvas, standing in the middle of its lower edge."""
    if colours.shape[:2] == (high, wide):
        return colours
    scale = min(high / colours.shape[0], wide / colours.shape[1])
    size = max(1, round(colours.shape[0] * scale)), max(1, round(colours.shape[1] * scale))
    out = np.zeros((high, wide, 4), np.float32)
    left = (wide - size[1]) // 2
    out[high - size[0] :, left : left + size[1]] = resized(colours, *size).clip(0, 1)
    return out


def _subject(picture: np.ndarray, which: str) -> Actor:
    """The subject of a premultiplied picture (H, W, 4)."""
    alpha = picture[..., 3]
    box = content_box(np.where(alpha[..., None] > _SEEN, 255, 0).astype(np.uint8).repeat(4, -1))
    if box is None or not (alpha > 0.5).any():
        raise SealError(f"image: {which} shows nothing that could move; give one with a subject, or another mask.")
    left, top, right, bottom = box
    _tell_cut(alpha > 0.5, which)
    own = np.where(alpha[top:bottom, left:right, None] > _SEEN, picture[top:bottom, left:right], 0)
    solid = np.flatnonzero((alpha > 0.5).any(1))
    middle = float((alpha.sum(0) * (np.arange(alpha.shape[1]) + 0.5)).sum() / alpha.sum())
    around = np.pad(own, ((1, 1), (1, 1), (0, 0))).astype(np.float32)
    bottom = int(solid[-1]) + 1
    feet = np.flatnonzero((alpha[bottom - max(1, round(_FEET * (bottom - top))) : bottom] > 0.5).any(0))
    stands = float(feet[0]), float(feet[-1] + 1)
    return Actor(around, left - 1, top - 1, middle, float(bottom), stands, _rim(own))


def _rim(colours: np.ndarray) -> float:
    """Width in pixels of the white line along a subject's outline; its outermost pixels may be mixed with a ground."""
    depth = ndimage.distance_transform_edt(np.pad(colours[..., 3] > 0.5, 1))[1:-1, 1:-1]
    white = np.all(colours[..., :3] >= _WHITE * colours[..., 3:], axis=-1)
    size = np.sqrt(depth.size)
    width = mixed = 1 + int(_MIXED * size)
    most = int(_DEEPEST * size)
    while width < most:
        ring = (depth > width + 0.01) & (depth <= width + 1.01)
        if not ring.any() or white[ring].mean() < _MOSTLY:
            break
        width += 1
    return float(width) if mixed < width < most else 0.0


def _tell_cut(solid: np.ndarray, which: str) -> None:
    """A notice where the subject runs out of the picture: its flat side shows as soon as it moves."""
    sides = {"top": solid[0], "bottom": solid[-1], "left": solid[:, 0], "right": solid[:, -1]}
    cut = [name for name, line in sides.items() if line.mean() > _CUT]
    if cut:
        notify_user(
            f"image: {which} is cut off at the {' and '.join(cut)}; its flat edge will show when it moves. Give one "
            "with a margin around the subject."
        )
