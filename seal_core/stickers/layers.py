"""RGBA layers as float arrays: laying one over another, colours by name, exact distances to a soft outline."""

from __future__ import annotations

import numpy as np
import torch
from PIL import ImageColor
from scipy import ndimage
from torch import Tensor

from ..errors import SealError


def colour(text: str, name: str) -> tuple[np.ndarray, float]:
    """RGB (3,) float32 in [0, 1] and opacity of "#ffffff", "#ffffff80", "white", "rgb(255, 0, 0)" and the like.

    SealError names the input `name` where the words are no colour.
    """
    try:
        values = ImageColor.getrgb(str(text).strip())
    except ValueError:
        raise SealError(f"{name}: {text!r} is no colour; write e.g. #ffffff, white or rgb(255, 255, 255).") from None
    return np.array(values[:3], np.float32) / 255, (values[3] / 255 if len(values) == 4 else 1.0)


def pictures(image: Tensor, mask: Tensor | None = None) -> np.ndarray:
    """(B, H, W, 4) float32 in [0, 1], straight alpha, of an IMAGE (B, H, W, 1, 3 or 4) or (H, W, C).

    mask: (B or 1, H, W) or (H, W), foreground = 1, multiplied with the picture's own alpha.
    Raises SealError for other shapes and empty batches.
    """
    images = image[None] if image.ndim == 3 else image
    if images.ndim != 4 or 0 in images.shape or images.shape[-1] not in (1, 3, 4):
        raise SealError(f"image: needs the shape (batch, height, width, 1, 3 or 4), got {tuple(image.shape)}.")
    values = torch.nan_to_num(images.detach().to("cpu", torch.float32)).clamp(0, 1).numpy()
    values = np.repeat(values, 3, 3) if values.shape[3] == 1 else values
    alpha = values[..., 3:] if values.shape[3] == 4 else np.ones((*values.shape[:3], 1), np.float32)
    if mask is not None:
        given = mask[None] if mask.ndim == 2 else mask
        if given.ndim != 3 or given.shape[1:] != values.shape[1:3] or len(given) not in (1, len(values)):
            raise SealError(
                f"mask: shape {tuple(mask.shape)} does not fit pictures of shape {values.shape[:3]}; wire one mask "
                "for all or one for each, of the pictures' size."
            )
        alpha = alpha * torch.nan_to_num(given.detach().to("cpu", torch.float32)).clamp(0, 1).numpy()[..., None]
    return np.concatenate([values[..., :3], alpha], 3)


def flat(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """A layer (H, W, 4) of one colour (3,) with this alpha (H, W)."""
    return np.dstack([np.broadcast_to(rgb, (*alpha.shape, 3)), alpha]).astype(np.float32)


def over(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """A layer over another, both (..., H, W, 4) with straight alpha (Porter and Duff 1984)."""
    a, b = top[..., 3:], bottom[..., 3:]
    alpha = a + b * (1 - a)
    rgb = top[..., :3] * a + bottom[..., :3] * b * (1 - a)
    hidden = np.where(a > 0, top[..., :3], bottom[..., :3])
    return np.concatenate([np.where(alpha > 0, rgb / np.maximum(alpha, 1e-6), hidden), alpha], -1).astype(np.float32)


def padded(layer: np.ndarray, left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """A layer (H, W, 4) with transparent white around it."""
    height, width = layer.shape[:2]
    out = np.ones((height + top + bottom, width + left + right, 4), np.float32)
    out[..., 3] = 0
    out[top : top + height, left : left + width] = layer
    return out


def distance(alpha: np.ndarray) -> np.ndarray:
    """How far each pixel (H, W) is outside of the outline where alpha passes one half, in pixels; 0 inside.

    Exact to about a tenth of a pixel: the Euclidean distance transform finds the nearest pixel of the edge, and
    its coverage and the slope there say where in it the outline runs (after Gustavson and Strand 2011).
    Infinite everywhere where nothing reaches one half.
    """
    solid = alpha > 0.5
    if not solid.any():
        return np.full(alpha.shape, np.inf, np.float32)
    inner, outer = solid & ndimage.binary_dilation(~solid), ~solid & ndimage.binary_dilation(solid)
    partly = (inner | outer) & (alpha > 0.01) & (alpha < 0.99)
    rim = partly | inner & ndimage.binary_dilation(alpha <= 0.01)
    rim = rim if rim.any() else inner
    if not rim.any():
        return np.zeros(alpha.shape, np.float32)
    away, ny, nx = _edge_within(alpha)
    where = ndimage.distance_transform_edt(~rim, return_distances=False, return_indices=True)
    rows, columns = np.ogrid[: alpha.shape[0], : alpha.shape[1]]
    best = np.full(alpha.shape, np.inf, np.float32)
    for dy, dx in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):  # a neighbour's nearest edge pixel may lie nearer
        at = tuple(_moved(w, dy, dx) for w in where)
        y, x, uy, ux = rows - at[0], columns - at[1], ny[at], nx[at]
        across, along = y * uy + x * ux - away[at], np.abs(x * uy - y * ux)
        best = np.minimum(best, np.hypot(across, np.maximum(along - 0.5, 0)))  # an edge pixel's piece is 1 long
    return np.where(solid, 0, best).astype(np.float32)


def _edge_within(alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From each pixel's centre how far it is, up the slope, to the straight edge that covers as much of the pixel;
    and the slope's direction (y, x)."""
    smooth = ndimage.uniform_filter(np.pad(alpha.astype(np.float32), 1, mode="edge"), 3)
    dy, dx = (g[1:-1, 1:-1] for g in np.gradient(smooth))
    steep = np.maximum(np.hypot(dy, dx), 1e-6)
    dy, dx = dy / steep, dx / steep
    wide, narrow = np.maximum(np.abs(dy), np.abs(dx)), np.minimum(np.abs(dy), np.abs(dx))
    corner = narrow / np.maximum(2 * wide, 1e-6)  # coverage up to which the edge only cuts a corner
    reach = (wide + narrow) / 2
    away = np.where(
        alpha < corner,
        reach - np.sqrt(2 * wide * narrow * alpha),
        np.where(alpha > 1 - corner, np.sqrt(2 * wide * narrow * (1 - alpha)) - reach, (0.5 - alpha) * wide),
    )
    return away, dy, dx


def _moved(plane: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """A plane whose pixels come from a neighbour; at the frame from themselves."""
    padded_plane = np.pad(plane, 1, mode="edge")
    return padded_plane[1 + dy : 1 + dy + plane.shape[0], 1 + dx : 1 + dx + plane.shape[1]]


def ramp(distance: np.ndarray, at: float, softness: float = 1.0) -> np.ndarray:
    """1 where a distance is below `at`, 0 beyond, changing over `softness` pixels (at least one, for a smooth edge)."""
    share = ((at - distance) / max(softness, 1.0) + 0.5).clip(0, 1)
    return share * share * (3 - 2 * share) if softness > 1 else share
