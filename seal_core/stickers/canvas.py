"""Pictures as uint8 RGBA, and fitting them to a canvas without distortion and without dark fringes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..errors import SealError

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels; right and bottom are outside, as in Pillow."""


def rgba8(images: np.ndarray, masks: np.ndarray | None = None, name: str = "images") -> np.ndarray:
    """Pictures as uint8 (N, H, W, 4), straight (not premultiplied) alpha.

    images: (N, H, W, 1 | 3 | 4) or one (H, W, C); uint8, or float in [0, 1]. masks: (N or 1, H, W) or (H, W),
    foreground = 1 (uint8: 255); multiplied with the picture's own alpha. SealError names `name` for empty batches.
    """
    pictures = _bytes(images)
    pictures = pictures[None] if pictures.ndim == 3 else pictures
    if pictures.ndim != 4 or 0 in pictures.shape or pictures.shape[3] not in (1, 3, 4):
        shape = tuple(np.shape(images))
        raise SealError(f"{name}: no pictures in shape {shape}; give (N, H, W, 3 or 4) with N, H and W at least 1.")
    if pictures.shape[3] == 1:
        pictures = np.repeat(pictures, 3, axis=3)
    full = np.full((*pictures.shape[:3], 1), 255, np.uint8)
    pictures = np.concatenate([pictures[..., :3], pictures[..., 3:] if pictures.shape[3] == 4 else full], axis=3)
    if masks is not None:
        alpha = _bytes(masks)
        alpha = alpha[None] if alpha.ndim == 2 else alpha
        if alpha.shape[1:] != pictures.shape[1:3] or len(alpha) not in (1, len(pictures)):
            raise SealError(
                f"mask: shape {alpha.shape} does not fit pictures of shape {pictures.shape[:3]}; "
                "give one mask for all or one each, in the pictures' height and width."
            )
        product = pictures[..., 3].astype(np.uint16) * alpha
        pictures[..., 3] = ((product + 127) // 255).astype(np.uint8)
    return pictures


def content_box(pictures: np.ndarray, threshold: int = 1) -> Box | None:
    """The smallest box around what any picture (N, H, W, 4) or (H, W, 4) shows, alpha >= threshold; None: nothing."""
    alpha = pictures[..., 3].reshape(-1, *pictures.shape[-3:-1]).max(axis=0) >= threshold
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def fitted_size(width: int, height: int, into_width: int, into_height: int) -> tuple[int, int]:
    """(width, height) scaled, without distortion, to the largest that lies in the given rectangle; sides >= 1."""
    scale = min(into_width / width, into_height / height)
    return max(1, min(into_width, round(width * scale))), max(1, min(into_height, round(height * scale)))


def resize(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """uint8 (H, W, 4) to (height, width, 4): Lanczos on premultiplied colours, so no hidden one bleeds into edges."""
    if picture.shape[:2] == (height, width):
        return picture
    premultiplied = Image.fromarray(np.ascontiguousarray(picture)).convert("RGBa")  # 8 bits: exact enough once shown
    return np.asarray(premultiplied.resize((width, height), Image.Resampling.LANCZOS).convert("RGBA"))


def fit(picture: np.ndarray, width: int, height: int, margin: int = 0, box: Box | None = None) -> np.ndarray:
    """uint8 (H, W, 4) scaled and centred in a transparent (height, width, 4) canvas, `margin` px kept free around it.

    box: only this part of the picture (e.g. `content_box` of all frames, so that an animation does not jump).
    """
    if box is not None:
        picture = picture[box[1] : box[3], box[0] : box[2]]
    inner = max(1, width - 2 * margin), max(1, height - 2 * margin)
    small = resize(picture, *fitted_size(picture.shape[1], picture.shape[0], *inner))
    canvas = np.zeros((height, width, 4), np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


def fit_all(
    pictures: Sequence[np.ndarray] | np.ndarray, width: int, height: int, margin: int = 0, box: Box | None = None
) -> np.ndarray:
    """`fit` for every picture: uint8 (N, height, width, 4)."""
    return np.stack([fit(picture, width, height, margin, box) for picture in pictures])


def _bytes(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype == np.uint8:
        return values
    return (np.clip(np.nan_to_num(values.astype(np.float32)), 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
