"""A digest of any Python value by its content, so that other settings of a patch are noticed.

Patches on a model are functions with their settings in closures, or objects with attributes. The digest is the same
after a restart: it depends on no ids, addresses or order of dicts. It names what it cannot read, so that nobody takes
two different values for one.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import threading
import types
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

OBJECTS = 50_000
"""Objects read at most; whatever holds more holds more than settings."""
DEPTH = 100
SAMPLES = 1 << 14
"""Values taken of each tensor, evenly spread."""

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...), range, slice, PurePath)
_OF_TORCH = (torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size)
_BUILTIN = (types.BuiltinFunctionType, types.MethodWrapperType, types.WrapperDescriptorType, types.MethodDescriptorType)
_WITHOUT_SETTINGS = (type(threading.Lock()), type(threading.RLock()), threading.Event, logging.Logger)
_OF_EVERY_CLASS = {"__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__firstlineno__", "_abc_impl"}


class SettingsDigest:
    """Digests of values, 32 bytes each; nothing is raised.

    known: (name, object) pairs that are hashed elsewhere and only named here.
    readers: (type, function) for objects whose attributes are not all settings; the function returns the settings.
    `unread` lists, after a digest, the kinds of objects that could not be read and so are not covered by it.
    """

    def __init__(
        self,
        known: Iterable[tuple[str, object]] = (),
        readers: Sequence[tuple[type, Callable[[Any], Any]]] = (),
    ) -> None:
        self.unread: set[str] = set()
        self._readers = readers
        self._known = {id(thing): name for name, thing in known}
        self._done: dict[int, tuple[Any, bytes]] = {}  # with the values: an id is valid only while its object lives
        self._open: list[int] = []

    def __call__(self, value: Any) -> bytes:
        key = id(value)
        if key in self._known:
            return _join("known", self._known[key].encode())
        if isinstance(value, _PLAIN):
            return _join(type(value).__name__, repr(value).encode())
        if key in self._open:
            return _join("above", str(len(self._open) - self._open.index(key)).encode())
        if key not in self._done:
            if len(self._done) >= OBJECTS or len(self._open) >= DEPTH:
                return self._give_up(value)
            self._open.append(key)
            try:
                self._done[key] = (value, self._read(value))
            except Exception:  # other people's objects may do anything when they are read
                self._done[key] = (value, self._give_up(value))
            finally:
                self._open.pop()
        return self._done[key][1]

    def _read(self, value: Any) -> bytes:
        for kind, said in self._readers:
            if isinstance(value, kind):
                return _join(_name(kind), self(said(value)))
        for kinds, read in _READERS:
            if isinstance(value, kinds):
                return read(self, value)
        return self._object(value)

    def _give_up(self, value: Any) -> bytes:
        name = _name(type(value))
        self.unread.add(name)
        return _join("unread", name.encode())

    def _tensor(self, value: Tensor) -> bytes:
        if value.is_meta:
            return _join("tensor", repr((tuple(value.shape), value.dtype)).encode())
        flat = value.detach().reshape(-1)
        few = flat[:: max(1, flat.numel() // SAMPLES)].cpu()
        few = few.double() if few.is_floating_point() else few
        return _join("tensor", repr((tuple(value.shape), value.dtype)).encode(), few.numpy().tobytes())

    def _array(self, value: np.ndarray | np.generic) -> bytes:
        if value.dtype.hasobject:
            return _join("array", *map(self, np.ravel(value).tolist()))
        return _join("array", repr((value.shape, value.dtype.str)).encode(), np.ascontiguousarray(value).tobytes())

    def _mapping(self, value: Mapping[Any, Any]) -> bytes:
        pairs = sorted((self(key), self(item)) for key, item in value.items())
        return _join(_name(type(value)), *(part for pair in pairs for part in pair))

    def _set(self, value: AbstractSet[Any]) -> bytes:
        return _join("set", *sorted(map(self, value)))

    def _sequence(self, value: Iterable[Any]) -> bytes:
        return _join(_name(type(value)), *map(self, value))

    def _function(self, value: types.FunctionType) -> bytes:
        cells = [self._cell(cell) for cell in value.__closure__ or ()]
        given = (value.__defaults__, value.__kwdefaults__, value.__dict__)
        return _join(_name(value), self(value.__code__), *cells, *map(self, given))

    def _cell(self, cell: types.CellType) -> bytes:
        try:
            return self(cell.cell_contents)
        except ValueError:  # not filled yet
            return _join("empty")

    def _code(self, value: types.CodeType) -> bytes:
        """Two lambdas of one function have one name: their instructions tell them apart."""
        return _join("code", value.co_code, self(value.co_names), self(value.co_consts))

    def _method(self, value: types.MethodType) -> bytes:
        return _join("method", self(value.__func__), self(value.__self__))

    def _builtin(self, value: Any) -> bytes:
        owner = getattr(value, "__self__", None)
        return _join("builtin", value.__qualname__.encode(), self(owner))

    def _descriptor(self, value: Any) -> bytes:
        held = [getattr(value, name, None) for name in ("fget", "fset", "__func__")]
        return _join("descriptor", *map(self, held))

    def _partial(self, value: functools.partial[Any]) -> bytes:
        return _join("partial", *map(self, (value.func, value.args, value.keywords)))

    def _type(self, value: type) -> bytes:
        """By the names of its base classes. A class made in a function may also hold that function's settings."""
        local = [base for base in value.__mro__ if "<locals>" in base.__qualname__]
        bodies = [{k: v for k, v in vars(base).items() if k not in _OF_EVERY_CLASS} for base in local]
        return _join("type", *(_name(base).encode() for base in value.__mro__), self(bodies))

    def _module(self, value: nn.Module) -> bytes:
        held = {**value._parameters, **value._buffers, **value._modules}
        return _join("module", self(type(value)), self(held), self._plain_attributes(vars(value)))

    def _plain_attributes(self, own: Mapping[str, Any]) -> bytes:
        return self({name: item for name, item in own.items() if not name.startswith("_") and name != "training"})

    def _object(self, value: Any) -> bytes:
        """By class and attributes. An object written in C keeps its state elsewhere and cannot be read."""
        slots = [name for base in type(value).__mro__ for name in _slots(base)]
        if not _in_python(type(value)) or not (slots or hasattr(value, "__dict__")) or isinstance(value, uuid.UUID):
            return self._give_up(value)
        own = {name: getattr(value, name) for name in slots if hasattr(value, name)}
        return _join("object", self(type(value)), self(own | getattr(value, "__dict__", {})))


