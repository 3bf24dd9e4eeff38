"""Style while sampling: what is drawn looks, in its self-attentions, at the style pictures' places (ours).

At each noise level the style pictures, noised to it with fixed noise, pass the U-Net once; the keys and values of their
self-attentions are then what the drawing's queries meet. It costs that pass in place of an optimisation, and works with
prompts and learned concepts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from ..concept.settings import Layers
from ..hosts.aside import aside
from ..hosts.base import Context, Host, Prompt, Site
from ..messages import require_in_range
from ..method.sampling import schedule
from ..method.sites import parse_sites, select
from ..pictures.inputs import resize_mask
from .style_attention import Seen, self_attention_tap, styled

BESIDE = Layers("appearance", 0.2, 1.0)
"""Where and when a reference of the subject is looked at: finer maps, after the noisy steps that decide the layout."""


@dataclass(frozen=True, eq=False)
class StyleSource:
    """Style pictures for a sampling.

    latents: (1, 4, h, w) each. masks: (H, W) each, which places count, or None for all. strength: 0..1. layers: where
    and when it acts. seed: of the noise. beside: what is drawn looks at its own places, too (a reference of the
    subject, after DreamMatcher, 2402.09812: there by explicit matches); else at the style's alone.
    """

    latents: tuple[Tensor, ...]
    masks: tuple[Tensor | None, ...]
    strength: float = 1.0
    layers: Layers = field(default_factory=lambda: Layers("up"))
    seed: int = 0
    beside: bool = False
    _noise: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        require_in_range("strength", self.strength, 0.0, 1.0, "use 0 (none) to 1 (full).")

    def chosen(self, sites: Sequence[Site]) -> list[Site]:
        return select(parse_sites(self.layers.sites, sites), sites)

    def noised(self, add_noise: Callable[[Tensor, Tensor, Tensor], Tensor], sigma: Tensor) -> list[Tensor]:
        """Each picture's x_t at a noise level (1,), with the same noise every time."""
        if not self._noise:
            generator = torch.Generator().manual_seed(self.seed)
            self._noise.extend(torch.randn(one.shape, generator=generator) for one in self.latents)
        return [
            add_noise(one.to(sigma.device).float(), noise.to(sigma.device), sigma)
            for one, noise in zip(self.latents, self._noise)
        ]

    def kept(self, site: Site, i: int, places: int) -> Tensor | None:
        """Indices of the i-th picture's places that count at a site, or None for all. places: how many it has."""
        mask = self.masks[i]
        if mask is None:
            return None
        rows, columns = site.map_size(*self.latents[i].shape[-2:])
        if rows * columns != places:  # Deep Shrink makes the map smaller
            shrink = (places / (rows * columns)) ** 0.5
            rows, columns = round(rows * shrink), round(columns * shrink)
        if rows * columns != places:
            return None
        small = resize_mask(mask, rows, columns).flatten() > 0.5
        return small.nonzero()[:, 0] if bool(small.any()) else None


@contextlib.contextmanager
def in_style(
    source: StyleSource,
    sites: Sequence[Site],
    passes: Sequence[Callable[[], object]],
    where: Tensor | None = None,
    rows: Tensor | None = None,
) -> Iterator[None]:
    """Everything that passes the U-Net inside the block draws in the source's style.

    passes: for each style picture, runs the U-Net on it noised to the present level. where: (h, w), or (B, h, w) for
    each row, in [0, 1] at the size of what is drawn's latents, how much each place takes. rows: how much each row of
    the batch takes (B,).
    """
    with _seen_style(source, sites, looked_at(source, sites, passes), where, rows):
        yield


def looked_at(source: StyleSource, sites: Sequence[Site], passes: Sequence[Callable[[], object]]) -> dict[str, Seen]:
    """Site -> keys and values (1, keys, C) of all pictures' places that count; passes as in `in_style`."""
    chosen = source.chosen(sites)
    found: dict[str, list[Seen]] = {site.name: [] for site in chosen}
    for i, run in enumerate(passes):
        with torch.no_grad(), aside(), self_attention_tap(chosen) as seen:
            run()
        for site in chosen:
            one = seen[site.name]
            at = source.kept(site, i, one.k.shape[1])
            pick = slice(None) if at is None else at.to(one.k.device)
            found[site.name].append(Seen(k=one.k[:1, pick], v=one.v[:1, pick]))
    return {
        name: Seen(k=torch.cat([s.k for s in all_], dim=1), v=torch.cat([s.v for s in all_], dim=1))
        for name, all_ in found.items()
    }


@contextlib.contextmanager
def _seen_style(
    source: StyleSource,
    sites: Sequence[Site],
    style: dict[str, Seen],
    where: Tensor | None = None,
    rows: Tensor | None = None,
) -> Iterator[None]:
    chosen = source.chosen(sites)
    shares = {} if where is None else {s.name: _at(s, where) for s in chosen}
    with styled(chosen, style, source.strength, shares, beside=source.beside, rows=rows):
        yield


def _at(site: Site, where: Tensor) -> Tensor:
    height, width = where.shape[-2:]
    maps = where.reshape(-1, 1, height, width).float()
    return F.interpolate(maps, site.map_size(height, width), mode="area").flatten(1)


def with_reference(host: Host, image: Tensor, mask: Tensor, steps: int, strength: float = 1.0) -> StyledHost:
    """A host that looks at a picture (H, W, 3) of its subject, 1 in mask (H, W), while it draws in `steps` steps with
    guidance."""
    source = StyleSource((host.encode_image(image[None]),), (mask,), strength, BESIDE, beside=True)
    return StyledHost(host, source, host.encode([Prompt("")], {}), steps)


class StyledHost:
    """A host that draws in a style; all else is the host's own. context: the style pictures' prompt, one row.

    steps: of the sampling. The pictures then pass at once and not while a learned concept's routing is on, which is for
    what is drawn. 0: they pass at each step, which goes with plain prompts only.
    """

    def __init__(self, host: Host, source: StyleSource, context: Context, steps: int = 0) -> None:
        self._host, self._source, self._context = host, source, context
        levels = schedule(host.sigmas, steps)[1][:-1] if steps else torch.empty(0)
        self._seen = {float(level): self._look(level[None].to(host.device)) for level in levels}

    def _look(self, level: Tensor) -> dict[str, Seen]:
        passes = [
            lambda x=x: self._host.denoise(x, level, self._context)
            for x in self._source.noised(self._host.add_noise, level)
        ]
        return looked_at(self._source, self._host.sites(), passes)

    def __getattr__(self, name: str):
        return getattr(self._host, name)

    def denoise(self, x_t: Tensor, sigma: Tensor, context: Context) -> Tensor:
        level = sigma[:1]
        percent = float((self._host.sigmas > level.cpu()).float().mean())
        if not self._source.layers.start_percent <= percent <= self._source.layers.end_percent:
            return self._host.denoise(x_t, sigma, context)
        seen = self._seen.get(float(level)) or self._look(level)
        rows = None
        if self._source.beside:  # guidance would take away again what the negative prompt's rows see, too
            rows = torch.arange(len(x_t)) < len(x_t) // 2
        with _seen_style(self._source, self._host.sites(), seen, rows=rows):
            return self._host.denoise(x_t, sigma, context)
