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
RegionsType = io.Custom("SEAL_REGIONS")
PairsType = io.Custom("SEAL_PAIRS")


def schema(**arguments: Any) -> io.Schema:
    """`io.Schema(...)` without the arguments that this ComfyUI lacks (0.8 has no `search_aliases`)."""
    return io.Schema(**{name: value for name, value in arguments.items() if name in _KNOWN})
