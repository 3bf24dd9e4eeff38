"""An animation (or, with one frame, a picture) and what happens to its frames and times before it is encoded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import SealError
from .platforms import Motion


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
        return any(not same(self.frames[0], frame) for frame in self.frames[1:])

    def sampled(self, count: int) -> Clip:
        """`count` frames at even times; each lasts equally long and the whole as long as before.

        Sampling every second frame of something that swings to and fro can make it stand still: then one frame more.
        """
        ends = np.cumsum(self.durations)
        while True:
            times = (np.arange(count) + 1e-6) * (self.total / count)
            picked = np.minimum(np.searchsorted(ends, times, side="right"), len(ends) - 1)
            clip = Clip(self.frames[picked], (self.total / count,) * count)
            if count >= len(self.frames) or count < 2 or clip.moves or not self.moves:
                return clip
            count += 1

    def merged(self, least: int = 1) -> Clip:
        """Frames that repeat the one before become part of it, as long as `least` frames remain."""
        keep, durations = [0], [self.durations[0]]
        for i in range(1, len(self.frames)):
            left = len(self.frames) - i
            if len(keep) + left > least and same(self.frames[keep[-1]], self.frames[i]):
                durations[-1] += self.durations[i]
            else:
                keep.append(i)
                durations.append(self.durations[i])
        return self if len(keep) == len(self.frames) else Clip(self.frames[keep], tuple(durations))

    def stretched(self, total: float) -> Clip:
        """The same frames, faster or slower, so that one play lasts `total` milliseconds."""
        factor = total / self.total
        return replace(self, durations=tuple(duration * factor for duration in self.durations))


def same(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two pictures (H, W, 4) look alike: equal where they show something."""
    if first is second or np.array_equal(first, second):
        return True
    if not np.array_equal(first[..., 3], second[..., 3]):
        return False
    return not ((first != second).any(axis=-1) & (first[..., 3] > 0)).any()


def timed(clip: Clip, motion: Motion, cut: bool = False) -> tuple[Clip, list[str]]:
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
    if (
        len(clip.frames) > most
        or len(clip.frames) < motion.min_frames
        or min(clip.durations) < motion.min_frame_ms - 1e-6
    ):
        count = min(most, max(len(clip.frames), motion.min_frames))
        notes.append(f"{len(clip.frames)} frames became {count}")
        clip = clip.sampled(count)
    return clip, notes


def count_of(total: int, share: float, least: int) -> int:
    """How many of `total` frames a share of them is, at least `least`."""
    return min(total, max(least, math.ceil(total * share - 1e-9)))


def whole(durations: Sequence[float], unit: int = 1, limit: float = math.inf) -> list[int]:
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
