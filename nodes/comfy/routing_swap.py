"""One pass of the U-Net under a `Plan`: which context each site reads there.

Other packs put their own hands on the context between the sampler and the sites: they clone it, repeat
or slice its rows, repeat or append tokens, add rows of their own. So rows are told by their values: the
context that ComfyUI would have used rides along under BASE, and wherever its tokens stand in what arrives
at a site, the site's own take their place. What cannot be told is left as it is, and said once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...seal_core.messages import log_warning
from .sites import SiteKey

KEY = "seal"  # of the wrappers, of the Route in a conditioning, of the Plan in transformer_options
PREFIX = "seal_context_"
BASE = PREFIX + "base"  # a conditioning's own context; the others are numbered

CHANGED = (
    "SEAL: another node changes the prompts on their way into the model, and SEALApplyEmbedding cannot follow it: the "
    "concepts enter there everywhere. To keep the layers, take out the nodes that change this model's prompts."
)
LOST = (
    "SEAL: another node rebuilds the sampler's prompts or options and drops what SEALApplyEmbedding added, so the "
    "concepts enter everywhere. Use ComfyUI's own sampler nodes, or take out the nodes that wrap this model."
)
REGION = (
    "SEAL: another node brings a prompt with concepts past the sampler (Attention Couple or the like), so they enter "
    "everywhere in it. For regions use ConditioningSetMask and ConditioningCombine, which are routed."
)

Window = tuple[float, float]
"""Noise levels (from, down to) between which a restriction lets its concepts in, ends included."""


class Block(NamedTuple):
    """Tokens of a context that are the first `length` ones of the base's `rows` (several where these are equal)."""

    row: int
    start: int
    length: int
    rows: tuple[int, ...]


class Watch:
    """What became of the routing in one sampling."""

    def __init__(self) -> None:
        self.met = False  # a site that has a context to read, or a pass in which none has
        self.looked: set[SiteKey] = set()  # where regions were looked for
        self._said = False

    def say(self, message: str) -> None:
        """Warn, the first time only."""
        if not self._said:
            self._said = True
            log_warning(message)


@dataclass(frozen=True, eq=False)
class Plan:
    """Which extra context each site reads during one sampling, by noise level.

    learned: contexts (B, L, D) that must not be read unrouted, those of prompts outside this sampling too.
    """

    windows: tuple[Window, ...]
    table: Mapping[tuple[bool, ...], Mapping[SiteKey, str]]
    sampling: Any  # ComfyUI's model_sampling
    learned: Sequence[Tensor] = ()
    watch: Watch = field(default_factory=Watch)

    def swaps(self, sigma: float) -> Mapping[SiteKey, str]:
        """Site -> name of the context that it reads in place of the conditioning's own."""
        return self.table[is_open(self.windows, sigma)]


def is_open(windows: Sequence[Window], sigma: float) -> tuple[bool, ...]:
    return tuple(last <= sigma <= first for first, last in windows)


def diffusion_model(
    executor: Any,
    x: Tensor,
    timesteps: Any = None,
    context: Any = None,
    y: Any = None,
    control: Any = None,
    transformer_options: Mapping[str, Any] = {},
    **kwargs: Any,
) -> Any:
    """Once per pass: take the extra contexts (cast and row-aligned by now) and swap them in by an attn2 patch."""
    contexts = {name: kwargs.pop(name) for name in list(kwargs) if name.startswith(PREFIX)}
    plan = transformer_options.get(KEY)
    if plan is not None and context is not None:
        sigmas = transformer_options.get("sigmas")
        names = plan.swaps(float((plan.sampling.sigma(timesteps) if sigmas is None else sigmas).max()))
        if BASE in contexts and contexts.keys() >= set(names.values()):
            plan.watch.met |= not names
        elif names:
            names = {}
            if _any_in(context, plan.learned):
                plan.watch.say(LOST)
        patches = transformer_options.get("patches", {})
        others = patches.get("attn2_patch", [])
        if names or others:
            patches = {**patches, "attn2_patch": _patches(plan, contexts, names, others)}
            transformer_options = {**transformer_options, "patches": patches}
    return executor(x, timesteps, context, y, control, transformer_options, **kwargs)


