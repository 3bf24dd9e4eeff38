"""What ComfyUI sees: one module per subject, each ending in a NODES list."""

from __future__ import annotations

from comfy_api.latest import io

from . import embedding, layers, masks, prompts, tokens, train

_MODULES = (masks, tokens, layers, train, embedding, prompts)


def all_nodes() -> list[type[io.ComfyNode]]:
    """Every node class of the pack, in the order of the menu."""
    return [node for module in _MODULES for node in module.NODES]
