"""Gradient checkpointing (1604.06174): a layer keeps its input alone for the backward pass, which runs it once more.

Exact: it computes again what it computed before. It costs a second forward pass of these layers.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import dropwhile
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..hosts.base import Host, Site, Stage
from ..hosts.frozen_modules import passing_gradients
from .attention import route, swapped_forwards
from .config import TrainConfig
from .frozen_prefix import cut_at

MAPS = 45.0
"""What backward keeps of a transformer block and of the residual blocks beside it, in units of one map of that block
(rows x pixels x channels). tests/comfyui/bench_memory.py counts 37 (tokens) to 43 (weights in all parts)."""

Again = Callable[[], AbstractContextManager[Any]]
"""Makes the context that a layer runs in when the backward pass runs it again."""
Applied = Callable[[Site], AbstractContextManager[None]]
"""Makes the context in which one site's block computes with the low-rank weights."""


class Checkpointing:
    """What a step's passes keep for the backward pass: everything, or little where memory is short.

    Little: the inputs of the layers from the first allowed site on, and of the text encoders' layers.
    """

    def __init__(self, host: Host, allowed: Sequence[Site], config: TrainConfig) -> None:
        self._host, self._config = host, config
        self._sites = list(dropwhile(lambda site: site.name != allowed[0].name, host.sites()))
        # None where other packs' code runs in the U-Net: run twice, it may do something else.
        self._tail = tail_layers(host.stages() or (), allowed)
        self._spare: float | None = None

    def of_text(self, latents: Tensor) -> AbstractContextManager[None]:
        """For encoding prompts; latents as the U-Net will get them."""
        layers = self._host.text_layers() if self.wanted(latents) else ()
        return checkpointed(dict.fromkeys(layers, contextlib.nullcontext))

    def of_tail(self, latents: Tensor, routed: Tensor | None, weights: Applied) -> AbstractContextManager[None]:
        """For a pass through the U-Net with the weights. routed: what `route` lets the allowed sites read, if any."""
        layers = self._tail if self.wanted(latents) else {}
        return checkpointed({layer: partial(_as_in_pass, site, routed, weights) for layer, site in layers.items()})

    def wanted(self, latents: Tensor) -> bool:
        """Whether a step on latents (B, 4, h, w) keeps little."""
        mode = self._config.checkpointing
        if mode != "auto" or not torch.is_grad_enabled():
            return mode == "on"
        if self._spare is None:  # before the first backward pass, which leaves memory in torch's hands
            spare = self._host.spare_memory()
            self._spare = math.inf if spare is None else spare - self._copied_bytes()
        return self._activation_bytes(*latents.shape[-2:]) * len(latents) > self._spare

    def _activation_bytes(self, height: int, width: int) -> float:
        """What backward keeps of one example's passes through the U-Net, about."""
        maps = [math.prod(site.map_size(height, width)) * site.module.to_q.weight.shape[0] for site in self._sites]
        passes = 2 if self._config.weights.rank and self._config.weights_locality > 0 else 1
        return MAPS * passes * sum(maps) * self._host.dtype.itemsize

    def _copied_bytes(self) -> int:
        """What it keeps of weights in another precision than their layers compute in (text encoders in float32, the
        U-Net in the host's): a copy of each in that one."""
        computing = ((self._host.text_layers(), torch.float32), (self._tail, self._host.dtype))
        return sum(
            weight.numel() * dtype.itemsize
            for layers, dtype in computing
            for layer in layers
            for weight in layer.parameters()
            if weight.dtype != dtype
        )


@contextlib.contextmanager
def _as_in_pass(site: Site | None, routed: Tensor | None, weights: Applied) -> Iterator[None]:
    """The hooks on one layer once more, which have left the model when the backward pass comes."""
    with contextlib.ExitStack() as stack:
        if site is not None:
            if routed is not None:
                stack.enter_context(route([site], routed))
            stack.enter_context(weights(site))
        yield


@contextlib.contextmanager
def checkpointed(layers: Mapping[nn.Module, Again]) -> Iterator[None]:
    """Let these layers, none of which lies in another, keep their inputs alone in passes inside the block.

    The backward pass may come after the block, and after the hooks of the pass are gone. What they did to a layer's
    result its `Again` must do; those that only look, as `tap` does, look once. Passes without gradient are as ever.
    """

    def keeps_little(layer: nn.Module, again: Again) -> Callable[..., Any]:
        forward = layer.forward

        def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
            return contextlib.nullcontext(), _once_more(layer, again)

        def run(*args: Any, **kwargs: Any) -> Any:
            if not torch.is_grad_enabled():
                return forward(*args, **kwargs)
            # These layers draw nothing (dropout is off), so no generator need be put back.
            how: dict[str, Any] = {"use_reentrant": False, "preserve_rng_state": False, "context_fn": contexts}
            return checkpoint(forward, *args, **how, **kwargs)

        return run

    with swapped_forwards({layer: keeps_little(layer, again) for layer, again in layers.items()}):
        yield


@contextlib.contextmanager
def _once_more(layer: nn.Module, again: Again) -> Iterator[None]:
    """As in the host's own pass: no gradient for the layer's weights, whose flags may be back by now."""
    with passing_gradients(layer), again():
        yield


def tail_layers(stages: Sequence[Stage], allowed: Sequence[Site]) -> dict[nn.Module, Site | None]:
    """The layers from the one with the first allowed site on, in execution order, each with the site that it holds.

    In place of a layer with allowed sites stand their transformer blocks: SDXL has ten of them in one layer, and the
    backward pass holds what it runs again.
    """
    cut = cut_at(stages, allowed[0])
    if cut is None:
        return {}
    owners = {site.block: site for site in allowed}
    found: dict[nn.Module, Site | None] = {}
    for layer in (*stages[cut[0]].layers[cut[1] :], *(m for stage in stages[cut[0] + 1 :] for m in stage.layers)):
        blocks = [module for module in layer.modules() if module in owners]
        found |= {block: owners[block] for block in blocks} if blocks else {layer: None}
    return found
