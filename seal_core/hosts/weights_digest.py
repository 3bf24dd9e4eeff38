"""A digest that tells weights apart without reading all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

SAMPLES = 16
"""Values taken of each tensor, evenly spread; a LoRA or a merge changes nearly all of them."""


def add_weights(digest: Any, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Feed names, shapes and a few values of (name, tensor) pairs to a hashlib digest."""
    for name, tensor in tensors:
        flat = tensor.detach().reshape(-1)
        sample = flat[:: max(1, flat.numel() // SAMPLES)].float().cpu()
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(sample.numpy().tobytes())
