"""The optimiser's side of a step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..hosts.base import Host
from .config import TrainConfig
from .learned import Learned
from .low_rank_weights import LowRankWeights

FIRST_LOSS_SCALE, GROW_AFTER = 2.0**12, 200
"""float16: the loss is scaled by this much, and by twice as much after so many steps without an overflow."""
MOST_OVERFLOWS = 16
"""float16: so many overflows in a row are no longer the loss scale's settling."""


class Descent:
    """AdamW, and in float16 a loss scale that keeps small gradients from vanishing.

    The scale is ours, a few lines, and not torch.amp.GradScaler: that needs operators which Apple's devices have only
    since torch 2.8 and DirectML lacks, and ComfyUI computes in float16 on both.
    """

    def __init__(
        self,
        learned: Learned,
        weights: LowRankWeights,
        config: TrainConfig,
        host: Host,
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> None:
        self._learned, self._weights, self._config, self._backward = learned, weights, config, backward
        self._half = host.dtype == torch.float16
        self._good = self._overflows = 0
        self.scale = FIRST_LOSS_SCALE if self._half else 1.0
        """What the loss is multiplied with before its gradient is taken."""
        self.start_anew()

    def start_anew(self) -> None:
        """A new optimiser for new leaf tensors: the old moments belong to the old ones."""
        config = self._config
        groups: list[dict[str, Any]] = [{"params": self._learned.parameters(), "peak": config.learning_rate}]
        if self._weights.parameters():
            groups.append({"params": self._weights.parameters(), "peak": config.weights_rate})
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay)

    def down(self, loss: Tensor, share: float) -> bool:
        """One step down the gradient, at this share of the learning rates. False where loss or gradients are not
        finite, and in float16 are so for long.

        A single overflow in float16 only halves the scale; that step is left out.
        """
        if not math.isfinite(float(loss.detach())):
            return False
        self._backward(loss * self.scale)
        moved = [*self._learned.parameters(), *self._weights.parameters()]
        gradients = [p.grad for p in moved if p.grad is not None]
        if self.scale != 1.0:
            for gradient in gradients:
                gradient /= self.scale
        # One answer for all: each waits for the device, and there are hundreds of low-rank weights.
        finite = not gradients or bool(torch.cat([gradient.flatten() for gradient in gradients]).isfinite().all())
        if finite:
            self._good, self._overflows = self._good + 1, 0
            self._step(share)
            if self._half and self._good % GROW_AFTER == 0:
                self.scale *= 2
        else:
            self._good, self._overflows = 0, self._overflows + 1
            self.scale = max(1.0, self.scale / 2)
        self.optimizer.zero_grad(set_to_none=True)
        return finite or (self._half and self._overflows <= MOST_OVERFLOWS)

    def _step(self, share: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = share * group["peak"]
        self.optimizer.step()
        self._learned.constrain()
