"""The hooks: `tap` records attention maps, `route` sends the learned context to the allowed sites only.

Both hook `attn2.to_q`, `to_k` and `to_v`, which ComfyUI's UNetModel and diffusers' UNet2DConditionModel have in common.
`swapped_forwards` replaces what whole modules compute. All three are context managers: nothing stays behind, also after
an exception.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..hosts.base import Site


class Maps:
    """Queries and keys of the tapped sites during the last pass, and the attention they make."""

    def __init__(self, sites: Sequence[Site] = ()) -> None:
        self.sites = list(sites)
        self._queries: dict[str, Tensor] = {}
        self._keys: dict[str, Tensor] = {}

    def take(self, whole: Maps, rows: slice) -> None:
        """Take the sites and rows that are this one's share of a larger pass."""
        for own, other in ((self._queries, whole._queries), (self._keys, whole._keys)):
            own.update({site.name: other[site.name][rows] for site in self.sites})

    def probabilities(self, site: Site) -> Tensor:
        """softmax(q k^T / sqrt(d)) of one site, averaged over heads: (B, pixels, tokens) float32."""
        queries, keys = (
            t.float().unflatten(-1, (site.heads, -1)).transpose(1, 2)
            for t in (self._queries[site.name], self._keys[site.name])
        )
        scores = queries @ keys.transpose(-1, -2) * queries.shape[-1] ** -0.5
        return scores.softmax(dim=-1).mean(dim=1)

    def token_maps(self, positions: Sequence[Sequence[int]], height: int, width: int) -> Tensor:
        """Attention to each row's `positions` (summed over them), averaged over the tapped sites: (B, h, w).

        height, width: of the latents. All tapped sites must have one map size. Differentiable.
        """
        maps = []
        for site in self.sites:
            probabilities = self.probabilities(site)
            chosen = torch.stack([probabilities[row, :, list(p)].sum(-1) for row, p in enumerate(positions)])
            maps.append(chosen.unflatten(-1, site.map_size(height, width)))
        return torch.stack(maps).mean(dim=0)


@contextlib.contextmanager
def tap(sites: Sequence[Site]) -> Iterator[Maps]:
    """Record the attention of `sites` in every pass inside the block (the last pass wins), with gradients."""
    maps = Maps(sites)

    def keep(store: dict[str, Tensor], name: str):
        def hook(module: nn.Module, args: tuple, output: Tensor) -> None:
            store[name] = output

        return hook

    with contextlib.ExitStack() as stack:
        for site in sites:
            for module, store in ((site.module.to_q, maps._queries), (site.module.to_k, maps._keys)):
                stack.callback(module.register_forward_hook(keep(store, site.name)).remove)
        yield maps


@contextlib.contextmanager
def route(sites: Sequence[Site], learned: Tensor) -> Iterator[None]:
    """Let `sites` read `learned` (B, L, D) in place of the context that the U-Net is called with.

    This is the structure-aware layer restriction: call the host with the class word's context, and only the allowed
    sites see the learned token.
    """

    def hook(module: nn.Module, args: tuple) -> tuple:
        return (learned.to(dtype=args[0].dtype, device=args[0].device), *args[1:])

    with contextlib.ExitStack() as stack:
        for site in sites:
            for module in (site.module.to_k, site.module.to_v):
                stack.callback(module.register_forward_pre_hook(hook).remove)
        yield


@contextlib.contextmanager
def swapped_forwards(forwards: Mapping[nn.Module, Callable[..., Any]]) -> Iterator[None]:
    """Let modules run these functions in place of their `forward`; whatever stood there before comes back."""
    saved = {module: vars(module).get("forward") for module in forwards}  # somebody may have put one there already
    try:
        for module, forward in forwards.items():
            module.forward = forward
        yield
    finally:
        for module, forward in saved.items():
            if forward is None:
                vars(module).pop("forward", None)
            else:
                module.forward = forward


def slot_positions(positions: Sequence[Mapping[str, Sequence[int]]], prefix: str) -> list[tuple[int, ...]]:
    """For each row, the positions of all slots whose name starts with `prefix`."""
    return [tuple(p for slot, at in row.items() if slot.startswith(prefix) for p in at) for row in positions]
