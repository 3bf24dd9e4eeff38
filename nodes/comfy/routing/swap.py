"""One pass of the U-Net under a `Plan`: which context each site reads there.

Other packs change the context between the sampler and the sites: they clone it, repeat or slice its rows, repeat or
append tokens, add rows of their own. So rows are recognised by value. The context that ComfyUI would have used rides
along under BASE, and wherever its tokens appear in what arrives at a site, the site's own replace them. Rows that
cannot be recognised stay as they are, with one warning per sampling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..unet_sites import SiteKey
from .plan import BASE, PREFIX, Plan, noise_level
from .route import KEY

CHANGED = (
    "SEAL: another node changes the prompts on their way into the model, and SEAL Apply Embedding cannot follow it: "
    "the concepts enter there everywhere. To keep the layers, take out the nodes that change this model's prompts."
)
LOST = (
    "SEAL: another node rebuilds the sampler's prompts or options and drops what SEAL Apply Embedding added, so the "
    "concepts enter everywhere. Use ComfyUI's own sampler nodes, or take out the nodes that wrap this model."
)
REGION = (
    "SEAL: another node brings a prompt with concepts past the sampler (Attention Couple or the like), so they enter "
    "everywhere in it. For regions use Conditioning (Set Mask) and Conditioning (Combine), which are routed."
)


class Block(NamedTuple):
    """A place in a context that holds the first `length` tokens of the base's `rows` (several where they are equal)."""

    row: int
    start: int
    length: int
    rows: tuple[int, ...]


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
    """Once per pass: takes out the extra contexts, cast and row-aligned by now, and swaps them in by an attn2 patch."""
    contexts = {name: kwargs.pop(name) for name in list(kwargs) if name.startswith(PREFIX)}
    plan = transformer_options.get(KEY)
    if plan is not None and context is not None:
        names = plan.swaps(noise_level(plan.sampling, timesteps, transformer_options))
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
    """The attn2 patches of a pass: ours first, so that the others see what the site reads, and a check at the end."""
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
    """Replaces BASE by the other contexts of one pass."""

    def __init__(self, contexts: Mapping[str, Tensor]) -> None:
        self.contexts = contexts
        self._seen: Tensor | None = None  # most often every site gets the same object
        self._blocks: list[Block] | None = None
        self._done: dict[str, tuple[Tensor, bool]] = {}

    def __call__(self, context: Tensor, name: str) -> tuple[Tensor, bool]:
        """`context` with the tokens of BASE replaced by those of `name`, and whether all its rows were recognised."""
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
    """Where `base` (B, L, D) appears in the rows of `context` (R, T, D). At the end of T it may be cut off."""
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
    """`context` with `other` (B, any, D) in place of `base`; False where a routed row was not recognised or placed."""
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
        # Attention reads a context that is repeated along the tokens like the context itself.
        sources = {block.row: source for block, source in zip(blocks, chosen, strict=True)}
        return torch.stack([other[sources[row]] for row in range(context.shape[0])]), True
    return context, False


def _choice(block: Block, other: Tensor, own: int | None) -> int | None:
    """Which row a block is: its own where rows still align, else any if they are equal in `other`, else None."""
    if own in block.rows:
        return own
    reads = [other[row, : block.length] for row in block.rows]
    return block.rows[0] if all(torch.equal(reads[0], each) for each in reads[1:]) else None


def _all_found(context: Tensor, base: Tensor, other: Tensor, blocks: Sequence[Block]) -> bool:
    """Whether rows without any of the base are another pack's own rather than changed routed rows."""
    if len({block.row for block in blocks}) == context.shape[0]:
        return True
    found = {row for block in blocks for row in block.rows}
    same = base.shape == other.shape
    return all(row in found or (same and torch.equal(base[row], other[row])) for row in range(base.shape[0]))


def _any_in(context: Any, known: Sequence[Tensor]) -> bool:
    """Whether a row of `context` (R, T, D) holds one of the `known` contexts from end to end."""
    return any(block.length == each.shape[1] for each in known for block in _blocks(context, each.to(context)))
