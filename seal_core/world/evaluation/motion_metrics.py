"""Clips judged: how far their frames and their changes are from the renderer's, and what each clip shows (ours).

There are two Frechet distances, as FVD's: on the judges' features of frames, which is blind to their order, and on the
changes to the next frame, which is not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...demo.attribute_values import SCENE, VALUES
from .trial_kit import Judge

DIMENSIONS = 8
"""Principal components that a distance reads."""
CLIP_METRICS: Mapping[str, str] = {
    "action": "share of frames on which the judge sees the action asked for",
    "identity": "similarity of each frame's character to the first frame's, -1 to 1",
    "moves": "change from frame to frame, mean over pixels, in percent of full contrast",
    "seam": "change from the last frame to the first, as a multiple of the others' mean; 1 is no seam",
}
Features = NDArray[np.float64]


@torch.no_grad()
def clip_features(judges: Judge, clips: Tensor) -> Features:
    """(C, F, D): who and what the judges see on each frame of clips (C, F, H, W, 3) in [0, 1]."""
    frames = clips.flatten(0, 1)
    seen = judges.classify(frames)
    parts = torch.cat([judges.identity(frames), *(seen[name] for name in SCENE)], dim=1)
    return parts.unflatten(0, clips.shape[:2]).double().numpy()


def motion_distance(true: Features, drawn: Features, dimensions: int = DIMENSIONS) -> dict[str, float]:
    """Frechet distances of two sets of clips (C, F, D): of their "frames", and of their "changes" to the next frame of
    the loop. Their numbers of clips may differ; F may not.

    Each is measured along the truth's principal components, in the truth's deviations, which makes 1 the unit of both.
    Unscaled, differences between characters would drown the changes.
    """
    parts = {"frames": (true, drawn), "changes": (_changes(true), _changes(drawn))}
    return {name: frechet(*_scaled(one, two, dimensions)) for name, (one, two) in parts.items()}


def _changes(clips: Features) -> Features:
    return np.roll(clips, -1, axis=1) - clips


def _scaled(true: Features, drawn: Features, dimensions: int) -> tuple[Features, Features]:
    """Both as (C * F, K): the truth's first components, each divided by its deviation."""
    one, two = (clips.reshape(-1, clips.shape[-1]) for clips in (true, drawn))
    middle = one.mean(0)
    _, sizes, axes = np.linalg.svd(one - middle, full_matrices=False)
    unit = np.maximum(sizes[:dimensions], 1e-9) / np.sqrt(len(one))
    return (one - middle) @ axes[:dimensions].T / unit, (two - middle) @ axes[:dimensions].T / unit


def frechet(first: Features, second: Features) -> float:
    """Frechet distance of the normal distributions fitted to two samples (N, D)."""
    apart = first.mean(0) - second.mean(0)
    one, two = (np.cov(sample, rowvar=False) for sample in (first, second))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    between = np.linalg.eigvalsh(root @ two @ root)
    return float(max(0.0, apart @ apart + np.trace(one) + np.trace(two) - 2 * np.sqrt(np.clip(between, 0, None)).sum()))


@torch.no_grad()
def judged_clips(judges: Judge, clips: Tensor, actions: list[str]) -> dict[str, list[float]]:
    """Each of CLIP_METRICS for each of C clips (C, F, H, W, 3), F >= 2, which were asked to show `actions`."""
    frames = clips.flatten(0, 1)
    shown = judges.classify(frames)["action"].argmax(1).view(clips.shape[:2])
    asked = torch.tensor([VALUES["action"].index(action) for action in actions])
    who = judges.identity(frames).unflatten(0, clips.shape[:2])
    values = {
        "action": (shown == asked[:, None]).float().mean(1),
        "identity": (who[:, 1:] * who[:, :1]).sum(-1).mean(1),
        "moves": 100 * _frame_changes(clips).mean(1),
        "seam": loop_seam(clips),
    }
    return {name: [round(float(x), 5) for x in values[name]] for name in CLIP_METRICS}


def _frame_changes(clips: Tensor) -> Tensor:
    """(C, F): the mean change of a pixel from each frame of the loop to the next."""
    return (clips.roll(-1, dims=1) - clips).abs().mean((2, 3, 4))


def loop_seam(clips: Tensor) -> Tensor:
    """(C,) of clips (C, F, H, W, 3), F >= 2: the change from the last frame to the first, over the others' mean."""
    changes = _frame_changes(clips)
    return changes[:, -1] / changes[:, :-1].mean(1).clamp(min=1e-6)


def flicker(subject: Tensor) -> Tensor:
    """Of (F, H, W) bool: percent of pixels that are subject, or ground, for one frame of the loop alone."""
    before, after = subject.roll(1, dims=0), subject.roll(-1, dims=0)
    return 100 * ((subject != before) & (subject != after)).float().mean()


def mean_interval(values: list[float], seed: int = 0, draws: int = 2000) -> tuple[float, float, float]:
    """(mean, 2.5 %, 97.5 %) by bootstrap over clips."""
    given = np.array(values)
    rows = np.random.default_rng(seed).integers(0, len(given), (draws, len(given)))
    low, high = np.percentile(given[rows].mean(1), (2.5, 97.5))
    return float(given.mean()), float(low), float(high)
