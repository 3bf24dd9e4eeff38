"""Schema keyword arguments that older ComfyUI versions do not know yet."""

from __future__ import annotations

import dataclasses
from typing import Any

from comfy_api.latest import io

_KNOWN = {f.name for f in dataclasses.fields(io.Schema)}


def schema(**arguments: Any) -> io.Schema:
    """`io.Schema(...)` without the arguments that this ComfyUI lacks (0.8 has no `search_aliases`)."""
    return io.Schema(**{name: value for name, value in arguments.items() if name in _KNOWN})


TokensType = io.Custom("SEAL_TOKENS")
LayersType = io.Custom("SEAL_LAYERS")
EmbeddingType = io.Custom("SEAL_EMBEDDING")
