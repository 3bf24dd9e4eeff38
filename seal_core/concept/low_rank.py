"""Low-rank weights: what a concept may add to a model's linear layers (LoRA, 2106.09685)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..hosts.base import Site
from ..messages import SealError
from .settings import LAYERS


def linear_layers(sites: Sequence[Site], parts: Sequence[str]) -> dict[str, Any]:
    """The layers of these parts of the sites' transformer blocks, by their name in diffusers, in execution order."""
    found = {}
    for site in sites:
        for part in parts:
            for name in LAYERS[part]:
                found[f"{site.path}.{name}"] = site.block.get_submodule(name)
    return found


def layers_named(sites: Sequence[Site], names: Sequence[str]) -> list[nn.Module]:
    """A model's layers by their names. Raises SealError for those that it lacks."""
    known = linear_layers(sites, ("attn1", "attn2", "ff"))
    missing = [name for name in names if name not in known]
    if missing:
        raise SealError(
            f"embedding: its weights belong to {len(missing)} layers that this model lacks ({missing[0]}, ...). Wire "
            "the kind of model that it was trained on."
        )
    return [known[name] for name in names]


@contextlib.contextmanager
def added(layers: Sequence[tuple[nn.Module, Tensor, Tensor]], strength: float = 1.0) -> Iterator[None]:
    """Add to each (layer, down, up) its product while the block runs; nothing stays behind.

    Computes in the layer's own precision. Comes before any other hook, so that `tap` sees the sum.
    """

    def hook(down: Tensor, up: Tensor):
        def add(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
            x = args[0]
            return output + strength * F.linear(F.linear(x, down.to(x)), up.to(x))

        return add

    with contextlib.ExitStack() as stack:
        for layer, down, up in layers:
            stack.callback(layer.register_forward_hook(hook(down, up), prepend=True).remove)
        yield
