"""Frames on a platform's canvas: its size, cropping to what is shown, scaling and centring."""

from __future__ import annotations

import numpy as np

from ...callbacks import StopCheck, never_stop, stoppable
from ...messages import SealError
from ..canvas import content_box, fit_into, fitted_size
from ..platforms import Motion, Still

FAINT = 8
"""A picture with alpha below this everywhere shows nothing."""


def canvas_size(spec: Still | Motion, width: int, height: int, even: bool = False) -> tuple[int, int]:
    """The canvas (width, height) in pixels for a picture of this size. even: make both sides even."""
    if spec.canvas == "exact":
        return spec.width, spec.height
    if spec.canvas == "own":
        return (width + width % 2, height + height % 2) if even else (width, height)
    around = 2 * spec.margin
    wide, high = fitted_size(width, height, spec.width - around, spec.height - around)
    if even or spec.canvas == "within":
        wide, high = max(2, wide - wide % 2), max(2, high - high % 2)
    return wide + around, high + around


def crop_to_content(frames: np.ndarray, spec: Still | Motion) -> np.ndarray:
    """Frames (N, H, W, 4) cropped to what they show, if the platform asks for a margin of its own."""
    box = content_box(frames) if spec.margin else None
    return frames if box is None else frames[:, box[1] : box[3], box[0] : box[2]]


def place_frames(
    frames: np.ndarray, size: tuple[int, int], scale: float = 1.0, margin: int = 0, check: StopCheck = never_stop
) -> np.ndarray:
    """uint8 (N, H, W, 4) scaled and centred on canvases (N, height, width, 4) of `size` (width, height).

    They fill `scale` of the room inside `margin` pixels on every side. Raises SealError for a frame that shows nothing.
    """
    width, height = size
    inner = max(1, round((width - 2 * margin) * scale)), max(1, round((height - 2 * margin) * scale))
    top, left = (height - inner[1]) // 2, (width - inner[0]) // 2
    canvas = np.zeros((len(frames), height, width, 4), np.uint8)
    slack = inner[0] - frames.shape[2], inner[1] - frames.shape[1]
    own = min(slack) >= 0 and max(slack) < 2  # the canvas is just rounded up to even sides: no resampling
    for i, frame in enumerate(stoppable(frames, check)):
        if own:
            canvas[i, top : top + frame.shape[0], left : left + frame.shape[1]] = frame
        else:
            canvas[i, top : top + inner[1], left : left + inner[0]] = fit_into(frame, *inner)
        if scale == 1.0 and canvas[i, ..., 3].max() < FAINT:
            of = f"frame {i + 1}" if len(frames) > 1 else "the picture"
            faint = "is fully transparent" if frame[..., 3].max() < FAINT else "shows too little once it is scaled"
            raise SealError(f"{of} {faint}; leave it out or crop it to its subject.")
    return canvas
