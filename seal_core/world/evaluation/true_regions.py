"""The regions that a flat sticker truly has, from the renderer's few colours, and how well others agree (ours)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...messages import SealError

FEWEST = 0.01
"""Share of the picture below which a colour is none of its own: such pixels are edges, which mix two colours."""


def true_regions(image: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.int64]:
    """(rows, columns): which of its main colours a flat picture (H, W, 3) shows most at each place of a grid.

    H and W are multiples of rows and columns. Raises SealError for a picture without a colour of FEWEST.
    """
    flat = image.reshape(-1, 3).astype(np.int64)
    codes, counts = np.unique(flat @ [65536, 256, 1], return_counts=True)
    main = codes[counts >= FEWEST * len(flat)]
    if not len(main):
        raise SealError("image: it has no colour of its own; give a flat picture.")
    palette = np.stack([main // 65536, main // 256 % 256, main % 256], axis=1)
    nearest = ((flat[:, None] - palette[None]) ** 2).sum(axis=2).argmin(axis=1)
    cells = nearest.reshape(rows, image.shape[0] // rows, columns, image.shape[1] // columns)
    votes = np.eye(len(main), dtype=np.int64)[cells].sum(axis=(1, 3))
    return votes.argmax(axis=2)


def adjusted_rand(one: NDArray[np.integer], other: NDArray[np.integer]) -> float:
    """Agreement of two labellings of the same places: 1 = the same parts, 0 = as by chance (Hubert and Arabie 1985)."""
    a, b = (np.unique(labels, return_inverse=True)[1].ravel() for labels in (one, other))
    table = np.zeros((a.max() + 1, b.max() + 1), np.int64)
    np.add.at(table, (a, b), 1)

    def pairs(counts: NDArray[np.integer]) -> float:
        return float((counts * (counts - 1) // 2).sum())

    together, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    chance = rows * columns / max(1, len(a) * (len(a) - 1) // 2)
    most = (rows + columns) / 2
    return 1.0 if most == chance else (together - chance) / (most - chance)