def _patches(plan: Plan, contexts: Mapping[str, Tensor], names: Mapping[SiteKey, str], others: Sequence[Any]) -> list:
    """The attn2 patches of a pass: ours first, so that the others see what the site reads; and a look at the result."""
    swap, given = _Swap(contexts), {}

    def first(n: Tensor, context: Tensor, value: Tensor, extra: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        site = (*extra["block"], extra["block_index"])
        if site in names:
            plan.watch.met = True
            (context, told), (value, value_told) = swap(context, names[site]), swap(value, names[site])
            if not (told and value_told):
                plan.watch.say(CHANGED)
        given[site] = context
        return n, context, value

    def last(n: Tensor, context: Tensor, value: Tensor, extra: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        site = (*extra["block"], extra["block_index"])
        own = given.get(site, context)
        if context is not own and site not in plan.watch.looked:
            plan.watch.looked.add(site)  # once: such a prompt stays through a sampling
            if _any_in(context, [each for each in plan.learned if not _any_in(own, [each])]):
                plan.watch.say(REGION)
        return n, context, value

    return [first, *others, last] if others else [first]


class _Swap:
    """Puts the contexts of one pass in the place of their BASE."""

    def __init__(self, contexts: Mapping[str, Tensor]) -> None:
        self.contexts = contexts
        self._seen: Tensor | None = None  # most often every site gets the same object
        self._blocks: list[Block] | None = None
        self._done: dict[str, tuple[Tensor, bool]] = {}

    def __call__(self, context: Tensor, name: str) -> tuple[Tensor, bool]:
        """`context` with the tokens of BASE replaced by those of `name`; whether all of it could be told."""
        base = self.contexts[BASE].to(context)
        if context is not self._seen:
            self._seen, self._done = context, {}
            same = context.shape == base.shape and torch.equal(context, base)
            self._blocks = None if same else _blocks(context, base)
        if name not in self._done:
            other = self.contexts[name].to(context)
            self._done[name] = (other, True) if self._blocks is None else _replaced(context, base, other, self._blocks)
        return self._done[name]


def _blocks(context: Tensor, base: Tensor) -> list[Block]:
    """Where `base` (B, L, D) stands in the rows of `context` (R, T, D); what reaches T's end may be cut there."""
    if context.ndim != 3 or context.shape[2] != base.shape[2]:
        return []
    first = base[:, 0].float().unique(dim=0).to(base)  # the one start token, as a rule
    found: list[Block] = []
    for row, start in (context[:, :, None] == first).all(3).any(2).nonzero().tolist():
        if found and found[-1].row == row and start < found[-1].start + found[-1].length:
            continue
        length = min(base.shape[1], context.shape[1] - start)
        equal = (base[:, :length] == context[row, start : start + length]).flatten(1).all(1)
        if bool(equal.any()):
            found.append(Block(row, start, length, tuple(equal.nonzero().flatten().tolist())))
    return found


def _replaced(context: Tensor, base: Tensor, other: Tensor, blocks: Sequence[Block]) -> tuple[Tensor, bool]:
    """`context` with `other` (B, any, D) where `base` stands; False where a routed row could not be told or placed."""
    aligned = context.shape[0] == base.shape[0]
    chosen = [_choice(block, other, block.row if aligned else None) for block in blocks]
    told = None not in chosen and _all_found(context, base, other, blocks)
    if other.shape[1] == base.shape[1]:
        result = context.clone()
        for (row, start, length, _), source in zip(blocks, chosen, strict=True):
            if source is not None:
                result[row, start : start + length] = other[source, :length]
        return result, told
    whole = all(block.length == base.shape[1] for block in blocks)
    if told and whole and len(blocks) * base.shape[1] == context.shape[0] * context.shape[1]:
        # A context repeated along the tokens reads as the context itself.
        sources = {block.row: source for block, source in zip(blocks, chosen, strict=True)}
        return torch.stack([other[sources[row]] for row in range(context.shape[0])]), True
    return context, False


def _choice(block: Block, other: Tensor, own: int | None) -> int | None:
    """Which of a block's rows it is: its own where the rows still align, else any, if they read alike in `other`."""
    if own in block.rows:
        return own
    reads = [other[row, : block.length] for row in block.rows]
    return block.rows[0] if all(torch.equal(reads[0], each) for each in reads[1:]) else None


def _all_found(context: Tensor, base: Tensor, other: Tensor, blocks: Sequence[Block]) -> bool:
    """Whether rows that hold nothing of the base are another pack's own, and not a routed row in disguise."""
    if len({block.row for block in blocks}) == context.shape[0]:
        return True
    found = {row for block in blocks for row in block.rows}
    same = base.shape == other.shape
    return all(row in found or (same and torch.equal(base[row], other[row])) for row in range(base.shape[0]))


def _any_in(context: Any, known: Sequence[Tensor]) -> bool:
    """Whether one of the `known` contexts stands in a row of `context` (R, T, D) from end to end."""
    return any(block.length == each.shape[1] for each in known for block in _blocks(context, each.to(context)))
