"""Which frames of an animation stand for their neighbours where it may only have some of them."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numpy as np

_CAPS = 24
"""How many caps are tried between the shortest and the longest frame."""


def even_groups(durations: np.ndarray, count: int) -> np.ndarray:
    """N frames as `count` < N groups of neighbours, so that no frame's time goes far to another one.

    Groups are even on a clock that runs through long frames in no more than a cap. Where no cap does well (several long
    frames among short ones), groups are filled up one by one instead.
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
    """`count` groups: those that show their frames the furthest off are cut, next to the frame that they show."""
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
    """The numbers of a group's frames, from the one that is best shown for all: the longest, of those the most central.

    "Longest" does not count a millisecond.
    """
    order = np.arange(len(durations))
    return np.lexsort((abs(order - (len(durations) - 1) / 2), -np.round(durations)))


def _off(durations: np.ndarray) -> float:
    """How many milliseconds from its own time the best frame of a group is shown."""
    shown = most_central(durations)[0]
    return max(float(durations[:shown].sum()), float(durations[shown + 1 :].sum()))


def _filled_groups(durations: np.ndarray, most: float) -> np.ndarray:
    """The fewest groups that show no frame more than `most` milliseconds from its own time."""
    first, group, groups = 0, 0, []
    for i in range(len(durations)):
        if _off(durations[first : i + 1]) > most:
            first, group = i, group + 1
        groups.append(group)
    return np.array(groups)
