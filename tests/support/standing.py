"""Subjects for the tests of motions: flat in colour, on flat feet."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

COLOUR = (0.9, 0.4, 0.1)


def standing(wide: int = 160, high: int = 160, margin: int = 30, hidden: float = 0.0) -> Tensor:
    """(1, high, wide, 4): a round body on two flat feet, of one COLOUR; hidden pixels are a grey of `hidden`."""
    many = 4
    shape = Image.new("L", (wide * many, high * many))
    draw, (left, top, right, bottom) = (
        ImageDraw.Draw(shape),
        (many * v for v in (margin, margin, wide - margin, high - margin)),
    )
    draw.ellipse((left, top, right - 1, bottom - (bottom - top) // 8), fill=255)
    for share in (0.25, 0.6):
        x = left + int(share * (right - left))
        draw.rectangle((x, (top + bottom) // 2, x + (right - left) // 6, bottom - 1), fill=255)
    alpha = np.asarray(shape.resize((wide, high), Image.Resampling.BOX), np.float32) / 255
    colour = np.where(alpha[..., None] > 0, COLOUR, hidden)
    return torch.from_numpy(np.dstack([colour, alpha]).astype(np.float32))[None]


def area(frames: Tensor) -> np.ndarray:
    """How many pixels each frame shows."""
    return frames[..., 3].sum((1, 2)).numpy()


def lowest(frames: Tensor) -> np.ndarray:
    """y of the lower end of what each frame (H, W, 4) shows, in fractions of a pixel."""
    column = frames[..., 3].amax(2).numpy()
    last = np.array([np.flatnonzero(line > 0.02)[-1] for line in column])
    return last + column[np.arange(len(last)), last]
