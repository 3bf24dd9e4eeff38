"""What the fuzz tests share: how many cases, the rules that every case must keep, and hypothesis strategies for inputs.

A plain run has a daily share of cases, the same ones each time. SEAL_FUZZ_CASES=5000 spreads that many over all tests,
fresh ones in every run; what fails is printed with the call that repeats it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

ASKED = int(os.environ.get("SEAL_FUZZ_CASES", "0"))
MOST_SECONDS = 10.0
"""Of processor time that one case may take, whatever is put in."""
DAILY = 1 / 6
"""The part of the full number that a plain run has."""


def fuzz(share: int, strategy: st.SearchStrategy, case: Callable[[Any], bool], refused: type[Exception]) -> None:
    """Run `case` on so many of each 5,000 cases. It says whether the input was taken; `refused` is the one exception
    that it may raise. Neither all nor none of the input may be refused."""
    count, taken = max(8, round(share * (ASKED / 5000 if ASKED else DAILY))), []

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=not ASKED,
        database=None,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(given: Any) -> None:
        started = time.process_time()
        try:
            taken.append(case(given))
        except refused as error:
            str(error).encode()
            taken.append(False)
            if os.environ.get("WHY"): print("WHY", str(error)[:100].split("\n")[0])
        assert time.process_time() - started < MOST_SECONDS

    run()
    if os.environ.get("WHY"): print("RATE", sum(taken), len(taken))
    assert len(taken) >= count and any(taken)


def no_silent_nan(value: Any, where: str = "output") -> None:
    """Every number in an output, however deep, is one; every text can be encoded."""
    if isinstance(value, torch.Tensor):
        assert not value.is_floating_point() or bool(value.isfinite().all()), f"{where}: a tensor with NaN"
    elif isinstance(value, np.ndarray):
        assert value.dtype.kind != "f" or np.isfinite(value).all(), f"{where}: an array with NaN"
    elif isinstance(value, float):
        assert math.isfinite(value), f"{where}: {value}"
    elif isinstance(value, str):
        value.encode()
        with contextlib.suppress(ValueError):
            json.loads(value, parse_constant=lambda name: _fail(f"{where}: {name} in JSON"))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            no_silent_nan(inner, f"{where}.{key}")
    elif isinstance(value, Sequence):
        for i, inner in enumerate(value):
            no_silent_nan(inner, f"{where}[{i}]")
    elif dataclasses.is_dataclass(value):
        no_silent_nan(vars(value), where)


def _fail(why: str) -> None:
    raise AssertionError(why)


# -- texts and numbers -----------------------------------------------------------------------------

PIECES = (
    "", " ", ",", ", ", ";", "\n", "\r\n", "\t", "\0", "\x1b[31m", "\u2028", "\ufeff", "\u200b", "\ud800", "\udcff",
    "{", "}", "{}", "{concept}", "{emotion}", "{0}", "{concept.__class__}", "{concept!r:>99}", "[", "]", "(", ")",
    "((x))", "(x:1.2)", "(x:nan)", "(x:1e999)", ":", "::", "\\", "\\(", '"', "'", "<x>", "<", "%", "%s", "%d%n", "$x",
    "embedding:", "embedding:x", "embedding:x.", "embedding:../x", "embedding: x", "cat", "happy", "a sticker of <x>",
    "שלום", "\u202eabc", "مرحبا", "日本語", "😀", "👩‍👩‍👧", "🇩🇪", "e\u0301", "ﷺ", "ẞ", "\U0010ffff", "#ffffff", "#f", "white",
    "../", "/etc/passwd", "C:\\x", "CON", "COM¹", "NUL.txt", "~", ".", "..", "-", "--x", "NaN", "inf", "1e999", "-1",
    "٣", "²", "up.3-5", "up.0", "-mid", "all", "sad = 😢", "=", "😀=", "null", "true", '{"emotion": "sad"}', '{"a":',
    "9" * 5000,
)  # fmt: skip
LONG = 100_000


def texts() -> st.SearchStrategy[str]:
    """Anything that can stand in a text field, up to 100,000 characters."""
    some = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=6).map("".join)
    long = st.tuples(st.sampled_from(PIECES), st.sampled_from((100, 1000, LONG)))
    return st.one_of(some, some, st.text(max_size=40), long.map(lambda of: (of[0] * of[1])[:LONG]))


STRANGE_NUMBERS = (math.nan, math.inf, -math.inf, -1.0, 0.0, -0.0, 1e-320, 1e308, -1e308, 1e-9, 2.0**63, 10**400)


def numbers(low: float, high: float, default: float) -> tuple[st.SearchStrategy, st.SearchStrategy]:
    """(ordinary, hostile) values of a FLOAT."""
    near = st.floats(max(low, default - 4), min(high, default + 8))
    ordinary = st.one_of(st.just(default), st.just(default), near)
    return ordinary, st.one_of(st.sampled_from((*STRANGE_NUMBERS, low, high, 0, 1, True)), st.floats())


def whole_numbers(low: int, high: int, default: int) -> tuple[st.SearchStrategy, st.SearchStrategy]:
    """(ordinary, hostile) values of an INT."""
    near = st.integers(max(low, default - 4), min(high, default + 40))
    ordinary = st.one_of(st.just(default), st.just(default), near)
    strange = (low, high, low - 1, high + 1, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 10**5000, True, 3.0, 2.5, math.nan)
    return ordinary, st.one_of(st.sampled_from(strange), st.integers())


# -- pictures and masks ----------------------------------------------------------------------------

DTYPES = (
    torch.float16, torch.bfloat16, torch.float64, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.bool, torch.complex64, torch.float8_e4m3fn,
)  # fmt: skip
LOOKS = ("disc", "disc on alpha", "inverted alpha", "noise", "black", "white", "clear", "half", "hairline", "corner")
SPOILED = (math.nan, math.inf, -math.inf, 1e38, -1.0, 2.0, 300.0, 1e-40)


@dataclasses.dataclass(frozen=True)
class Looks:
    """A picture as hypothesis shows it; `tensor` makes it."""

    look: str
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    spoiled: float | None = None
    layout: str = "plain"
    seed: int = 0
    mask: bool = False

    def tensor(self) -> torch.Tensor:
        values = torch.from_numpy(self._values())
        if self.spoiled is not None and values.numel():
            values.view(-1)[self.seed % values.numel()] = self.spoiled
        if self.dtype in (torch.uint8, torch.int16, torch.int32, torch.int64):
            values = values.nan_to_num(0, 0, 0).clamp(-128, 1e9) * 255
        values = values.to(self.dtype)
        if self.layout == "flipped" and values.ndim:
            values = values.transpose(0, -1).contiguous().transpose(0, -1)
        elif self.layout == "expanded" and values.ndim and values.shape[0]:
            values = values[:1].expand(values.shape)
        elif self.layout == "needs grad" and values.is_floating_point():
            values.requires_grad_()
        elif self.layout == "sparse" and values.ndim:
            values = values.to_sparse()
        return values

    def _values(self) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        if len(self.shape) < (2 if self.mask else 3) or self.look == "noise":
            return rng.random(self.shape, np.float32)
        height, width, channels = (*self.shape[-2:], 1) if self.mask else self.shape[-3:]
        y, x = np.mgrid[:height, :width]
        inside = (y - height / 2) ** 2 + (x - width / 2) ** 2 < (min(height, width) * 0.35) ** 2
        inside |= (self.look == "hairline") & (x == width // 3)
        inside &= self.look != "corner" or (x < width / 2)
        picture = np.where(inside[..., None], rng.random(channels) * 0.7, rng.random(channels) * 0.1 + 0.9)
        flat = {"black": 0.0, "white": 1.0, "half": 0.5}
        if self.look in flat:
            picture[:] = flat[self.look]
        elif self.mask:
            picture = inside[..., None] != (self.look == "inverted alpha")
        if channels >= 4:
            shown = {"disc on alpha": inside, "inverted alpha": ~inside, "clear": np.zeros_like(inside)}
            picture[..., 3] = shown.get(self.look, np.ones_like(inside))
        if self.mask:
            picture = picture[..., 0]
        return np.ascontiguousarray(np.broadcast_to(picture, self.shape), np.float32)


def pictures(ordinary: bool, mask: bool = False) -> st.SearchStrategy[Looks]:
    """IMAGE or MASK inputs (`Looks`): such as nodes give, or with anything that a tensor can be."""
    side = st.integers(1, 40)
    size, seeds = st.tuples(side, side), st.integers(0, 2**16)
    if ordinary:
        batch = st.sampled_from((1, 1, 1, 1, 2) if mask else (1, 1, 2, 3))
        look = st.sampled_from(("disc on alpha",) * 6 + ("disc",) * 3 + LOOKS)
        whole = st.sampled_from(((32, 32), (24, 40), (96, 128), (96, 128))) | size
        depth = st.just(()) if mask else st.sampled_from(((4,), (4,), (4,), (3,), (1,)))
        shapes = st.builds(lambda count, hw, channels: (count, *hw, *channels), batch, whole, depth)
        return st.builds(Looks, look, shapes, seed=seeds, mask=st.just(mask))
    any_side = st.sampled_from((0, 1, 1, 2, 3, 4, 5, 17, 24, 40))
    long = st.sampled_from(((1, 1, 900, 4), (1, 700, 1, 3), (1, 256, 256, 4), (70, 4, 4, 4), (1, 300, 200, 3)))
    shapes = st.one_of(
        long.map(lambda shape: shape[:3] if mask else shape),
        st.builds(lambda hw, depth: (1, *hw, depth), size, st.integers(0, 5)),
        st.builds(lambda count, hw: (count, *hw, 4)[: 3 if mask else 4], st.integers(0, 5), size),
        st.lists(any_side, max_size=5).map(tuple),
    )
    dtypes = st.just(torch.float32) | st.sampled_from(DTYPES)
    spoiled = st.none() | st.sampled_from(SPOILED)
    layout = st.sampled_from(("plain", "plain", "flipped", "expanded", "needs grad", "sparse"))
    return st.builds(Looks, st.sampled_from(LOOKS), shapes, dtypes, spoiled, layout, seeds, st.just(mask))
