"""What patches keep their settings in: `KINDS`, functions from a scale to a closure, object, module, ... that holds it.

A module of its own, so that another process can make the same ones without the tests.
"""

from __future__ import annotations

import functools
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from seal_core.hosts.settings_digest import SettingsDigest


def digest(value: Any) -> bytes:
    read = SettingsDigest()
    result = read(value)
    assert not read.unread, read.unread
    return result


class Mode(Enum):
    SOFT = 1
    HARD = 2


class Patch:
    def __init__(self, scale: Any) -> None:
        self.scale = scale

    def apply(self, h: Any) -> Any:
        return h * self.scale


class Slotted:
    __slots__ = ("scale",)

    def __init__(self, scale: Any) -> None:
        self.scale = scale


def closure(scale: Any) -> Any:
    table = {640: (scale, 0.9), 320: (1.2, 0.2)}
    return lambda h: h * table[h.shape[1]][0]


def defaults(scale: Any) -> Any:
    def patch(h: Any, scale: Any = scale) -> Any:
        return h * scale

    return patch


def local_class(scale: Any) -> Any:
    class Local:
        def __call__(self, h: Any) -> Any:
            return h * scale

    return Local()


def local_base(scale: Any) -> Any:
    class Local(Patch if scale == 1.1 else Slotted):  # type: ignore[misc]
        pass

    return Local


def module(scale: Any) -> nn.Module:
    result = nn.LayerNorm(3)
    result.register_buffer("sigmas", torch.full((3,), scale))
    return result


def attribute_of_a_module(scale: Any) -> nn.Module:
    result = nn.LayerNorm(3)
    result.multiplier = scale
    return result


KINDS = [
    closure, defaults, Patch, Slotted, local_class, local_base, module, attribute_of_a_module,
    lambda scale: Patch(scale).apply,
    lambda scale: functools.cache(closure(scale)),
    lambda scale: functools.partial(defaults(1), scale=scale),
    lambda scale: torch.full((64, 64), scale),
    lambda scale: torch.full((3,), scale, dtype=torch.bfloat16),
    lambda scale: np.full((2, 2), scale),
    lambda scale: SimpleNamespace(a=[{"b": Patch(scale)}]),
    lambda scale: Mode.SOFT if scale == 1.1 else Mode.HARD,
    lambda scale: {"a": {1, 2, scale}},
    lambda scale: (lambda h: h * 2) if scale == 1.1 else (lambda h: h + 2),
]  # fmt: skip


def told() -> str:
    """The digests of all KINDS and of a set, whose order is another in every process."""
    return f"{digest([make(1.1) for make in KINDS]).hex()} {digest({*'abcdefgh'}).hex()}"
