"""Sprites: what the two mask networks learn to cut out, as colours and exact opacity at one size (ours).

Real art of the tuning side (`real_art`), the same art as other hands would draw it, and procedural objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from tqdm import tqdm

from ...masks.segmenter import SIDE
from ...pictures.matting import nearest
from ..array_files import cached_array
from . import real_art
from .procedural import random_object

REACH = 30.0
"""Distances from a sprite are stored up to this many pixels: the widest border."""
SPRITE = np.dtype([("rgb", "u1", (SIDE, SIDE, 3)), ("alpha", "u1", (SIDE, SIDE)), ("near", "u1", (SIDE, SIDE))])
"""rgb: the subject's colours, extended beyond its edge. near: REACH minus the distance from it, times 255 / REACH."""
OBJECTS = 400
"""Procedural objects."""
_LEAST = 1200  # solid pixels that a sprite must have
_FILL = 0.8  # share of the square that a sprite's longer side takes


def sprite(rgb: NDArray[np.uint8], alpha: NDArray[np.floating]) -> NDArray[np.void] | None:
    """A SPRITE from colours (SIDE, SIDE, 3) and opacity (SIDE, SIDE) in [0, 1]; None if it is too small."""
    if (alpha > 0.95).sum() < _LEAST:
        return None
    record = np.zeros((), SPRITE)
    record["rgb"] = rgb[nearest(alpha >= 0.95)]
    record["alpha"] = np.rint(alpha * 255)
    # Distance 0 lies where alpha is one half.
    edge = ndimage.distance_transform_edt(alpha < 0.5)
    record["near"] = np.rint((REACH - np.minimum(np.maximum(edge - 0.5, 0), REACH)) * 255 / REACH)
    return record


def of_art(family: str, redrawn: bool) -> NDArray[np.void]:
    """All of a family's art that may be trained on, plain or redrawn with outlines. Raises real_art.Missing."""
    rng, rows = np.random.default_rng([*family.encode(), redrawn]), []
    for code in tqdm(real_art.trained_on(family), family, mininterval=10):
        svg = real_art.redrawn(family, code, rng) if redrawn else None
        drawn = real_art.picture(family, code, SIDE, _FILL, svg)
        rows.append(sprite(np.rint(drawn[..., :3] * 255).astype(np.uint8), drawn[..., 3]))
    return np.stack([row for row in rows if row is not None])


def of_objects(count: int) -> NDArray[np.void]:
    """`count` procedural objects."""
    rng, rows = np.random.default_rng(count), []
    while len(rows) < count:
        rgb, alpha = random_object(rng, SIDE)
        found = sprite(rgb, alpha.astype(np.float32) / 255)
        if found is not None:
            rows.append(found)
    return np.stack(rows)


def load(folder: Path) -> list[NDArray[np.void]]:
    """Sets of SPRITEs, mapped from files in `folder`; missing ones are made now. Raises real_art.Missing."""
    return list(_sets(folder))


def _sets(folder: Path) -> Iterator[NDArray[np.void]]:
    for family in real_art.FAMILIES:
        yield cached_array(folder / f"art-{family}.npy", partial(of_art, family, False))
        if real_art.is_drawn(family):
            yield cached_array(folder / f"redrawn-{family}.npy", partial(of_art, family, True))
    yield cached_array(folder / "objects.npy", partial(of_objects, OBJECTS))
