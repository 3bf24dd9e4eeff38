"""Low-rank weights in training: DreamBooth with LoRA, and pivotal tuning, are these beside a token."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..concept.concept import LowRank
from ..concept.low_rank import LowRankFactors, linear_layers
from ..concept.settings import LowRankSpec
from ..hosts.base import Site


class LowRankWeights:
    """Two factors for each linear layer of the allowed sites' transformer blocks; none if the rank is 0.

    As published for LoRA: `down` starts uniform within 1 / sqrt(in), `up` at zero, their product counts alpha / rank.
    """

    def __init__(
        self, sites: Sequence[Site], settings: LowRankSpec, generator: torch.Generator, device: torch.device
    ) -> None:
        self._kept = settings.kept
        layers = linear_layers(sites, settings.named_parts) if settings.rank else {}
        pairs: dict[str, tuple[Tensor, Tensor]] = {}
        for name, layer in layers.items():
            out, into = layer.weight.shape
            down = (2 * torch.rand(settings.rank, into, generator=generator) - 1) / into**0.5
            up = torch.zeros(out, settings.rank)
            pairs[name] = (down.to(device).requires_grad_(), up.to(device).requires_grad_())
        self.factors = LowRankFactors(layers, pairs, settings.scale)

    def start_from(self, weights: Mapping[str, LowRank]) -> None:
        """Go on from learned weights."""
        for name, (down, up) in self.factors.pairs.items():
            if name in weights:
                with torch.no_grad():
                    down.copy_(weights[name].down)
                    up.copy_(weights[name].up / (self.factors.scale * self._kept))

    def parameters(self) -> list[Tensor]:
        """What the optimiser moves."""
        return [tensor for pair in self.factors.pairs.values() for tensor in pair]

    def applied(self) -> contextlib.AbstractContextManager[None]:
        """Let the model compute with them inside the block; gradients reach them."""
        return self.factors.applied()

    def result(self) -> dict[str, LowRank]:
        """What is kept, float32 on the CPU: the product counts as it is."""
        share = self.factors.scale * self._kept
        return {
            name: LowRank(down.detach().float().cpu().clone(), share * up.detach().float().cpu())
            for name, (down, up) in self.factors.pairs.items()
        }
