"""What all nodes share: schemas on older ComfyUI versions, our types, and the check of texts."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

from ..seal_core.messages import SealError, require_utf8
from .comfy.api import io

_KNOWN = {f.name for f in dataclasses.fields(io.Schema)}


def schema(**arguments: Any) -> io.Schema:
    """`io.Schema(...)` without the arguments that this ComfyUI lacks (0.8 has no `search_aliases`)."""
    return io.Schema(**{name: value for name, value in arguments.items() if name in _KNOWN})


def inputs_checked(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    """A node's execute() that refuses, by their input's name, texts that are no UTF-8 (what prints or saves them, a
    tokenizer, a font or ComfyUI's own log, would fail in its own words or stop the queue) and numbers that are none.

    ComfyUI checks only what stands in widgets. What is annotated as int or float arrives as such, for the nodes before
    give bools, numpy's numbers and floats for whole ones too. An empty list is as if nothing were wired.
    """
    parameters = inspect.signature(execute).parameters
    wanted = {name: match[1] for name, p in parameters.items() if (match := _NUMBER.match(str(p.annotation)))}

    def right(name: str, value: Any) -> Any:
        if isinstance(value, str):
            require_utf8(value, name)
        return _number(value, name, wanted[name] == "int") if name in wanted and value is not None else value

    @functools.wraps(execute)
    def checked(*given: Any, **named: Any) -> io.NodeOutput:
        bound = inspect.signature(execute).bind(*given, **named)
        for name, value in list(bound.arguments.items()):
            if not isinstance(value, list):
                bound.arguments[name] = right(name, value)
            elif value:
                bound.arguments[name] = [right(name, one) for one in value]
            elif parameters[name].default is inspect.Parameter.empty:
                raise SealError(f"{name}: an empty list came in; wire a node that gives something.")
            else:
                del bound.arguments[name]
        return execute(*bound.args, **bound.kwargs)

    return checked


_NUMBER = re.compile(r"(?:list\[)?(int|float)\b")


def _number(value: Any, name: str, whole: bool) -> int | float:
    try:
        number = float(value)  # also where a whole one is asked for: what is beyond every float is refused
        if not whole:
            return number
        if int(value) == value:
            return int(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        pass
    shown = value if isinstance(value, float) else f"this {type(value).__name__}"
    raise SealError(f"{name}: {shown} is no {'whole ' * whole}number that can be used here; wire another.")


TokensType = io.Custom("SEAL_TOKENS")
LayersType = io.Custom("SEAL_LAYERS")
EmbeddingType = io.Custom("SEAL_EMBEDDING")
