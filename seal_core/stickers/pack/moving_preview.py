"""A pack's stickers in one small animated WebP: browsers show no several videos at once, and no APNG sheet."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..canvas import content_box, fit_into
from .clip import Clip

SIDE = 512
"""Longest side of the sheet in pixels."""
_MOST = 64
_STEP_MS, _LONGEST_MS = 80, 3200
_LEAST_MS = 20


def moving_preview(clips: Sequence[Clip]) -> bytes:
    """The first 64 stickers in a square grid, playing side by side for 3.2 s at most, as an animated WebP.

    clips: uint8 frames of any sizes; pictures stand still. Shorter animations begin anew. Where all frames last equally
    long every one is shown, unless they are too many.
    """
    clips = clips[:_MOST]
    columns = math.ceil(math.sqrt(len(clips)))
    rows, cell = math.ceil(len(clips) / columns), min(256, SIDE // columns)
    step_ms = _step(clips)
    steps = max(2, math.ceil(min(_LONGEST_MS, max(clip.total for clip in clips)) / step_ms - 1e-6))
    shown = [_frame_numbers(clip, steps, step_ms) for clip in clips]
    small = [_cells(clip, numbers, cell) for clip, numbers in zip(clips, shown)]
    sheets = []
    for step in range(steps):
        sheet = np.zeros((rows * cell, columns * cell, 4), np.uint8)
        for i, (numbers, pictures) in enumerate(zip(shown, small)):
            top, left = i // columns * cell, i % columns * cell
            sheet[top : top + cell, left : left + cell] = pictures[numbers[step]]
        sheets.append(Image.fromarray(sheet))
    buffer = io.BytesIO()
    sheets[0].save(
        buffer, "WEBP", save_all=True, append_images=sheets[1:], duration=round(step_ms), loop=0, quality=70, method=2
    )
    return buffer.getvalue()


def _step(clips: Sequence[Clip]) -> float:
    """Milliseconds between two looks at the clips."""
    times = [time for clip in clips if clip.animated for time in clip.durations]
    shared = bool(times) and max(times) - min(times) < 1e-6 and times[0] >= _LEAST_MS
    few = shared and max(len(clip.frames) for clip in clips) <= _LONGEST_MS // _STEP_MS
    return times[0] if few else _STEP_MS


def _frame_numbers(clip: Clip, steps: int, step_ms: float) -> list[int]:
    """Which frame is shown at each step."""
    if not clip.animated:
        return [0] * steps
    ends = np.cumsum(clip.durations)
    looks = (np.arange(steps) * step_ms + 1e-6) % clip.total
    return np.searchsorted(ends, looks, side="right").clip(max=len(ends) - 1).tolist()


def _cells(clip: Clip, numbers: Sequence[int], cell: int) -> dict[int, np.ndarray]:
    """Frame number -> the frame fitted into a cell."""
    box = content_box(clip.frames)
    return {i: fit_into(clip.frames[i], cell, cell, cell // 24, box) for i in sorted(set(numbers))}
