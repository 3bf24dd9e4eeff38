"""What trainings ask of the model: passes through the U-Net, through the text encoders, and back.

Those of several trainings can be one pass, since no row of a batch sees another (ours). In exact arithmetic each
training then gets what it would get alone; kernels that add in another order for another batch round otherwise, by
about 1e-6 of a value in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..concept.low_rank import LowRankFactors, factors_side_by_side
from ..hosts.base import Context, Host, Prompt, Site, Vectors, stack_contexts
from .attention import Maps, route, tap
from .frozen_prefix import FrozenPrefix, record_prefixes, replay_prefixes


@dataclass(frozen=True, eq=False)
class Pass:
    """Rows that are to go through the U-Net.

    x_t (B, 4, h, w), sigma (B,), context: as `Host.denoise` takes them. routed: (B, L, D), what the `allowed` sites
    read in place of the context, or None. weights: those that it computes with, or None. keeping: see
    `Checkpointing.of_tail`. prefix, keys: what comes before the allowed sites is kept and replayed under these keys, a
    row each; None computes it. maps: takes the attention of its sites.
    """

    x_t: Tensor
    sigma: Tensor
    context: Context
    routed: Tensor | None
    allowed: Sequence[Site]
    weights: LowRankFactors | None
    keeping: Callable[..., AbstractContextManager[None]]
    prefix: FrozenPrefix | None
    keys: Sequence[int]
    maps: Maps

    @property
    def kind(self) -> tuple[Any, ...]:
        """Passes of one kind, with equal need of a gradient, can be one pass."""
        sites = [[site.name for site in chosen] for chosen in (self.allowed, self.maps.sites)]
        shapes = self.x_t.shape[1:], self.context.cross.shape[1:], self.context.pooled is None
        read = self.routed is None or self.routed.shape[1:]
        return str(sites), shapes, read, self.weights and self.weights.kind


@dataclass(frozen=True, eq=False)
class Wording:
    """Prompts that are to go through the text encoders, with what their slots stand for; see `Host.encode`.

    latents: of the U-Net's pass that will read them; keeping: see `Checkpointing.of_text`.
    """

    prompts: Sequence[Prompt]
    vectors: Vectors
    latents: Tensor
    keeping: Callable[[Tensor], AbstractContextManager[None]]

    @property
    def kind(self) -> tuple[Any, ...]:
        """As `Pass.kind`."""
        return (self.latents.shape[1:],)


class Passes:
    """Who does what a training asks for: here the host, for this training alone.

    plain: contexts of prompts without slots that are known already. shared_by: how many trainings share the passes.
    """

    shared_by = 1

    def __init__(self, host: Host) -> None:
        self.host = host
        self.plain: dict[Prompt, Context] = {}

    def denoised(self, asked: Pass) -> Tensor:
        """x_0 (B, 4, h, w) of a pass."""
        return denoise_side_by_side(self.host, [asked])[0]

    def encoded(self, asked: Wording) -> Context:
        """The contexts of prompts, a row each."""
        return encode_side_by_side(self.host, [asked])[0]

    def backward(self, loss: Tensor) -> None:
        """Add the loss's gradient to whatever it depends on."""
        loss.backward()


def denoise_side_by_side(host: Host, passes: Sequence[Pass]) -> list[Tensor]:
    """x_0 of each of some passes of one kind; what has a prefix to replay is one pass, and the rest is another."""
    new = [p for p in passes if p.prefix is not None and p.prefix.wants(p.keys)]
    if new:
        inputs = _inputs(new)
        record_prefixes([(p.prefix, p.keys) for p in new if p.prefix is not None], lambda: host.denoise(*inputs))
    found: dict[Pass, Tensor] = {}
    replayed = [p for p in passes if p.prefix is not None and p.prefix.has(p.keys)]
    for chosen in (replayed, [p for p in passes if p not in replayed]):
        if chosen:
            found |= zip(chosen, _one_pass(host, chosen, chosen is replayed), strict=True)
    return [found[p] for p in passes]


def _inputs(passes: Sequence[Pass]) -> tuple[Tensor, Tensor, Context]:
    x_t, sigma = torch.cat([p.x_t for p in passes]), torch.cat([p.sigma for p in passes])
    return x_t, sigma, stack_contexts([p.context for p in passes])


def _one_pass(host: Host, passes: Sequence[Pass], replayed: bool) -> Sequence[Tensor]:
    first, rows = passes[0], [len(p.x_t) for p in passes]
    x_t, sigma, context = _inputs(passes)
    learned = [p.routed for p in passes if p.routed is not None]
    routed = torch.cat(learned) if learned else None
    weights = [p.weights for p in passes if p.weights is not None]
    applied = factors_side_by_side(weights, rows).applied if weights else nullcontext
    kept = [(p.prefix, p.keys) for p in passes if p.prefix is not None]
    with (
        tap(first.maps.sites) as seen,
        replay_prefixes(kept, x_t.device) if replayed else nullcontext(),
        first.keeping(x_t, routed, applied),
        nullcontext() if routed is None else route(first.allowed, routed),
        applied(),
    ):
        x_0 = host.denoise(x_t, sigma, context)
    for p, own in zip(passes, _slices(rows), strict=True):
        p.maps.take(seen, own)
    return x_0.split(rows)


def encode_side_by_side(host: Host, wordings: Sequence[Wording]) -> list[Context]:
    """The contexts of each of some prompts of one kind, in one pass."""
    first = wordings[0]
    with first.keeping(torch.cat([w.latents for w in wordings])):
        if len(wordings) == 1:
            return [host.encode(first.prompts, first.vectors)]
        # Trainings call their slots alike: here each has its number.
        prompts, vectors = list[Prompt](), dict[str, Any]()
        for number, one in enumerate(wordings):
            names = {slot: f"{slot}_{number}" for slot in one.vectors}
            prompts += [p.fill({slot: f"{{{name}}}" for slot, name in names.items()}) for p in one.prompts]
            vectors |= {names[slot]: found for slot, found in one.vectors.items()}
        every = host.encode(prompts, vectors)
    found = []
    for own in _slices([len(w.prompts) for w in wordings]):
        share = every.rows(range(own.start, own.stop))
        positions = tuple({slot.rpartition("_")[0]: at for slot, at in row.items()} for row in share.positions)
        found.append(replace(share, positions=positions))
    return found


def _slices(counts: Sequence[int]) -> list[slice]:
    """Where each of some shares lies, one after the other."""
    ends = [sum(counts[: i + 1]) for i in range(len(counts))]
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
