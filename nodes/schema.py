"""Schemas that every supported ComfyUI accepts, and the pack's own socket types."""

from __future__ import annotations

import dataclasses
from typing import Any

from .comfy.api import io

_KNOWN = {field.name for field in dataclasses.fields(io.Schema)}

TokensType = io.Custom("SEAL_TOKENS")
WeightsType = io.Custom("SEAL_WEIGHTS")
LayersType = io.Custom("SEAL_LAYERS")
EmbeddingType = io.Custom("SEAL_EMBEDDING")
MotionType = io.Custom("SEAL_MOTION")
RegionsType = io.Custom("SEAL_REGIONS")
PairsType = io.Custom("SEAL_PAIRS")


ADVANCED = {"advanced": True}
"""`extra_dict` of a widget that a node shows only on request. ComfyUI 0.8's inputs have no argument for it, but its
front end knows the option."""


def reads(*words: tuple[float, str], advanced: bool = False) -> dict[str, Any]:
    """`extra_dict` of a number that stands for something else at some values: (-1, "preset") shows "preset" for -1.

    js/number_words.js writes the word over the number; without it the number shows, so tooltips name both.
    """
    return {"seal_words": [list(word) for word in words], **(ADVANCED if advanced else {})}


def schema(**arguments: Any) -> io.Schema:
    """`io.Schema(...)` without the arguments that this ComfyUI lacks (0.8 has no `search_aliases`)."""
    return io.Schema(**{name: value for name, value in arguments.items() if name in _KNOWN})
