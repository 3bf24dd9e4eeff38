"""An animation, or a picture as a clip of one frame: merging, thinning, splitting and spacing its frames."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from itertools import pairwise

import numpy as np

from ...messages import SealError

_CAPS = 24
"""How many caps `even_groups` tries, from the shortest to the longest frame's time."""


@dataclass(frozen=True, eq=False)
class Clip:
    """frames: uint8 (N, H, W, 4), straight alpha. durations: N times in milliseconds; 0.0 for a picture."""

    frames: np.ndarray
    durations: tuple[float, ...]

    @classmethod
    def still(cls, picture: np.ndarray) -> Clip:
        """A picture (H, W, 4)."""
        return cls(picture[None], (0.0,))

    @classmethod
    def at_rate(cls, frames: np.ndarray, fps: float) -> Clip:
        """Frames (N, H, W, 4) at `fps` frames a second. Raises SealError unless 0 < fps <= 1000."""
        if not (math.isfinite(fps) and 0 < fps <= 1000):
            raise SealError(f"fps: {fps} is no frame rate; give 1 to 60 frames a second.")
        return cls(frames, (1000.0 / fps,) * len(frames))

    @property
    def animated(self) -> bool:
        return len(self.frames) > 1

    @property
    def total(self) -> float:
        """How long one play lasts, in milliseconds."""
        return math.fsum(self.durations)

    @property
    def moves(self) -> bool:
        """Whether any frame differs from the first."""
        return any(not looks_same(self.frames[0], frame) for frame in self.frames[1:])

    def merged(self) -> Clip:
        """Each run of frames that look alike becomes one frame, with the time of all."""
        groups = [0]
        for before, frame in pairwise(self.frames):
            groups.append(groups[-1] + (not looks_same(before, frame)))
        return self._joined(np.array(groups)) if groups[-1] + 1 < len(groups) else self

    def thinned(self, count: int) -> Clip:
        """At most `count` frames. Each one kept takes over the time of the neighbours it stands for, so nothing shifts.

        If the frames kept look alike, as every second frame of a swing may, as many more are kept as it takes to move.
        """
        while count < len(self.frames):
            clip = self._joined(even_groups(np.array(self.durations), count))
            if clip.moves or not self.moves:
                return clip
            count += 1
        return self

    def split(self, count: int) -> Clip:
        """At least `count` frames: the longest are repeated, each repeat with its share of the time."""
        parts = [1] * len(self.frames)
        while sum(parts) < count:
            parts[max(range(len(parts)), key=lambda i: self.durations[i] / parts[i])] += 1
        if max(parts) == 1:
            return self
        durations = [duration / part for duration, part in zip(self.durations, parts) for _ in range(part)]
        return Clip(self.frames.repeat(parts, axis=0), tuple(durations))

    def spaced(self, least_ms: float) -> Clip:
        """Every frame lasts at least `least_ms`; the whole lasts as long as before.

        A short frame takes time from those after it. If that would make one start more than `least_ms` late, it or a
        shorter one before it is dropped. Two frames always stay.
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
        for i in range(len(starts) - 1, 0, -1):  # if time runs out, the last ones begin earlier
            end = starts[i] = min(starts[i], end - least_ms)
        return Clip(self.frames[kept], tuple(np.diff([*starts, self.total]).tolist()))

    def _joined(self, groups: np.ndarray) -> Clip:
        """One frame for each group (N rising numbers): its longest, most central one that differs from the last."""
        kept, durations = [], []
        for group in np.unique(groups):
            members = np.flatnonzero(groups == group)
            best = most_central(np.array(self.durations)[members]) + members[0]
            unlike = (i for i in best if not kept or not looks_same(self.frames[kept[-1]], self.frames[i]))
            kept.append(next(unlike, best[0]))
            durations.append(math.fsum(self.durations[i] for i in members))
        return Clip(self.frames[kept], tuple(durations))

    def stretched(self, total: float) -> Clip:
        """The same frames, played so that they last `total` milliseconds together."""
        factor = total / self.total
        return replace(self, durations=tuple(duration * factor for duration in self.durations))


def looks_same(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two pictures (H, W, 4) are equal wherever they show something."""
    if first is second or np.array_equal(first, second):
        return True
    if not np.array_equal(first[..., 3], second[..., 3]):
        return False
    return not ((first != second).any(axis=-1) & (first[..., 3] > 0)).any()


def even_groups(durations: np.ndarray, count: int) -> np.ndarray:
    """The group number of each of N frames: `count` < N groups of neighbours that show no frame far from its own time.

    Groups are even on a clock that counts each frame's time up to a cap; several caps are tried. Where none does well
    (several long frames among short ones), groups are filled one by one instead.
    """
    candidates = [np.arange(len(durations)) * count // len(durations)]
    for cap in np.geomspace(durations.min(), durations.max(), _CAPS):
        weights = np.minimum(durations, cap)
        groups = ((np.cumsum(weights) - weights) / weights.sum() * count + 1e-9).astype(int)
        if len(np.unique(groups)) == count:
            candidates.append(groups)
    off = [max(map(_off, _slices(durations, groups))) for groups in candidates]
    best, low, high = candidates[int(np.argmin(off))], 0.0, min(off)
    while high - low > 1:
        middle = (low + high) / 2
        groups = _filled_groups(durations, middle)
        low, high, best = (low, middle, groups) if groups[-1] < count else (middle, high, best)
    return _divided(durations, best, count)


def _slices(durations: np.ndarray, groups: np.ndarray) -> list[np.ndarray]:
    return np.split(durations, np.flatnonzero(np.diff(groups)) + 1)


def _divided(durations: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """`count` groups: the group that is furthest off is cut beside the frame it shows, until there are enough."""
    parts = _slices(durations, groups)
    waiting = [(-_off(part), i) for i, part in enumerate(parts)]
    cuts = {int(start) for start in np.flatnonzero(np.diff(groups)) + 1}
    firsts = [0, *sorted(cuts)]
    heapify(waiting)
    while len(parts) < count:
        _, i = heappop(waiting)
        shown = int(most_central(parts[i])[0])
        at = shown if parts[i][:shown].sum() > parts[i][shown + 1 :].sum() else shown + 1
        cuts.add(firsts[i] + at)
        firsts.append(firsts[i] + at)
        parts.append(parts[i][at:])
        parts[i] = parts[i][:at]
        heappush(waiting, (-_off(parts[i]), i))
        heappush(waiting, (-_off(parts[-1]), len(parts) - 1))
    return np.isin(np.arange(len(durations)), list(cuts)).cumsum()


def most_central(durations: np.ndarray) -> np.ndarray:
    """Frame numbers of a group, best first to stand for all: the longest, and of those the most central.

    Times are compared in whole milliseconds.
    """
    order = np.arange(len(durations))
    return np.lexsort((abs(order - (len(durations) - 1) / 2), -np.round(durations)))


def _off(durations: np.ndarray) -> float:
    """How many milliseconds the best frame of a group is stretched beyond its own time, on its longer side."""
    shown = most_central(durations)[0]
    return max(float(durations[:shown].sum()), float(durations[shown + 1 :].sum()))


def _filled_groups(durations: np.ndarray, most: float) -> np.ndarray:
    """The fewest groups in which no frame shown is stretched by more than `most` milliseconds to either side."""
    first, group, groups = 0, 0, []
    for i in range(len(durations)):
        if _off(durations[first : i + 1]) > most:
            first, group = i, group + 1
        groups.append(group)
    return np.array(groups)
