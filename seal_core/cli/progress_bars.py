"""Long work on tqdm bars, for the command lines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from ..method.results import Progress


def step_bar(total: int, name: str) -> tqdm:
    """A bar over `total` steps that disappears when it is closed."""
    return tqdm(total=total, desc=name, unit="step", dynamic_ncols=True, leave=False)


def training_bar(bar: tqdm) -> Callable[[Progress], None]:
    """A callback for `train`: shows the words found so far, then the steps and the loss."""

    def show(progress: Progress) -> None:
        if not progress.step:
            bar.set_postfix_str(f"looks like: {progress.note}", refresh=False)
            bar.update(0)  # drawn now and then, not for every candidate
            return
        bar.set_postfix(loss=f"{np.mean(progress.losses[-20:]):.4f}", refresh=False)
        bar.update()

    return show
