"""The optimiser's side of a step, and the loop of steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..messages import SealError
from .results import StopTraining

FIRST_LOSS_SCALE, GROW_AFTER = 2.0**12, 200
"""float16: the loss is scaled by this much, and by twice as much after so many steps without an overflow."""
MOST_OVERFLOWS = 16
"""float16: so many overflows in a row are no longer the loss scale's settling."""


@dataclass(frozen=True)
class Moved:
    """Tensors that an optimiser moves, and their learning rate at its highest."""

    parameters: list[Tensor]
    rate: float


class Descent:
    """AdamW, and in float16 a loss scale that keeps small gradients from vanishing.

    The scale is ours, a few lines, and not torch.amp.GradScaler: that needs operators which Apple's devices have only
    since torch 2.8 and DirectML lacks, and ComfyUI computes in float16 on both.
    """

    def __init__(
        self,
        moved: Callable[[], list[Moved]],
        weight_decay: float,
        half: bool,
        backward: Callable[[Tensor], None] = Tensor.backward,
        constrain: Callable[[], object] | None = None,
    ) -> None:
        """moved: what the optimiser moves now. half: whether the model computes in float16. constrain: called after
        each step."""
        self._moved, self._decay, self._backward, self._constrain = moved, weight_decay, backward, constrain
        self._half = half
        self._good = self._overflows = 0
        self.scale = FIRST_LOSS_SCALE if half else 1.0
        """What the loss is multiplied with before its gradient is taken."""
        self.start_anew()

    def start_anew(self) -> None:
        """A new optimiser for new leaf tensors: the old moments belong to the old ones."""
        groups = [{"params": m.parameters, "peak": m.rate} for m in self._moved()]
        self.optimizer = torch.optim.AdamW(groups, lr=groups[0]["peak"], weight_decay=self._decay)

    def down(self, loss: Tensor, share: float) -> bool:
        """One step down the gradient, at this share of the learning rates. False where loss or gradients are not
        finite, and in float16 are so for long.

        A single overflow in float16 only halves the scale; that step is left out.
        """
        if not math.isfinite(float(loss.detach())):
            return False
        self._backward(loss * self.scale)
        moved = [p for group in self.optimizer.param_groups for p in group["params"]]
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
        if self._constrain is not None:
            self._constrain()


def descend(
    steps: int,
    descent: Descent,
    rate: Callable[[int], float],
    loss_at: Callable[[int], tuple[Tensor, dict[str, float]]],
    after: Callable[[int, float], object],
    remedy: str,
) -> int | None:
    """The loop of every training: loss, gradient, step, from 1 to `steps`.

    rate: step -> share of the learning rates. loss_at: step -> the loss and its terms. after(step, loss): called after
    each step; raises StopTraining to end here. Returns the step after which it did, None at the end. Raises SealError,
    with the remedy, where the loss is not finite.
    """
    for step in range(1, steps + 1):
        loss, terms = loss_at(step)
        if not descent.down(loss, rate(step)):
            raise SealError(f"training: the loss is not finite at step {step} of {steps} ({terms}). {remedy}")
        try:
            after(step, float(loss.detach()))
        except StopTraining:
            return step if step < steps else None
    return None
