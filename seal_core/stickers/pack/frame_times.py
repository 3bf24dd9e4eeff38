"""The times of an animation's frames: within a platform's limits, in whole milliseconds, at a constant rate."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...messages import SealError
from ..platforms import Motion
from .clip import Clip

_EXACT_MS = 4.0
"""Nobody sees that a frame comes this much too early or too late."""
_LONGEST_MS = 600_000
"""A frame may last this long. GIF's frame times end at 655 seconds."""


def fit_limits(clip: Clip, motion: Motion, cut: bool = False) -> tuple[Clip, list[str]]:
    """The clip with times and a frame count that `motion` allows, and notes on what changed.

    A clip that is too long is played faster, or ends early with `cut`. Raises SealError if nothing moves.
    """
    if not clip.moves:
        raise SealError("all frames are alike; give frames that differ, or pack it as a static sticker.")
    notes = []
    limit = motion.max_ms
    if clip.total > limit + 1e-6:
        if cut:
            notes.append(f"cut from {clip.total / 1000:.2f} s to {limit / 1000:g} s")
            clip = _cut(clip, limit)
        else:
            notes.append(f"played {clip.total / limit:.2f} times as fast to last {limit / 1000:g} s")
            clip = clip.stretched(limit)
        if not clip.moves:
            raise SealError(f"nothing moves in its first {limit / 1000:g} s; do not cut it.")
    if max(clip.durations) > _LONGEST_MS:
        longest = max(clip.durations) / 1000
        raise SealError(f"a frame lasts {longest:,.0f} s, and may last {_LONGEST_MS // 1000} s; shorten it.")
    if motion.whole_seconds:
        seconds = min(max(round(clip.total / 1000), 1), limit // 1000)
        if abs(clip.total - seconds * 1000) > 0.5:
            notes.append(f"stretched from {clip.total / 1000:.2f} s to {seconds} s")
        clip = clip.stretched(seconds * 1000.0)
    most = min(motion.max_frames, max(1, int(clip.total / motion.min_frame_ms + 1e-6)))
    if most < max(2, motion.min_frames):
        clip = clip.stretched(motion.min_frame_ms * max(2, motion.min_frames))
        most = max(2, motion.min_frames)
        notes.append(f"slowed down to {clip.total / 1000:g} s")
    if motion.constant_rate:
        clip = clip.stretched(float(max(1, round(clip.total))))  # whole milliseconds: rounding must not raise the rate
    count = len(clip.frames)
    clip = clip.spaced(motion.min_frame_ms).thinned(most)
    if len(clip.frames) < count:
        notes.append(f"{count} frames became {len(clip.frames)}")
    if len(clip.frames) < motion.min_frames:
        notes.append(f"{len(clip.frames)} frames are shown as {motion.min_frames}")
    return clip, notes


def constant_rate_slots(durations: Sequence[float], most: int) -> list[int]:
    """How many slots of one constant rate each of N <= `most` frames takes: at least one each, `most` in all.

    Takes the lowest rate at which no frame is more than _EXACT_MS off, or else the highest rate.
    """
    ends, order = np.cumsum(durations), np.arange(len(durations))
    for count in range(len(durations), most + 1):
        unit = ends[-1] / count
        marks = np.floor(ends / unit + 0.5).astype(int)
        marks = np.maximum.accumulate(np.maximum(marks - order, 1)) + order  # at least one slot each
        marks = np.minimum(marks, count - order[::-1])
        if np.abs(marks * unit - ends).max() <= _EXACT_MS:
            break
    return np.diff(marks, prepend=0).tolist()


def frames_kept(total: int, share: float, least: int) -> int:
    """The share of `total` frames as a count, at least `least`."""
    return min(total, max(least, math.ceil(total * share - 1e-9)))


def whole_times(durations: Sequence[float], unit: int = 1, limit: float = math.inf) -> list[int]:
    """Times as multiples of `unit` milliseconds that follow the exact times without drift, at most `limit` in all."""
    ends = np.cumsum(durations)
    top = math.floor(min(limit, round(float(ends[-1]) / unit) * unit) / unit + 1e-9)
    marks = [min(top, round(float(end) / unit)) for end in ends]
    return [max(1, after - before) * unit for before, after in zip([0, *marks], marks)]


def _cut(clip: Clip, limit: float) -> Clip:
    ends = np.cumsum(clip.durations)
    count = int(np.searchsorted(ends, limit - 1e-6)) + 1
    durations = [*clip.durations[: count - 1]]
    return Clip(clip.frames[:count], (*durations, limit - math.fsum(durations)))
