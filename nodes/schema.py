"""What all nodes share: schemas on older ComfyUI versions, our types, and the check of texts."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

from ..seal_core.errors import valid_text
from .api import io

_KNOWN = {f.name for f in dataclasses.fields(io.Schema)}


def schema(**arguments: Any) -> io.Schema:
    """`io.Schema(...)` without the arguments that this ComfyUI lacks (0.8 has no `search_aliases`)."""
    return io.Schema(**{name: value for name, value in arguments.items() if name in _KNOWN})


def texts_checked(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    """A node's execute() that refuses texts which are no UTF-8, by their input's name: what prints or saves them, a
    tokenizer, a font or ComfyUI's own log, would fail in its own words or stop the queue."""

    @functools.wraps(execute)
    def checked(*given: Any, **named: Any) -> io.NodeOutput:
        for name, value in inspect.signature(execute).bind(*given, **named).arguments.items():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    valid_text(text, name)
        return execute(*given, **named)

    return checked


TokensType = io.Custom("SEAL_TOKENS")
LayersType = io.Custom("SEAL_LAYERS")
EmbeddingType = io.Custom("SEAL_EMBEDDING")
