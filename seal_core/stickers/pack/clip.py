"""An animation (or, with one frame, a picture) and what happens to its frames and times before it is encoded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ...messages import SealError
from ..platforms import Motion
from .thinning import even_groups, most_central

_EXACT_MS = 4.0
"""No one sees that a frame comes so much too early or too late."""

_LONGEST_MS = 600_000
"""GIF's frame times end at 655 seconds."""


@dataclass(frozen=True, eq=False)
class Clip:
    """frames: uint8 (N, H, W, 4), straight alpha; durations: N times in milliseconds (one 0.0 for a picture)."""

    frames: np.ndarray
    durations: tuple[float, ...]

    @classmethod
    def still(cls, picture: np.ndarray) -> Clip:
        """A picture (H, W, 4)."""
        return cls(picture[None], (0.0,))

    @classmethod
    def at_rate(cls, frames: np.ndarray, fps: float) -> Clip:
        """Frames (N, H, W, 4) that follow each other at `fps` a second. SealError for a rate that is none."""
        if not (math.isfinite(fps) and 0 < fps <= 1000):
            raise SealError(f"fps: {fps} is no frame rate; give 1 to 60 frames a second.")
        return cls(frames, (1000.0 / fps,) * len(frames))

    @property
    def animated(self) -> bool:
        return len(self.frames) > 1

    @property
    def total(self) -> float:
        """How long it plays once, in milliseconds."""
        return math.fsum(self.durations)

    @property
    def moves(self) -> bool:
        """Whether any frame differs from the first."""
        return any(not looks_same(self.frames[0], frame) for frame in self.frames[1:])

    def merged(self) -> Clip:
        """Frames that repeat the one before become part of it."""
        groups = [0]
        for before, frame in pairwise(self.frames):
            groups.append(groups[-1] + (not looks_same(before, frame)))
        return self._joined(np.array(groups)) if groups[-1] + 1 < len(groups) else self

    def thinned(self, count: int) -> Clip:
        """At most `count` frames: one stands for its neighbours too, for their time and its own, so nothing shifts.

        Every second frame of something that swings to and fro can stand still: then as many more as it takes to move.
        """
        while count < len(self.frames):
            clip = self._joined(even_groups(np.array(self.durations), count))
            if clip.moves or not self.moves:
                return clip
            count += 1
        return self

    def split(self, count: int) -> Clip:
        """At least `count` frames: the longest ones are shown as several equal ones in a row."""
        parts = [1] * len(self.frames)
        while sum(parts) < count:
            parts[max(range(len(parts)), key=lambda i: self.durations[i] / parts[i])] += 1
        if max(parts) == 1:
            return self
        durations = [duration / part for duration, part in zip(self.durations, parts) for _ in range(part)]
        return Clip(self.frames.repeat(parts, axis=0), tuple(durations))

    def spaced(self, least_ms: float) -> Clip:
        """Every frame lasts `least_ms` or longer, at the expense of the frames after it; the whole as long as before.

        Where one would begin more than `least_ms` late, it or a shorter one before it is left out; two frames stay.
        """
        if min(self.durations) >= least_ms - 1e-6:
            return self
        wanted = np.cumsum([0.0, *self.durations[:-1]])
        kept, starts = [0], [0.0]
        for i in range(1, len(self.frames)):
            while len(kept) > 1 and starts[-1] > wanted[i] + 1e-6 and self.durations[i] > self.durations[kept[-1]]:
                kept.pop()
                starts.pop()
            if len(kept) == 1 or starts[-1] <= wanted[i] + 1e-6:
                kept.append(i)
                starts.append(max(wanted[i], starts[-1] + least_ms))
        most = max(2, int(self.total / least_ms + 1e-6))
        kept, starts = kept[:most], starts[:most]
        end = self.total
        for i in range(len(starts) - 1, 0, -1):  # the last ones begin earlier where there is no time left for them
            end = starts[i] = min(starts[i], end - least_ms)
        return Clip(self.frames[kept], tuple(np.diff([*starts, self.total]).tolist()))

    def _joined(self, groups: np.ndarray) -> Clip:
        """One frame for each group (N rising numbers): of its longest the most central, if it differs from the last."""
        kept, durations = [], []
        for group in np.unique(groups):
            members = np.flatnonzero(groups == group)
            best = most_central(np.array(self.durations)[members]) + members[0]
            unlike = (i for i in best if not kept or not looks_same(self.frames[kept[-1]], self.frames[i]))
            kept.append(next(unlike, best[0]))
            durations.append(math.fsum(self.durations[i] for i in members))
        return Clip(self.frames[kept], tuple(durations))

    def stretched(self, total: float) -> Clip:
        """The same frames, faster or slower, so that one play lasts `total` milliseconds."""
        factor = total / self.total
        return replace(self, durations=tuple(duration * factor for duration in self.durations))


def looks_same(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two pictures (H, W, 4) look alike: equal where they show something."""
    if first is second or np.array_equal(first, second):
        return True
    if not np.array_equal(first[..., 3], second[..., 3]):
        return False
    return not ((first != second).any(axis=-1) & (first[..., 3] > 0)).any()


def fit_limits(clip: Clip, motion: Motion, cut: bool = False) -> tuple[Clip, list[str]]:
    """The clip with times and a number of frames that `motion` allows, and notes of what that changed.

    Too long: played faster, or with `cut` ended early. SealError for an animation that does not move.
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
        clip = clip.stretched(float(max(1, round(clip.total))))  # so that rounding adds nothing to the rate
    count = len(clip.frames)
    clip = clip.spaced(motion.min_frame_ms).thinned(most)
    if len(clip.frames) < count:
        notes.append(f"{count} frames became {len(clip.frames)}")
    if len(clip.frames) < motion.min_frames:
        notes.append(f"{len(clip.frames)} frames are shown as {motion.min_frames}")
    return clip, notes


def constant_rate_slots(durations: Sequence[float], most: int) -> list[int]:
    """How many slots of one constant rate each frame takes, at least one; at most `most` slots in all.

    The lowest rate that is at most _EXACT_MS off is taken, else the highest. N <= most.
    """
    ends, order = np.cumsum(durations), np.arange(len(durations))
    for count in range(len(durations), most + 1):
        unit = ends[-1] / count
        marks = np.floor(ends / unit + 0.5).astype(int)
        marks = np.maximum.accumulate(np.maximum(marks - order, 1)) + order  # one slot each at least
        marks = np.minimum(marks, count - order[::-1])
        if np.abs(marks * unit - ends).max() <= _EXACT_MS:
            break
    return np.diff(marks, prepend=0).tolist()


def frames_kept(total: int, share: float, least: int) -> int:
    """How many of `total` frames a share of them is, at least `least`."""
    return min(total, max(least, math.ceil(total * share - 1e-9)))


def whole_times(durations: Sequence[float], unit: int = 1, limit: float = math.inf) -> list[int]:
    """Times as multiples of `unit` milliseconds that do not drift from the exact ones nor add up to over `limit`."""
    ends = np.cumsum(durations)
    top = math.floor(min(limit, round(float(ends[-1]) / unit) * unit) / unit + 1e-9)
    marks = [min(top, round(float(end) / unit)) for end in ends]
    return [max(1, after - before) * unit for before, after in zip([0, *marks], marks)]


def _cut(clip: Clip, limit: float) -> Clip:
    ends = np.cumsum(clip.durations)
    count = int(np.searchsorted(ends, limit - 1e-6)) + 1
    durations = [*clip.durations[: count - 1]]
    return Clip(clip.frames[:count], (*durations, limit - math.fsum(durations)))
