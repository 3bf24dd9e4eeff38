"""Loss scaling for half-precision weights."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


class LossScale:
    """Keeps half-precision gradients from vanishing: scales the loss up and the gradients down again.

    Doubles after 200 good steps, halves and skips the step where a gradient overflows. Off (1) unless
    the U-Net computes in float16.
    """

    def __init__(self, on: bool) -> None:
        self.scale = 2.0**12 if on else 1.0
        self._on, self._good = on, 0

    def backward(self, loss: Tensor, parameters: Sequence[Tensor]) -> bool:
        """Gradients of `loss` in `.grad`; False if they overflowed and the step must be skipped."""
        (loss * self.scale).backward()
        for p in parameters:
            if p.grad is not None:
                p.grad /= self.scale
        fine = all(bool(p.grad.isfinite().all()) for p in parameters if p.grad is not None)
        if fine:
            self._good += 1
            if self._on and self._good % 200 == 0:
                self.scale *= 2
        elif self._on and self.scale > 1:
            self.scale, self._good = self.scale / 2, 0
        return fine
