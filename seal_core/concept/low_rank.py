"""Low-rank weights: what a concept may add to a model's linear layers (LoRA, 2106.09685)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..hosts.base import Site
from ..hosts.uncompiled import uncompiled
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

    down (rank, in) and up (out, rank) are for all rows of a pass; (rows, rank, in) and (rows, out, rank) for one each.
    Computes in the layer's own precision. Comes before any other hook, so that `tap` sees the sum.
    """

    def hook(down: Tensor, up: Tensor):
        def add(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
            x = args[0]
            times = F.linear if down.ndim == up.ndim == 2 else _linear_by_row
            return output + strength * times(times(x, down.to(x)), up.to(x))

        return add

    with uncompiled(), contextlib.ExitStack() as stack:
        for layer, down, up in layers:
            stack.callback(layer.register_forward_hook(hook(down, up), prepend=True).remove)
        yield


@dataclass(frozen=True, eq=False)
class LowRankFactors:
    """Layers by name, and for each its factors (down, up), whose product counts `scale`."""

    layers: Mapping[str, Any]
    pairs: Mapping[str, tuple[Tensor, Tensor]]
    scale: float

    @property
    def kind(self) -> tuple[Any, ...]:
        """Factors of one kind can be in one pass, see `factors_side_by_side`."""
        return self.scale, *((name, down.shape) for name, (down, _) in self.pairs.items())

    def applied(self, site: Site | None = None) -> contextlib.AbstractContextManager[None]:
        """Let the model compute with them inside the block, or one site's transformer block; gradients reach them."""
        of = f"{site.path}." if site else ""
        chosen = {name: pair for name, pair in self.pairs.items() if name.startswith(of)}
        return added([(self.layers[name], *pair) for name, pair in chosen.items()], self.scale)


def factors_side_by_side(several: Sequence[LowRankFactors], rows: Sequence[int]) -> LowRankFactors:
    """Those of several trainings for one pass, of which each has so many rows; no row sees another's."""
    first = several[0]
    if len(several) == 1:
        return first

    def by_row(name: str, place: int) -> Tensor:
        return torch.cat([one.pairs[name][place].expand(n, -1, -1) for one, n in zip(several, rows, strict=True)])

    return LowRankFactors(first.layers, {name: (by_row(name, 0), by_row(name, 1)) for name in first.pairs}, first.scale)


def _linear_by_row(x: Tensor, weights: Tensor) -> Tensor:
    """(rows, n, out) of x (rows, n, in) and a matrix for each row (rows, out, in)."""
    return x @ weights.mT
