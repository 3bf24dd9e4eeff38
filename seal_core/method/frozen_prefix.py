"""The frozen prefix (ours): what the U-Net computes before the token enters, kept and replayed.

With the layer restriction, everything before the first allowed site depends on the example (view, prompt template,
noise level, noise) and not on the token. For a finite pool of examples it is computed once; a training step then costs
only the rest of the U-Net. Exact: what is replayed are the tensors that were computed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..hosts.base import Site, Stage
from .attention import swapped_forwards


class _Reached(Exception):
    """Ends a recording pass at the first layer that depends on the token."""


def cut_at(stages: Sequence[Stage], site: Site) -> tuple[int, int] | None:
    """(stage, layer) of the layer that holds `site`; None if no layer does."""
    for s, stage in enumerate(stages):
        for k, layer in enumerate(stage.layers):
            if any(m is site.module for m in layer.modules()):
                return s, k
    return None


def needed_layers(stages: Sequence[Stage], cut: tuple[int, int]) -> list[tuple[int, int]]:
    """The prefix layers whose outputs the remaining layers read.

    These are the last layer before the cut and every skip that was pushed before the cut and is popped
    after it.
    """
    stage_at, layer_at = cut
    needed = {(stage_at, layer_at - 1) if layer_at else (stage_at - 1, len(stages[stage_at - 1].layers) - 1)}
    pushed: list[int] = []
    for s, stage in enumerate(stages):
        if stage.pops:
            source = pushed.pop()
            read_live = s > stage_at or (s == stage_at and layer_at == 0)
            if read_live and source < stage_at:
                needed.add((source, len(stages[source].layers) - 1))
        if stage.pushes:
            pushed.append(s)
    return sorted(needed)


class FrozenPrefix:
    """Records and replays the layers before one site, for examples that are known by their keys.

    limit: bytes that may be kept; examples beyond them are computed afresh every time. bytes: what is kept now. It lies
    on the CPU, so that a GPU's memory stays with the model.
    """

    def __init__(self, stages: Sequence[Stage], cut: tuple[int, int], pool_bytes: int) -> None:
        stage_at, layer_at = cut
        self._before = [
            layer
            for s, stage in enumerate(stages[: stage_at + 1])
            for layer in (stage.layers if s < stage_at else stage.layers[:layer_at])
        ]
        self._stop = stages[stage_at].layers[layer_at]
        self._needed = [stages[s].layers[k] for s, k in needed_layers(stages, cut)]
        self._in_tuple: dict[nn.Module, bool] = {}
        self._pool: dict[int, list[Tensor]] = {}
        # Examples may differ in size, so the shape of every layer's output is kept with the example.
        self._shapes: dict[int, dict[nn.Module, torch.Size]] = {}
        self._smallest = 0
        self.limit = pool_bytes
        self.bytes = 0

    @staticmethod
    def find(stages: Sequence[Stage] | None, first: Site, pool_bytes: int) -> FrozenPrefix | None:
        """The prefix before `first`, or None where there is nothing worth replaying (or replaying is not exact)."""
        cut = cut_at(stages, first) if stages else None
        return FrozenPrefix(stages, cut, pool_bytes) if stages and cut and cut[0] > 1 else None

    def has(self, keys: Sequence[int]) -> bool:
        """Whether all of these are kept."""
        return all(key in self._pool for key in keys)

    def wants(self, keys: Sequence[int]) -> bool:
        """Whether there is something new in these, and room for it. Fresh examples (key -1) are never kept."""
        return min(keys) >= 0 and not self.has(keys) and self.bytes + self._smallest <= self.limit

    def record(self, keys: Sequence[int], run: Callable[[], Any]) -> bool:
        """Run the prefix once (`run` calls the host on the rows of `keys`) and keep it; False if not all of it fits."""
        if self.wants(keys):
            record_prefixes([(self, keys)], run)
        return self.has(keys)

    def replay(self, keys: Sequence[int], device: torch.device) -> contextlib.AbstractContextManager[None]:
        """Inside the block the prefix's layers answer from the pool for the examples `keys`, row by row."""
        return replay_prefixes([(self, keys)], device)

    def _keep(self, keys: Sequence[int], rows: Sequence[Tensor], seen: _Seen) -> None:
        """rows: the outputs of the needed layers, on the CPU, a row a key."""
        self._in_tuple |= seen.in_tuple
        row = sum(output[:1].nbytes for output in rows)
        self._smallest = min(self._smallest or row, row)
        # A batch may hold an example twice, or one that is kept already. As many as fit are kept: if a batch had to fit
        # as a whole, one that does not would run the prefix in vain at every step.
        room = (self.limit - self.bytes) // row
        new = dict(list({key: i for i, key in enumerate(keys) if key not in self._pool}.items())[:room])
        self.bytes += row * len(new)
        for key, i in new.items():
            self._pool[key] = [output[i : i + 1].clone() for output in rows]
            self._shapes[key] = seen.shapes


Kept = Sequence[tuple[FrozenPrefix, Sequence[int]]]
"""Prefixes before one site of one model, each with the keys of its rows in a pass; the rows follow each other."""


class _Seen:
    """What the layers of a prefix gave in one pass."""

    def __init__(self) -> None:
        self.outputs: dict[nn.Module, Tensor] = {}
        self.shapes: dict[nn.Module, torch.Size] = {}
        self.in_tuple: dict[nn.Module, bool] = {}


@torch.no_grad()
def record_prefixes(wanted: Kept, run: Callable[[], Any]) -> None:
    """Run the prefix once (`run` calls the host on all rows); each keeps its own rows, as far as they fit."""
    first, seen = wanted[0][0], _Seen()

    def look(module: nn.Module, args: tuple, output: Any) -> None:
        tensor = output[0] if isinstance(output, tuple) else output
        seen.shapes[module], seen.in_tuple[module] = tensor.shape[1:], isinstance(output, tuple)
        if module in first._needed:
            seen.outputs[module] = tensor

    def stop(module: nn.Module, args: tuple, kwargs: dict) -> None:
        raise _Reached

    with contextlib.ExitStack() as stack:
        for layer in first._before:
            stack.callback(layer.register_forward_hook(look).remove)
        stack.callback(first._stop.register_forward_pre_hook(stop, with_kwargs=True).remove)
        with contextlib.suppress(_Reached):
            run()
    outputs = [seen.outputs[layer].detach().to("cpu") for layer in first._needed]
    shares = zip(*(output.split([len(keys) for _, keys in wanted]) for output in outputs))
    for (prefix, keys), rows in zip(wanted, shares):
        prefix._keep(keys, rows, seen)


@contextlib.contextmanager
def replay_prefixes(wanted: Kept, device: torch.device) -> Iterator[None]:
    """Inside the block the prefix's layers answer from the pools for all rows, which are kept."""
    first, known = wanted[0][0], [(prefix, key) for prefix, keys in wanted for key in keys]
    kept = {
        layer: torch.cat([prefix._pool[key][i] for prefix, key in known]).to(device)
        for i, layer in enumerate(first._needed)
    }
    dtype = next(iter(kept.values())).dtype
    nothing = torch.zeros((), dtype=dtype, device=device)
    shapes = first._shapes[known[0][1]]

    def answer(layer: nn.Module) -> Callable[..., Any]:
        # Layers whose output nobody reads answer with zeros of the right shape that take no memory.
        tensor = kept[layer] if layer in kept else nothing.expand(len(known), *shapes[layer])
        return lambda *args, **kwargs: (tensor,) if first._in_tuple[layer] else tensor

    with swapped_forwards({layer: answer(layer) for layer in first._before}):
        yield
