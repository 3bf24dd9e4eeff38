"""The bar of a training node without a live panel: how far it is, and now and then the loss so far."""

from __future__ import annotations

from collections.abc import Sequence

import comfy.utils

from ...seal_core.plots.look import picture_of
from ...seal_core.plots.training_figures import loss_plot
from .node_ui import stop_on_cancel

PREVIEWS = 10
"""How often the loss is drawn on the way."""


class LossProgress:
    """Moves the node's bar, and raises once Cancel was pressed. before: steps of other work that come first."""

    def __init__(self, steps: int, before: int = 0) -> None:
        stop_on_cancel()
        self._before, self._total = before, before + steps
        self._every = max(1, steps // PREVIEWS)
        self._bar = comfy.utils.ProgressBar(self._total)

    def prepared(self, step: int) -> None:
        """A step of the work before the training is done."""
        stop_on_cancel()
        self._bar.update_absolute(step, self._total)

    def trained(self, step: int, losses: Sequence[float]) -> None:
        """A step of the training is done."""
        stop_on_cancel()
        shown = ("JPEG", picture_of(loss_plot(list(losses), [])), 512) if step % self._every == 0 else None
        self._bar.update_absolute(self._before + step, self._total, shown)
