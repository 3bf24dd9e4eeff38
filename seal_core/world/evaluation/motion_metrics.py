"""Clips judged: how far their frames and their changes are from the renderer's, and what each clip shows (ours).

The motion distance is a Frechet distance as FVD's, on the judges' features of each frame beside the change to the next
frame of the loop. A distance of frames alone would be blind to their order; this one is not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...demo.attribute_values import SCENE, VALUES
from .trial_kit import Judge

DIMENSIONS = 16
"""Principal components of the frames' features that the distance reads; as many again for the changes."""
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


def motion_distance(true: Features, drawn: Features, dimensions: int = DIMENSIONS) -> float:
    """Frechet distance of two sets of clips (C, F, D), at least 0. Their numbers of clips may differ; F may not."""
    flat = true.reshape(-1, true.shape[-1])
    middle = flat.mean(0)
    axes = np.linalg.svd(flat - middle, full_matrices=False)[2][:dimensions]
    return frechet(*(_with_changes((clips - middle) @ axes.T) for clips in (true, drawn)))


def _with_changes(clips: Features) -> Features:
    """Frames beside what changes to the next one of the loop: (C * F, 2 K)."""
    changes = np.roll(clips, -1, axis=1) - clips
    return np.concatenate([clips, changes], axis=-1).reshape(-1, 2 * clips.shape[-1])


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
    changes = (clips.roll(-1, dims=1) - clips).abs().mean((2, 3, 4))
    inner = changes[:, :-1].mean(1)
    values = {
        "action": (shown == asked[:, None]).float().mean(1),
        "identity": (who[:, 1:] * who[:, :1]).sum(-1).mean(1),
        "moves": 100 * changes.mean(1),
        "seam": changes[:, -1] / inner.clamp(min=1e-6),
    }
    return {name: [round(float(x), 5) for x in values[name]] for name in CLIP_METRICS}


def mean_interval(values: list[float], seed: int = 0, draws: int = 2000) -> tuple[float, float, float]:
    """(mean, 2.5 %, 97.5 %) by bootstrap over clips."""
    given = np.array(values)
    rows = np.random.default_rng(seed).integers(0, len(given), (draws, len(given)))
    low, high = np.percentile(given[rows].mean(1), (2.5, 97.5))
    return float(given.mean()), float(low), float(high)
