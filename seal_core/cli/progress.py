"""A training on a tqdm bar, for the command lines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from ..method.training import Progress


def training_bar(bar: tqdm) -> Callable[[Progress], None]:
    """A callback for `train`: before the first step the words found so far, then the steps and the loss."""

    def step(progress: Progress) -> None:
        if not progress.step:
            bar.set_postfix_str(f"looks like: {progress.note}", refresh=False)
            bar.update(0)  # drawn now and then, not for every candidate
            return
        bar.set_postfix(loss=f"{np.mean(progress.losses[-20:]):.4f}", refresh=False)
        bar.update()

    return step