_Reader = Callable[[SettingsDigest, Any], bytes]
_READERS: tuple[tuple[Any, _Reader], ...] = (
    (Enum, lambda self, value: _join("enum", _name(type(value)).encode(), value.name.encode())),
    (_OF_TORCH, lambda self, value: _join("torch", repr(value).encode())),
    (Tensor, SettingsDigest._tensor),
    ((np.ndarray, np.generic), SettingsDigest._array),
    (Mapping, SettingsDigest._mapping),
    (AbstractSet, SettingsDigest._set),
    ((list, tuple), SettingsDigest._sequence),
    (types.FunctionType, SettingsDigest._function),
    (types.MethodType, SettingsDigest._method),
    (types.CodeType, SettingsDigest._code),
    (_BUILTIN, SettingsDigest._builtin),
    (functools.partial, SettingsDigest._partial),
    (type, SettingsDigest._type),
    (types.ModuleType, lambda self, value: _join("namespace", value.__name__.encode())),
    ((property, staticmethod, classmethod), SettingsDigest._descriptor),
    (type(functools.cache(len)), lambda self, value: self(value.__wrapped__)),
    (_WITHOUT_SETTINGS, lambda self, value: _join(type(value).__name__)),
    (types.SimpleNamespace, lambda self, value: _join("namespace", self(vars(value)))),
    (nn.Module, SettingsDigest._module),
)


def _join(kind: str, *parts: bytes) -> bytes:
    digest = hashlib.sha256(kind.encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _slots(base: type) -> list[str]:
    slots = vars(base).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _in_python(kind: type) -> bool:
    """Whether a class and all its bases were written in Python, so that attributes are all there is."""
    return all(base is object or base.__flags__ & _HEAP for base in kind.__mro__)


_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement (or by an extension that says so)
