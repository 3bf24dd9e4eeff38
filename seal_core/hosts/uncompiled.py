"""Hooks on models that torch.compile has seen: its code was made without them and does not look for them again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import torch

_LOCK = threading.Lock()
_entered: list[Any] = []


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """Compiled modules run as they were written, with their hooks, inside the block. Does nothing before torch 2.6."""
    set_stance = getattr(torch.compiler, "set_stance", None)
    if set_stance is None:
        yield
        return
    # All threads share one stance. ComfyUI runs several cards in threads, whose blocks overlap: the first one in sets
    # it, the last one out puts back what was there.
    with _LOCK:
        _entered.append(_entered[0] if _entered else set_stance("force_eager"))
    try:
        yield
    finally:
        with _LOCK:
            stance = _entered.pop()
            if not _entered:
                stance.__exit__(None, None, None)
