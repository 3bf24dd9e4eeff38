"""How the learning rate goes over a training."""

from __future__ import annotations

import math
from collections.abc import Callable

from .config import TrainConfig

RATE_LAWS: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
}
"""Share of the training that is done -> share of the learning rate. `config.RATES` names the same."""


def rate_share(config: TrainConfig, step: int) -> float:
    """The share of the learning rate at a step; steps count from 1."""
    return RATE_LAWS[config.rate]((step - 1) / config.steps)
