"""What ComfyUI does not check of an input: whether a wired text is valid UTF-8 and a wired number is one."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

from ..seal_core.messages import SealError, require_utf8
from .comfy.api import io

_NUMBER = re.compile(r"(?:list\[)?(int|float)\b")


def inputs_checked(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    """Wraps a node's execute(): bad texts and numbers raise SealError under their input's name.

    ComfyUI checks only what stands in widgets. A text with a lone surrogate would fail later, in a tokenizer, a font or
    ComfyUI's own log, and there it can stop the queue. Numbers come as bools, numpy scalars or floats from the nodes
    before; they reach execute() as the int or float that it is annotated with. An empty list counts as not wired.
    """
    parameters = inspect.signature(execute).parameters
    numbers = {name: match[1] for name, p in parameters.items() if (match := _NUMBER.match(str(p.annotation)))}

    def right(name: str, value: Any) -> Any:
        if isinstance(value, str):
            require_utf8(value, name)
        return _number(value, name, numbers[name] == "int") if name in numbers and value is not None else value

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


def _number(value: Any, name: str, whole: bool) -> int | float:
    try:
        number = float(value)  # whole numbers too: refuses what lies beyond every float
        if not whole:
            return number
        if int(value) == value:
            return int(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        pass
    shown = value if isinstance(value, float) else f"this {type(value).__name__}"
    raise SealError(f"{name}: {shown} is no {'whole ' * whole}number that can be used here; wire another.")
