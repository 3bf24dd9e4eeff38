"""Which frames of a clip are given, and which count: VSD2M's dual masks (2412.08259).

The condition mask says which frames the model gets without noise: none (text to clip), one at a random place (a still
to a clip), every second (interpolation), the first ones (prediction). The loss mask leaves out given frames and the
padding of clips that have fewer frames.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import torch
from torch import Tensor

from ...messages import require_one_of

TASKS: Mapping[str, float] = {"text": 0.4, "still": 0.3, "interpolation": 0.15, "prediction": 0.15}
"""Task -> its share of a training (ours; the paper does not tell)."""


def random_tasks(rng: random.Random, count: int, shares: Mapping[str, float] = TASKS) -> list[str]:
    return rng.choices(list(shares), list(shares.values()), k=count)


def known_frames(task: str, real: int, frames: int, rng: random.Random) -> Tensor:
    """(F,) bool: the frames given in a task. real: how many frames the clip has; at least one of them stays unknown."""
    require_one_of("task", task, tuple(TASKS))
    known = torch.zeros(frames, dtype=torch.bool)
    if task == "text" or real < 2:
        return known
    if task == "still":
        known[rng.randrange(real)] = True
    elif task == "interpolation":
        known[rng.randrange(2) : real : 2] = True
    else:
        known[: rng.randint(1, real - 1)] = True
    return known


def real_frames(counts: Tensor, frames: int) -> Tensor | None:
    """(B, F) bool, True for the first `counts` (B,) frames of each clip; None where all frames are real."""
    if int(counts.min()) >= frames:
        return None
    return torch.arange(frames, device=counts.device) < counts[:, None]


def counted_frames(known: Tensor, real: Tensor | None) -> Tensor:
    """(B, F) float32 weights of mean 1 over a batch: real frames that were not given."""
    counted = ~known if real is None else real & ~known
    return counted.float() / counted.float().mean().clamp(min=1e-6)
