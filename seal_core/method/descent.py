"""The optimiser's side of a step."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..hosts.base import Host
from .config import TrainConfig
from .learned import Learned

FIRST_LOSS_SCALE, GROW_AFTER = 2.0**12, 200
"""float16: the loss is scaled by this much, and by twice as much after so many steps without an overflow."""
MOST_OVERFLOWS = 16
"""float16: so many overflows in a row are no longer the loss scale's settling."""

RATES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
}
"""Share of the training that is done -> share of the learning rate. `config.RATES` names the same."""


class Descent:
    """AdamW, and in float16 a loss scale that keeps small gradients from vanishing."""

    def __init__(self, learned: Learned, config: TrainConfig, host: Host) -> None:
        self._learned, self._config = learned, config
        self._half = host.dtype == torch.float16
        self._overflows = 0
        self._scaler = torch.amp.GradScaler(
            host.device.type, FIRST_LOSS_SCALE, growth_interval=GROW_AFTER, enabled=self._half
        )
        self.start_anew()

    @property
    def scale(self) -> float:
        """What the loss is multiplied with; 1 unless the U-Net computes in float16."""
        return self._scaler.get_scale()

    def start_anew(self) -> None:
        """A new optimiser for new leaf tensors: the old moments belong to the old ones."""
        config = self._config
        self.optimizer = torch.optim.AdamW(
            self._learned.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )

    def down(self, loss: Tensor, rate: float) -> bool:
        """One step down the gradient. False where loss or gradients are not finite, and in float16 are so for long.

        A single overflow in float16 only lowers the scale; that step is left out.
        """
        if not math.isfinite(float(loss.detach())):
            return False
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self.optimizer)
        finite = all(bool(p.grad.isfinite().all()) for p in self._learned.parameters() if p.grad is not None)
        self._overflows = 0 if finite else self._overflows + 1
        if not finite and (not self._half or self._overflows > MOST_OVERFLOWS):
            return False
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self._scaler.step(self.optimizer)  # does nothing where a gradient overflowed
        self._scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if finite:
            self._learned.constrain()
        return True


def learning_rate(config: TrainConfig, step: int) -> float:
    """The learning rate of a step; steps count from 1."""
    return config.learning_rate * RATES[config.rate]((step - 1) / config.steps)
