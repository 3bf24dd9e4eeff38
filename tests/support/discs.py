"""Discs, the simplest stickers."""

from __future__ import annotations

import numpy as np
import torch


def disc(size=64, radius=20.0, centre=None):
    """Coverage of a disc, four times supersampled, (size, size)."""
    y, x = np.mgrid[: size * 4, : size * 4] / 4 + 0.125
    cy, cx = centre or (size / 2, size / 2)
    return (np.hypot(y - cy, x - cx) < radius).reshape(size, 4, size, 4).mean((1, 3)).astype(np.float32)


def disc_picture(alpha, front=(0.9, 0.3, 0.1), back=(0.55, 0.8, 0.95)):
    """(1, H, W, 3): a flat subject over a flat background."""
    a = alpha[..., None]
    return torch.from_numpy((a * np.float32(front) + (1 - a) * np.float32(back)).astype(np.float32))[None]


def disc_sticker(size=64, radius=20.0, rgb=(0.9, 0.3, 0.1)):
    """(1, H, W, 4): a disc on a transparent background."""
    alpha = disc(size, radius)
    return torch.from_numpy(np.dstack([np.broadcast_to(np.float32(rgb), (size, size, 3)), alpha]))[None]
