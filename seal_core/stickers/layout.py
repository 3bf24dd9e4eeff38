"""Stickers on a platform's canvas: cropped to what they show, scaled without distortion, placed with a margin."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..callbacks import OnProgress, reporting
from ..messages import SealError
from .canvas import Box, content_box, rgba8, scale_rgba
from .layers import layers_of
from .platforms import PLATFORMS, SIDES, platform_of

CUSTOM = "custom"
LAYOUTS = (*(n for n, p in PLATFORMS.items() if p.still.canvas != "own"), CUSTOM)
"""What `lay_out` accepts: the platforms that have a canvas, and a custom size."""
ANCHORS = ("centre", "bottom", "top")
LARGEST = 4096


def canvas_of(platform: str, animated: bool, width: int = 512, height: int = 512) -> tuple[str, int, int]:
    """A platform's kind of canvas ("exact", "longest", "within") and its width and height in pixels.

    width, height: for "custom"; width also picks the side where a platform offers several (iMessage).
    """
    if platform == CUSTOM:
        return "exact", width, height
    if platform not in LAYOUTS:
        raise SealError(f"platform: {platform!r} has no canvas; choose one of {', '.join(LAYOUTS)}.")
    form = platform_of(platform).motion if animated else platform_of(platform).still
    if platform in SIDES and width in SIDES[platform]:
        return form.canvas, width, width
    return form.canvas, form.width, form.height


def lay_out(
    image: Tensor,
    mask: Tensor | None = None,
    platform: str = "telegram",
    *,
    animated: bool = False,
    margin: float = 3.0,
    anchor: str = "centre",
    width: int = 512,
    height: int = 512,
    enlarge: bool = True,
    progress: OnProgress | None = None,
) -> tuple[Tensor, Tensor]:
    """Stickers (B, H', W', 4), straight alpha, on a platform's canvas, and their masks (B, H', W').

    image: its alpha times `mask` says what is shown (`layers.layers_of`). All pictures of a batch are cropped and
    scaled alike, so the frames of an animation stay in register. margin: percent (0..40) of the canvas's shorter side
    to keep free all round. anchor: one of ANCHORS. enlarge: scale small stickers up. A canvas that may be smaller on a
    side ("longest", "within") is cut to the sticker. progress: called as (done, all) for each picture.
    Raises SealError for unknown choices and if no picture shows anything.
    """
    if anchor not in ANCHORS:
        raise SealError(f"anchor: {anchor!r} is not known; choose one of {', '.join(ANCHORS)}.")
    if not 0 <= margin <= 40:
        raise SealError(f"margin: {margin:g} is out of range; use 0 to 40 percent.")
    if platform == CUSTOM and not (1 <= width <= LARGEST and 1 <= height <= LARGEST):
        raise SealError(f"width: {width} x {height} pixels is not possible; use 1 to {LARGEST} for each side.")
    frames = rgba8(layers_of(image, mask))
    box = content_box(frames, threshold=2)
    if box is None:
        raise SealError("image: shows nothing to lay out; every picture is transparent.")
    kind, wide, high = canvas_of(platform, animated, width, height)
    free = round(margin / 100 * min(wide, high))
    size = _sticker_size(box, max(1, wide - 2 * free), max(1, high - 2 * free), enlarge)
    if kind != "exact":
        wide, high = _cut_down(kind, size, free, wide, high)
    placed = np.stack([_placed(f, box, size, wide, high, free, anchor) for f in reporting(frames, progress)])
    out = torch.from_numpy(placed.astype(np.float32) / 255)
    return out, out[..., 3].clone()


def _sticker_size(box: Box, wide: int, high: int, enlarge: bool) -> tuple[int, int]:
    width, height = box[2] - box[0], box[3] - box[1]
    scale = min(wide / width, high / height)
    scale = scale if enlarge else min(scale, 1.0)
    return max(1, min(wide, round(width * scale))), max(1, min(high, round(height * scale)))


def _cut_down(kind: str, size: tuple[int, int], free: int, wide: int, high: int) -> tuple[int, int]:
    """The canvas cut to the sticker and its margin. "longest" keeps one side; "within" keeps sides even."""
    need = [min(limit, s + 2 * free) for s, limit in zip(size, (wide, high))]
    if kind == "longest":
        longer = int(need[1] >= need[0])
        need[longer] = (wide, high)[longer]
    else:
        need = [min(limit, n + n % 2) for n, limit in zip(need, (wide, high))]
    return need[0], need[1]


def _placed(
    frame: np.ndarray, box: Box, size: tuple[int, int], wide: int, high: int, free: int, anchor: str
) -> np.ndarray:
    small = scale_rgba(frame[box[1] : box[3], box[0] : box[2]], *size)
    canvas = np.zeros((high, wide, 4), np.uint8)
    left, slack = (wide - size[0]) // 2, high - size[1]
    top = {"centre": slack // 2, "bottom": max(0, slack - free), "top": min(slack, free)}[anchor]
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas
