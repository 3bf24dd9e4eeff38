"""The demo's contact sheet: the sticker and its mask, above what each method draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..masks.preview import mask_overlay
from ..stickers.contact_sheet import contact_sheet

CELL = 176
"""Pixels of one picture's side."""


@dataclass(frozen=True)
class Row:
    """One method: its label, the figures in words, its pictures."""

    label: str
    words: str
    images: Tensor


def comparison_sheet(title: str, image: Tensor, mask: Tensor, columns: Sequence[str], rows: Sequence[Row]) -> Tensor:
    """(1, H, W, 3) float32 in [0, 1].

    image (H, W, 3) and mask (H, W): the sticker. columns: what the pictures of each row were asked to show.
    """
    cells = {"the one sticker": image, "its mask": mask_overlay(image, mask)}
    top = contact_sheet(list(cells.values()), list(cells), columns=len(cells), cell=CELL, ground="white", title=title)
    bottom = _picture_rows(columns, rows)
    width = max(top.shape[2], bottom.shape[2])
    return torch.cat([_widened(top, width), _widened(bottom, width)], dim=1)


def _picture_rows(columns: Sequence[str], rows: Sequence[Row]) -> Tensor:
    parts = [
        contact_sheet(
            list(row.images),
            list(columns),
            columns=len(columns),
            cell=CELL,
            ground="white",
            title=f"{row.label}: {row.words}",
        )
        for row in rows
    ]
    return torch.cat(parts, dim=1)


def _widened(sheet: Tensor, width: int) -> Tensor:
    """Padded on the right with the colour of its corner."""
    missing = width - sheet.shape[2]
    return torch.cat([sheet, sheet[:, :1, :1].expand(1, sheet.shape[1], missing, 3)], dim=2)
