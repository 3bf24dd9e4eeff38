"""One palette with alpha for all frames of an animation (ours): weighted median cut, then k-means.

Median cut: Heckbert 1982; k-means: Lloyd 1982. Colours are premultiplied, so that faint edges count as little as they
show. They are first gathered in 32^4 bins, so the cost hardly depends on the number of frames.
"""

from __future__ import annotations

import numpy as np

from ...callbacks import StopCheck, never_stop, stoppable

_BITS = 5
_BINS = 1 << (4 * _BITS)
_ROUNDS = 4
_CHUNK = 8192


def quantise(frames: np.ndarray, colours: int, check: StopCheck = never_stop) -> tuple[np.ndarray, np.ndarray]:
    """uint8 frames (N, H, W, 4) as indices (N, H, W) into a palette (<= colours, 4), both uint8; 0 is transparent.

    colours: 2 to 256. Small but distinct areas (eyes, outlines) get more than their share of pixels.
    check: called before each piece of work; may raise.
    """
    keys, seen, means, counts = _histogram(frames, check)
    if not len(seen):
        return np.zeros(frames.shape[:3], np.uint8), np.zeros((1, 4), np.uint8)
    weights = counts**0.75
    centres = _median_cut(means, weights, min(colours - 1, len(means)), check)
    centres = _lloyd(means, weights, centres, check)
    nearest = _nearest(means, centres, check)
    table = np.zeros(_BINS, np.uint8)
    table[seen] = nearest + 1
    table[0] = 0
    alpha = np.where(centres[:, 3] > 253, 255, np.maximum(np.rint(centres[:, 3]), 1))
    straight = centres[:, :3] * (255 / np.maximum(centres[:, 3:], 1))
    palette = np.zeros((len(centres) + 1, 4), np.uint8)
    palette[1:, :3] = np.clip(np.rint(straight), 0, 255)
    palette[1:, 3] = alpha
    return table[keys].reshape(frames.shape[:3]), palette


def _histogram(frames: np.ndarray, check: StopCheck) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every pixel's bin (0: transparent); the bins in use, their mean premultiplied colours (M, 4) and pixel counts."""
    keys = np.empty(frames.shape[:3], np.int32)
    totals, counts = np.zeros((_BINS, 4)), np.zeros(_BINS)
    for frame, key in stoppable(zip(frames, keys), check):
        alpha = frame[..., 3].astype(np.uint16)
        colour = np.empty(frame.shape, np.uint8)
        colour[..., :3] = (frame[..., :3] * alpha[..., None] + 127) // 255
        colour[..., 3] = alpha
        parts = (colour >> (8 - _BITS)).astype(np.int32)
        # Opaque pixels keep a bin of their own, so that solid areas stay solid.
        parts[..., 3] = np.where(alpha == 255, 31, np.minimum(parts[..., 3], 30))
        key[:] = ((parts[..., 0] * 32 + parts[..., 1]) * 32 + parts[..., 2]) * 32 + parts[..., 3]
        # Bin 0 holds transparent pixels, and black with alpha 1 to 7, which nobody sees.
        flat = key[alpha > 0]
        counts += np.bincount(flat, minlength=_BINS)
        shown = colour[alpha > 0]
        for channel in range(4):
            totals[:, channel] += np.bincount(flat, shown[:, channel], minlength=_BINS)
        key[alpha == 0] = 0
    counts[0] = 0
    seen = np.flatnonzero(counts)
    return keys, seen, totals[seen] / counts[seen, None], counts[seen]


def _median_cut(colours: np.ndarray, weights: np.ndarray, count: int, check: StopCheck) -> np.ndarray:
    """At most `count` centres (count, 4): cuts the box with the largest weighted variance at its mean, repeatedly."""
    boxes = [np.arange(len(colours))]
    spreads = [_spread(colours, weights, boxes[0])]
    while len(boxes) < count:
        check()
        at = max(range(len(boxes)), key=lambda i: spreads[i][0])
        error, axis, mean = spreads[at]
        if error <= 0:
            break
        low = colours[boxes[at], axis] <= mean
        halves = boxes[at][low], boxes[at][~low]
        boxes[at : at + 1] = halves
        spreads[at : at + 1] = [_spread(colours, weights, half) for half in halves]
    return np.array([np.average(colours[box], axis=0, weights=weights[box]) for box in boxes]).reshape(-1, 4)


def _spread(colours: np.ndarray, weights: np.ndarray, box: np.ndarray) -> tuple[float, int, float]:
    """Weighted squared error of a box along its widest axis, that axis, and the mean on it."""
    if len(box) < 2:
        return 0.0, 0, 0.0
    mean = np.average(colours[box], axis=0, weights=weights[box])
    errors = ((colours[box] - mean) ** 2 * weights[box, None]).sum(axis=0)
    axis = int(errors.argmax())
    inside = colours[box, axis].min() <= mean[axis] < colours[box, axis].max()
    return (float(errors[axis]) if inside else 0.0), axis, float(mean[axis])


def _lloyd(colours: np.ndarray, weights: np.ndarray, centres: np.ndarray, check: StopCheck) -> np.ndarray:
    for _ in range(_ROUNDS):
        nearest = _nearest(colours, centres, check)
        mass = np.bincount(nearest, weights, minlength=len(centres))
        sums = np.stack([np.bincount(nearest, weights * c, minlength=len(centres)) for c in colours.T], axis=1)
        centres = np.where(mass[:, None] > 0, sums / np.maximum(mass, 1e-9)[:, None], centres)
    return centres


def _nearest(colours: np.ndarray, centres: np.ndarray, check: StopCheck) -> np.ndarray:
    nearest = np.zeros(len(colours), np.int64)
    squares = (centres**2).sum(axis=1)
    for start in stoppable(range(0, len(colours), _CHUNK), check):
        part = colours[start : start + _CHUNK]
        nearest[start : start + _CHUNK] = (squares - 2 * part @ centres.T).argmin(axis=1)
    return nearest
