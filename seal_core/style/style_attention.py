"""Self-attention that looks at the style pictures' places instead of its own (after Attention Distillation, CVPR 2025,
and StyleGallery, 2603.10354).

What a self-attention would give if its queries met the style's keys and values is the style's look in the content's
arrangement. As a target of an optimisation it restyles a picture; put into the attention's output while sampling it
styles what is drawn.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..hosts.aside import is_aside
from ..hosts.base import Site
from ..hosts.uncompiled import uncompiled
from ..messages import SealError


@dataclass
class Seen:
    """What one self-attention computed in a pass: queries, keys and values (B, places, C)."""

    q: Tensor = field(default_factory=lambda: torch.empty(0))
    k: Tensor = field(default_factory=lambda: torch.empty(0))
    v: Tensor = field(default_factory=lambda: torch.empty(0))


@contextlib.contextmanager
def self_attention_tap(sites: Sequence[Site]) -> Iterator[dict[str, Seen]]:
    """Queries, keys and values of the self-attention beside each site, by the site's name, after a pass inside."""
    seen = {site.name: Seen() for site in sites}

    def keep(name: str, what: str):
        def hook(module: nn.Module, args: tuple, output: Tensor) -> None:
            setattr(seen[name], what, output)

        return hook

    with uncompiled(), contextlib.ExitStack() as stack:
        for site in sites:
            own = site.block.attn1
            for what, module in (("q", own.to_q), ("k", own.to_k), ("v", own.to_v)):
                stack.callback(module.register_forward_hook(keep(site.name, what)).remove)
        yield seen


def attend(site: Site, q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt d) v by heads: (B, places, C) of q (B, places, C), k and v (B, keys, C).

    allowed: which keys each place may look at, (places, keys) bool; a place that may look at none looks at all.
    """
    heads = int(site.block.attn1.heads)
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    if allowed is not None:
        allowed = allowed | ~allowed.any(dim=1, keepdim=True)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed).transpose(1, 2).flatten(2)


def attend_to_zeros(site: Site, q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> Tensor:
    """The same as StyleGallery's published code has it: what a place may not look at stays, as keys and values of 0."""
    found = torch.empty_like(q)
    for kept in allowed.unique(dim=0):
        at = (allowed == kept).all(dim=1)
        found[:, at] = attend(site, q[:, at], k * kept[:, None], v * kept[:, None])
    return found


@contextlib.contextmanager
def styled(
    sites: Sequence[Site],
    style: dict[str, Seen],
    strength: float,
    where: dict[str, Tensor],
    *,
    beside: bool = False,
    rows: Tensor | None = None,
) -> Iterator[None]:
    """Self-attentions beside `sites` give, to `strength` (0..1), what their queries find in the style's places.

    style: site -> keys and values (1, keys, C). where: site -> how much of it each place takes, (1 or B, places) in
    [0, 1]. beside: in their own places, too, so that each takes from the style only where it finds itself there. rows:
    how much of it each row of the batch takes (B,), None = all of it. Raises SealError where another node has merged
    or tiled places, so that `where` names none.
    """

    def change(site: Site, seen: Seen):
        def hook(module: nn.Module, args: tuple) -> tuple | None:
            if is_aside():  # another style's picture
                return None
            own, q = args[0], seen.q
            k, v = (t.to(q).expand(len(q), -1, -1) for t in (style[site.name].k, style[site.name].v))
            if beside:  # HyperTile cuts each row of queries into several
                own_k, own_v = (t.reshape(len(q), -1, t.shape[-1]) for t in (seen.k, seen.v))
                k, v = torch.cat([own_k, k], dim=1), torch.cat([own_v, v], dim=1)
            share: Tensor | float = strength
            if site.name in where:
                if where[site.name].shape[1] != own.shape[1]:
                    raise SealError(
                        "where: another node merges, tiles or shrinks the places of this model (Tome, HyperTile, "
                        "Deep Shrink), so parts of the drawing cannot be told apart; take that node out, or leave "
                        "`where` unwired."
                    )
                share = strength * where[site.name].to(own)[..., None]
            if rows is not None:
                share = share * rows.to(own).repeat_interleave(len(own) // len(rows))[:, None, None]
            return (own + share * (attend(site, q, k, v).to(own) - own), *args[1:])

        return hook

    with self_attention_tap(sites) as seen, contextlib.ExitStack() as stack:
        for site in sites:
            out = site.block.attn1.to_out[0]
            stack.callback(out.register_forward_pre_hook(change(site, seen[site.name])).remove)
        yield
