"""Counting the memory that a training step takes, on any device, the meta device included."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def bytes_of(tensors: Iterable[Tensor]) -> int:
    """Of distinct storages."""
    return sum({t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors}.values())


class Saved:
    """Storages that are kept for a backward pass."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        self._weights = {p.untyped_storage()._cdata for p in weights}
        self._kept: dict[int, Any] = {}

    def keep(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._weights:
            self._kept[storage._cdata] = storage  # alive, so that no other storage gets its address
        return tensor.detach()  # itself, it would hold its own graph

    def forget(self) -> None:
        """Let go of the storages, which backward is to free."""
        self._kept.clear()

    @property
    def bytes(self) -> int:
        return sum(storage.nbytes() for storage in self._kept.values())


@contextlib.contextmanager
def saved(weights: Iterable[Tensor], checkpointing: Any) -> Iterator[Saved]:
    """Counts what autograd saves inside the block, `weights` left out, and what checkpointed layers are called with.

    checkpointing: the module `seal_core.method.checkpointing`, as it is called in this process.
    """
    counted, whole = Saved(weights), checkpointing.checkpoint

    def checkpoint(function: Any, *args: Any, **kwargs: Any) -> Any:
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, Tensor):
                counted.keep(value)
        return whole(function, *args, **kwargs)

    checkpointing.checkpoint = checkpoint
    try:
        with torch.autograd.graph.saved_tensors_hooks(counted.keep, lambda tensor: tensor):
            yield counted
    finally:
        checkpointing.checkpoint = whole


class Alive(TorchDispatchMode):
    """Bytes of the storages that were made while it is entered and are alive: `now`, and at `most`.

    weights: what was there before, all of whose views are left out.
    """

    def __init__(self, weights: Iterable[Tensor]) -> None:
        super().__init__()
        self.now = self.most = 0
        self._weights = {p.untyped_storage()._cdata for p in weights}
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())
        return result

    def _add(self, storage: Any) -> None:
        if storage._cdata in self._known or storage._cdata in self._weights:
            return
        self._known.add(storage._cdata)
        self.now += storage.nbytes()
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, storage._cdata, storage.nbytes())

    def _gone(self, address: int, size: int) -> None:
        self._known.discard(address)
        self.now -= size
