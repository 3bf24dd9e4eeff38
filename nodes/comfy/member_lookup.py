"""Looks whether the running ComfyUI has the listed private members.

Modules and classes are imported and asked. Attributes that only instances have are read off the methods' instructions:
that is quick, and needs no source files.
"""

from __future__ import annotations

import dis
import functools
import importlib
import inspect
from collections.abc import Iterable, Sequence
from types import FunctionType
from typing import Any

from .private_members import MEMBERS, Member

_REGISTER = {"add_module", "register_buffer", "register_parameter"}
"""How torch's modules get an attribute by its name."""


def lacks(*areas: str) -> str:
    """What this ComfyUI lacks of some areas of MEMBERS, in words; "" where everything is there."""
    found = missing(member for area in areas for member in MEMBERS[area])
    return ", ".join(f"{member.path} ({member.why})" for member in found)


def missing(members: Iterable[Member]) -> list[Member]:
    """Those that this ComfyUI lacks, or that do not take what the pack hands them."""
    return [member for member in members if not member.only_since and not _is_there(member)]


def _is_there(member: Member) -> bool:
    path, _, attribute = member.path.partition(":")
    owner = _resolve(path.split("."))
    if owner is None:
        return False
    if attribute:
        return hasattr(owner, attribute) or _is_set_in(owner, attribute)
    return not member.takes or _takes(owner, member.takes)


def _resolve(names: Sequence[str]) -> Any:
    """The object of a dotted path, or None."""
    for length in range(len(names), 0, -1):
        try:
            found = importlib.import_module(".".join(names[:length]))
        except ImportError:
            continue
        for name in names[length:]:
            found = getattr(found, name, None)
        return found
    return None


def _is_set_in(owner: Any, attribute: str) -> bool:
    """Whether a method of a class or of its bases sets `self.attribute` (of "model.x" the last part)."""
    kinds = [kind for kind in getattr(owner, "__mro__", ()) if kind.__module__.startswith("comfy")]
    if not any(isinstance(each, FunctionType) for kind in kinds for each in vars(kind).values()):
        return True  # not written in Python: cannot be told
    return any(attribute.split(".")[-1] in _set_by(kind) for kind in kinds)


@functools.cache
def _set_by(kind: type) -> frozenset[str]:
    """Attributes that a class's methods set."""
    found: set[str] = set()
    for method in vars(kind).values():
        if isinstance(method, FunctionType):
            code = inspect.unwrap(method).__code__
            found.update(step.argval for step in dis.get_instructions(code) if step.opname == "STORE_ATTR")
            if not _REGISTER.isdisjoint(code.co_names):
                found.update(each for each in code.co_consts if isinstance(each, str))
    return frozenset(found)


def _takes(owner: Any, names: Sequence[str]) -> bool:
    try:
        parameters = inspect.signature(owner).parameters
    except (ValueError, TypeError):
        return True
    there = [name for name in parameters if name in names]
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return there == [name for name in names if name in there or not takes_any]
