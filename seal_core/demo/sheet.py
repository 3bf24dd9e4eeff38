"""The demo's contact sheet: where each method looks at the sticker, above what it draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..masks.preview import mask_overlay
from ..plots.attention_overlay import attention_overlay
from ..stickers.contact_sheet import contact_sheet

CELL = 176
"""Pixels of one picture's side."""


@dataclass(frozen=True)
class Row:
    """One method: its label, the figures in words, its attention map (h, w) after the training, its pictures."""

    label: str
    words: str
    attention: Tensor
    images: Tensor


def comparison_sheet(
    title: str, image: Tensor, mask: Tensor, before: Tensor, columns: Sequence[str], rows: Sequence[Row]
) -> Tensor:
    """(1, H, W, 3) float32 in [0, 1].

    image (H, W, 3) and mask (H, W): the sticker. before: the attention map (h, w) before any training. columns: what
    the pictures of each row were asked to show.
    """
    top, bottom = _attention_row(title, image, mask, before, rows), _picture_rows(columns, rows)
    width = max(top.shape[2], bottom.shape[2])
    return torch.cat([_widened(top, width), _widened(bottom, width)], dim=1)


def _attention_row(title: str, image: Tensor, mask: Tensor, before: Tensor, rows: Sequence[Row]) -> Tensor:
    cells = {
        "the one sticker": image,
        "its mask": mask_overlay(image, mask),
        "attention before": attention_overlay(image, before, mask),
        **{f"after {row.label}": attention_overlay(image, row.attention, mask) for row in rows},
    }
    pictures, labels = list(cells.values()), list(cells)
    return contact_sheet(pictures, labels, columns=len(cells), cell=CELL, ground="white", title=title)


def _picture_rows(columns: Sequence[str], rows: Sequence[Row]) -> Tensor:
    images = [image for row in rows for image in row.images]
    labels = [f"{row.label}, {column}" for row in rows for column in columns]
    title = "  |  ".join(f"{row.label}: {row.words}" for row in rows)
    return contact_sheet(images, labels, cell=CELL, ground="white", title=title)


def _widened(sheet: Tensor, width: int) -> Tensor:
    """Padded on the right with the colour of its corner."""
    missing = width - sheet.shape[2]
    return torch.cat([sheet, sheet[:, :1, :1].expand(1, sheet.shape[1], missing, 3)], dim=2)
