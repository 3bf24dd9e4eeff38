"""Settings in closures and objects: another value, another digest; the same ones anew, the same digest."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import digest_kinds
import pytest
import torch
from digest_kinds import KINDS, Patch, closure, digest, told
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from seal_core.hosts import settings_digest
from seal_core.hosts.settings_digest import SettingsDigest

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def unread(value: Any) -> set[str]:
    read = SettingsDigest()
    read(value)
    return read.unread


class Empty:
    pass


@pytest.mark.parametrize("make", KINDS)
def test_another_setting_is_another_digest(make: Any) -> None:
    assert digest(make(1.1)) == digest(make(1.1)) != digest(make(1.6))


@given(PLAIN, PLAIN)
def test_plain_values(one: Any, other: Any) -> None:
    assert (digest(one) == digest(other)) == (repr(one) == repr(other) or _equal_dicts(one, other))


def _equal_dicts(one: Any, other: Any) -> bool:
    """Equal but for the order in dicts."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {"dict": sorted((repr(k), repr(ordered(v))) for k, v in value.items())}
        return [ordered(v) for v in value] if isinstance(value, list) else value

    return repr(ordered(one)) == repr(ordered(other))


def test_the_order_of_a_dict_says_nothing_that_of_a_list_does() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    assert digest([[1], 2]) != digest([[1, 2]])


def test_cycles_end() -> None:
    loop = Patch(1.1)
    loop.again = {"me": loop}  # type: ignore[attr-defined]
    other = Patch(1.1)
    other.again = {"me": other}  # type: ignore[attr-defined]
    assert digest(loop) == digest(other)


def test_what_cannot_be_read_is_named() -> None:
    assert unread(closure(io.BytesIO())) == {"_io.BytesIO"}
    assert unread([torch.Generator()]) == {"torch._C.Generator"}
    assert unread({"id": uuid.uuid4()}) == {"uuid.UUID"}
    assert unread(iter([1])) == {"builtins.list_iterator"}
    assert not unread(Empty()) and not unread(closure(Empty()))


class Angry:
    def __getattribute__(self, name: str) -> Any:
        raise OSError(name)


def test_objects_that_refuse_to_be_looked_at_are_named_too() -> None:
    assert len(unread([Angry()])) == 1


def test_too_much_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_digest, "OBJECTS", 10)
    assert unread([[i] for i in range(20)]) == {"builtins.list"}
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    assert unread(deep) == {"builtins.list"}


def test_known_objects_are_only_named() -> None:
    unet = nn.Linear(2, 2)
    before = SettingsDigest([("unet", unet)])(closure(unet))
    with torch.no_grad():
        unet.weight += 1
    assert SettingsDigest([("unet", unet)])(closure(unet)) == before != SettingsDigest()(closure(unet))


def test_readers_say_what_counts() -> None:
    def mark(scale: float, note: str) -> bytes:
        patch = Patch(scale)
        patch.note = note  # type: ignore[attr-defined]
        return SettingsDigest(readers=[(Patch, lambda patch: patch.scale)])([patch])

    assert mark(1.1, "a") == mark(1.1, "b") != mark(1.6, "a")


def test_the_same_after_a_restart() -> None:
    """Another process, whose sets have another order."""
    folders = [str(Path(digest_kinds.__file__).parent), str(Path(settings_digest.__file__).parents[2])]
    command = f"import sys; sys.path[:0] = {folders}; import digest_kinds; print(digest_kinds.told())"
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    assert (
        subprocess.check_output([sys.executable, "-c", command], env=environment, text=True).split() == told().split()
    )
