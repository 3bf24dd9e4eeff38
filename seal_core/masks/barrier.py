"""How closed off from the frame each pixel is: what tells a white face within an outline from white paper (ours).

Of all ways from the frame to a pixel, one has the smallest largest step of colour: that step is its barrier (a minimax
path, as in the watershed). Another has the smallest sum of steps: its toll (a geodesic distance). Paper has neither; a
closed outline gives everything inside it a barrier, however much the fill looks like the paper; soft shadows and
gradients have a toll but no barrier. Where an outline is blurred no step is large: there the least difference from the
ground that one must cross tells, the level.
"""

from __future__ import annotations

import numpy as np

QUIET = 0.01
"""Steps of colour that cost nothing: less than what JPEG leaves in plain areas."""
ROUNDS = 3
"""Sweeps in each of the four directions. A way that winds more often is found too late and costs more."""


def barrier_and_toll(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Barriers and tolls, each (B, H, W) float32 >= 0, of images (B, H, W, 3) in [0, 1].

    A step is the largest change of a channel between neighbours (four to a pixel).
    """
    planes = np.ascontiguousarray(images.transpose(1, 2, 0, 3))  # (H, W, B, 3): rows and columns both lead
    down, right = (np.maximum(np.abs(np.diff(planes, axis=axis)).max(3) - QUIET, 0) for axis in (0, 1))
    right = np.ascontiguousarray(right.transpose(1, 0, 2))  # (W - 1, H, B)
    return _cheapest(down, right, np.maximum), _cheapest(down, right, np.add)


def level(heights: np.ndarray) -> np.ndarray:
    """The smallest height (B, H, W) float32 that a flood from the frame must reach before it covers a pixel.

    heights: (B, H, W) >= 0, e.g. how much each pixel differs from the ground.
    """
    planes = np.ascontiguousarray(heights.transpose(1, 2, 0), np.float32)
    down = np.maximum(planes[1:], planes[:-1])
    right = np.ascontiguousarray(np.maximum(planes[:, 1:], planes[:, :-1]).transpose(1, 0, 2))
    return _cheapest(down, right, np.maximum, planes)


def _cheapest(down: np.ndarray, right: np.ndarray, join: np.ufunc, start: np.ndarray | float = 0.0) -> np.ndarray:
    """Costs (B, H, W) of the cheapest way from the frame. `join` adds a step to the cost of a way. start: what it costs
    to enter at each pixel of the frame, (H, W, B) or one number."""
    cost = np.full((down.shape[0] + 1, right.shape[0] + 1, down.shape[2]), np.inf, np.float32)
    entry = np.broadcast_to(np.float32(start), cost.shape)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        cost[edge] = entry[edge]
    for _ in range(ROUNDS):
        _sweep(cost, down, join)
        across = np.ascontiguousarray(cost.transpose(1, 0, 2))
        _sweep(across, right, join)
        cost = np.ascontiguousarray(across.transpose(1, 0, 2))
    return np.ascontiguousarray(cost.transpose(2, 0, 1))


def _sweep(cost: np.ndarray, steps: np.ndarray, join: np.ufunc) -> None:
    """There and back along the first axis, in place."""
    way = np.empty_like(cost[0])
    for i in range(1, len(cost)):
        np.minimum(cost[i], join(cost[i - 1], steps[i - 1], out=way), out=cost[i])
    for i in range(len(cost) - 2, -1, -1):
        np.minimum(cost[i], join(cost[i + 1], steps[i], out=way), out=cost[i])
