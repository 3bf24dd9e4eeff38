"""Hooks on models that torch.compile has seen: its code was made without them and does not look for them again."""

from __future__ import annotations

import contextlib

import torch


def uncompiled() -> contextlib.AbstractContextManager[object]:
    """Compiled modules run as they were written, with their hooks, inside the block. Does nothing before torch 2.6."""
    set_stance = getattr(torch.compiler, "set_stance", None)
    return contextlib.nullcontext() if set_stance is None else set_stance("force_eager")
