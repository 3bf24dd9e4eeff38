"""The demo's contact sheet: where each method looks at the sticker, above what it draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..masks.semantic import overlay
from ..plots.figures import attention_overlay
from ..stickers.contact_sheet import contact_sheet
from .comparison import Column, Learned, Subject
from .tuned_presets import LABELS

CELL = 176
"""Pixels of one picture's side."""


def comparison_sheet(subject: Subject, columns: Sequence[Column], learned: Mapping[str, Learned]) -> Tensor:
    """(1, H, W, 3) float32 in [0, 1]. learned: preset -> its pictures, a row each."""
    top, bottom = _attention_row(subject, learned), _picture_rows(columns, learned)
    width = max(top.shape[2], bottom.shape[2])
    return torch.cat([_widened(top, width), _widened(bottom, width)], dim=1)


def _attention_row(subject: Subject, learned: Mapping[str, Learned]) -> Tensor:
    image, mask = subject.reference.image, subject.reference.mask
    before = next(iter(learned.values())).result.attention_before
    cells = {
        "the one sticker": image,
        "its mask": overlay(image, mask),
        "attention before": attention_overlay(image, before, mask),
    }
    for name, found in learned.items():
        cells[f"after {LABELS[name]}"] = attention_overlay(image, found.result.attention_after, mask)
    title = f"SEAL: {subject.source}"
    return contact_sheet(list(cells.values()), list(cells), columns=len(cells), cell=CELL, ground="white", title=title)


def _picture_rows(columns: Sequence[Column], learned: Mapping[str, Learned]) -> Tensor:
    images = [image for found in learned.values() for image in found.images]
    labels = [f"{LABELS[name]}, {column.label}" for name in learned for column in columns]
    title = "  |  ".join(f"{LABELS[name]}: {found.words}" for name, found in learned.items())
    return contact_sheet(images, labels, cell=CELL, ground="white", title=title)


def _widened(sheet: Tensor, width: int) -> Tensor:
    """Padded on the right with the colour of its corner."""
    missing = width - sheet.shape[2]
    return torch.cat([sheet, sheet[:, :1, :1].expand(1, sheet.shape[1], missing, 3)], dim=2)
