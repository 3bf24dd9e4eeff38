"""Passes through modules whose weights are not trained."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn


@contextlib.contextmanager
def passing_gradients(module: nn.Module) -> Iterator[None]:
    """Run passes through a module as if frozen: no gradient for its weights, no dropout. Restored on exit.

    Autograd settles during the forward pass which tensors get a gradient, so the weights can have
    their flags back before the backward pass.
    """
    wanting = [p for p in module.parameters() if p.requires_grad]
    training = [m for m in module.modules() if m.training]
    try:
        for parameter in wanting:
            parameter.requires_grad_(False)
        for part in training:
            part.training = False
        yield
    finally:
        for parameter in wanting:
            parameter.requires_grad_(True)
        for part in training:
            part.training = True
