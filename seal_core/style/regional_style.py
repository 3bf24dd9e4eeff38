"""A picture in the look of others: the regional style loss (StyleGallery, 2603.10354, stage 3).

The latents themselves are optimised. At each of many noise levels, from high to low, every self-attention of the finer
up part should give what its queries would find in the style's matched region, while its queries stay near the
content's. Published: Adam at 0.05, 150 levels, clean latents at each, factor 1.5 on the queries, weight 0.26. Ours: the
style's other regions are masked out before the softmax; the published code multiplies their keys and values by 0, and
so attention goes to zeros ("zeros"). Baseline "gram": the values' Gram matrices, which tell the look without places
(after Gatys et al. 2016), in place of attention.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..hosts.base import Context, Host, Site
from ..messages import SealError, require_in_range, require_one_of, require_whole_number
from ..method.optimiser import Descent, Moved
from ..method.sampling import schedule
from ..method.sites import parse_sites, select
from .matching import Pairs
from .style_attention import Seen, attend, attend_to_zeros, self_attention_tap

RATE = 0.05
CONTENT_WEIGHT = 0.26
SHARPENING = 1.5
"""Factor on the queries that look for the style: it makes them choose."""
GRAM_WEIGHT = 10.0
"""Of the Gram loss, which makes it about as large as the attention's."""
TARGETS = ("attention", "zeros", "gram")
SITES = "appearance"
"""Layers 10 to 15 of SD 1.5's 16, as published: the up part without its coarsest map."""


@dataclass(frozen=True)
class RestyleSettings:
    """steps: noise levels, one update each. strength: 0 = the content's own look, 1 = the style's. content_weight: how
    firmly shapes stay. regional: off, every place may look at every place of all style pictures. target: of TARGETS."""

    steps: int = 150
    strength: float = 1.0
    content_weight: float = CONTENT_WEIGHT
    rate: float = RATE
    regional: bool = True
    target: str = TARGETS[0]

    def __post_init__(self) -> None:
        require_whole_number("steps", self.steps, 1, 1000, "use 1 to 1000, e.g. 150.")
        require_in_range("strength", self.strength, 0.0, 1.0, "use 0 (own look) to 1 (the style's).")
        require_one_of("target", self.target, TARGETS)
        require_in_range("content_weight", self.content_weight, 0.0, 100.0, "use 0 or more, e.g. 0.26.")


def restyle(
    host: Host,
    pairs: Pairs,
    context: Context,
    settings: RestyleSettings | None = None,
    on_step: Callable[[int, int, Tensor], object] | None = None,
) -> Tensor:
    """Latents (1, 4, h, w) of the content in the styles' look.

    context: one row, the empty prompt's as published. on_step(step, steps, latents) may raise to stop. Raises SealError
    for a loss that is not finite.
    """
    settings = settings or RestyleSettings()
    content = pairs.content.latents.float()
    sites = host.sites()
    read = select(parse_sites(SITES, sites), sites)
    looks = [_Looks(host, s.latents, context, read) for s in (pairs.content, *pairs.styles)]
    size = (content.shape[-2], content.shape[-1])
    regional = {s.name: _Places.of(s, pairs, size, content.device) for s in read} if settings.regional else {}
    sigmas = schedule(host.sigmas, settings.steps)[1][:-1].to(content.device)
    x = content.clone().requires_grad_(True)

    def backward(loss: Tensor) -> None:
        [x.grad] = torch.autograd.grad(loss, [x])

    # In float16 the gradient of a mean over a million numbers vanishes, unless the loss is scaled.
    descent = Descent(lambda: [Moved([x], settings.rate)], 0.0, host.dtype == torch.float16, backward)
    for step, sigma in enumerate(sigmas, 1):
        with torch.no_grad():
            seen = [look.at(sigma) for look in looks]
        with torch.enable_grad(), self_attention_tap(read) as now:
            host.denoise(_as_clean(host, x, sigma), sigma[None], context)
            losses = [
                _site_loss(s, now[s.name], [one[s.name] for one in seen], regional.get(s.name), settings) for s in read
            ]
            if not descent.down(torch.stack(losses).float().sum(), 1.0):
                raise SealError(f"model: the loss is not finite at step {step}; load it in float32 or bfloat16.")
        if on_step:
            on_step(step, settings.steps, x.detach())
    return x.detach()


class _Looks:
    """Queries, keys and values of a fixed picture at any noise level."""

    def __init__(self, host: Host, latents: Tensor, context: Context, sites: list[Site]) -> None:
        self._host, self._latents, self._context, self._sites = host, latents.float(), context, sites

    def at(self, sigma: Tensor) -> dict[str, Seen]:
        with self_attention_tap(self._sites) as seen:
            self._host.denoise(_as_clean(self._host, self._latents, sigma), sigma[None], self._context)
        return seen


def _as_clean(host: Host, x_0: Tensor, sigma: Tensor) -> Tensor:
    """x_t such that the U-Net reads the clean latents themselves: scaled, since hosts scale what they are given."""
    one = torch.ones(1, 1, 1, 1, device=x_0.device)
    share = host.add_noise(one, torch.zeros_like(one), sigma[None]) ** 2
    return x_0 * (share + host.add_noise(torch.zeros_like(one), one, sigma[None]) ** 2).sqrt()


@dataclass(frozen=True)
class _Places:
    """Of one site. allowed (places of the content, places of all style pictures): whether one may take its look from
    another. keeps (places, 1): whether one keeps its own."""

    allowed: Tensor
    keeps: Tensor

    @staticmethod
    def of(site: Site, pairs: Pairs, size: tuple[int, int], device: torch.device) -> _Places:
        region = pairs.content.at(*site.map_size(*size))
        rows = []
        for i, style in enumerate(pairs.styles):
            height, width = style.latents.shape[-2:]
            source = torch.tensor([p.source if p.style == i else -1 for p in pairs.pairs])
            rows.append(style.at(*site.map_size(height, width))[None] == source[:, None])
        keeps = torch.tensor([p.style is None for p in pairs.pairs])
        return _Places(torch.cat(rows, dim=1)[region].to(device), keeps[region][:, None].to(device))


def _site_loss(site: Site, now: Seen, seen: list[Seen], places: _Places | None, settings: RestyleSettings) -> Tensor:
    content, *styles = seen
    keeping = settings.content_weight * (now.q - content.q).abs().mean()
    with torch.no_grad():
        k, v = (torch.cat([getattr(one, name) for one in styles], dim=1) for name in ("k", "v"))
    if settings.target == "gram":
        aim = _gram(content.v) + settings.strength * (_gram(v) - _gram(content.v))
        return GRAM_WEIGHT * (_gram(now.v) - aim).abs().mean() + keeping
    with torch.no_grad():
        if settings.target == "zeros" and places is not None:
            target = attend_to_zeros(site, SHARPENING * now.q, k, v, places.allowed)
        else:
            target = attend(site, SHARPENING * now.q, k, v, places and places.allowed)
        before = attend(site, content.q, content.k, content.v)
        target = before + settings.strength * (target - before)
        if places is not None:
            target = torch.where(places.keeps, before, target)
    loss = (attend(site, now.q, now.k, now.v) - target).abs().mean()
    return loss + keeping


def _gram(features: Tensor) -> Tensor:
    """(B, C, C): how channels go together over all places of features (B, places, C)."""
    return features.transpose(1, 2) @ features / features.shape[1]
