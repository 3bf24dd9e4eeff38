"""Low-rank weights in training: DreamBooth with LoRA, and pivotal tuning, are these beside a token."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..concept.concept import LowRank
from ..concept.low_rank import added, linear_layers
from ..concept.settings import LowRankSpec
from ..hosts.base import Site


class LowRankWeights:
    """Two factors for each linear layer of the allowed sites' transformer blocks; none if the rank is 0.

    As published for LoRA: `down` starts uniform within 1 / sqrt(in), `up` at zero, their product counts alpha / rank.
    """

    def __init__(
        self, sites: Sequence[Site], settings: LowRankSpec, generator: torch.Generator, device: torch.device
    ) -> None:
        self._scale, self._kept = settings.scale, settings.kept
        self._layers = linear_layers(sites, settings.named_parts) if settings.rank else {}
        self._factors: dict[str, tuple[Tensor, Tensor]] = {}
        for name, layer in self._layers.items():
            out, into = layer.weight.shape
            down = (2 * torch.rand(settings.rank, into, generator=generator) - 1) / into**0.5
            up = torch.zeros(out, settings.rank)
            self._factors[name] = (down.to(device).requires_grad_(), up.to(device).requires_grad_())

    def start_from(self, weights: Mapping[str, LowRank]) -> None:
        """Go on from learned weights."""
        for name, (down, up) in self._factors.items():
            if name in weights:
                with torch.no_grad():
                    down.copy_(weights[name].down)
                    up.copy_(weights[name].up / (self._scale * self._kept))

    def parameters(self) -> list[Tensor]:
        """What the optimiser moves."""
        return [tensor for pair in self._factors.values() for tensor in pair]

    def applied(self, site: Site | None = None) -> contextlib.AbstractContextManager[None]:
        """Let the model compute with them inside the block, or one site's transformer block; gradients reach them."""
        of = f"{site.path}." if site else ""
        chosen = {name: factors for name, factors in self._factors.items() if name.startswith(of)}
        return added([(self._layers[name], *factors) for name, factors in chosen.items()], self._scale)

    def result(self) -> dict[str, LowRank]:
        """What is kept, float32 on the CPU: the product counts as it is."""
        share = self._scale * self._kept
        return {
            name: LowRank(down.detach().float().cpu().clone(), share * up.detach().float().cpu())
            for name, (down, up) in self._factors.items()
        }
