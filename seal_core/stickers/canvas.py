"""Pictures as uint8 RGBA, and fitting them into a canvas without distortion or dark fringes."""

from __future__ import annotations

import numpy as np
from PIL import Image

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels; right and bottom are exclusive, as in Pillow."""


def rgba8(pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, H, W, 4) in [0, 1], as `layers.layers_of` returns them, as uint8."""
    return (pictures * 255 + 0.5).astype(np.uint8)


def content_box(pictures: np.ndarray, threshold: int = 1) -> Box | None:
    """The smallest box around all pixels with alpha >= threshold in (N, H, W, 4) or (H, W, 4), or None."""
    alpha = pictures[..., 3].reshape(-1, *pictures.shape[-3:-1]).max(axis=0) >= threshold
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def fitted_size(width: int, height: int, into_width: int, into_height: int) -> tuple[int, int]:
    """The largest (width, height) of the same shape that fits into the given rectangle; sides are at least 1."""
    scale = min(into_width / width, into_height / height)
    return max(1, min(into_width, round(width * scale))), max(1, min(into_height, round(height * scale)))


def scale_rgba(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """uint8 (H, W, 4) to (height, width, 4) by Lanczos. Premultiplied, so hidden colours do not bleed into edges."""
    if picture.shape[:2] == (height, width):
        return picture
    premultiplied = Image.fromarray(np.ascontiguousarray(picture)).convert("RGBa")  # 8 bits: exact enough once shown
    return np.asarray(premultiplied.resize((width, height), Image.Resampling.LANCZOS).convert("RGBA"))


def fit_into(picture: np.ndarray, width: int, height: int, margin: int = 0, box: Box | None = None) -> np.ndarray:
    """uint8 (H, W, 4) scaled and centred in a transparent canvas (height, width, 4), with `margin` px free around it.

    box: use only this part of the picture, e.g. the `content_box` of all frames, so that an animation does not jump.
    """
    if box is not None:
        picture = picture[box[1] : box[3], box[0] : box[2]]
    inner = max(1, width - 2 * margin), max(1, height - 2 * margin)
    small = scale_rgba(picture, *fitted_size(picture.shape[1], picture.shape[0], *inner))
    canvas = np.zeros((height, width, 4), np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas
