"""Shared by the fuzz tests: the number of cases, the rules for every case, and hypothesis strategies for inputs.

A plain run has a quarter of the cases, the same ones every time. SEAL_FUZZ_CASES=5000 spreads that many over all tests,
new ones in every run; a failure prints the call that repeats it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import torch
from fuzz_material import DTYPES, LONG, LOOKS, MOST_SECONDS, PIECES, SPOILED, STRANGE_NUMBERS, STRANGE_WHOLE, Looks
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

ASKED = int(os.environ.get("SEAL_FUZZ_CASES", "0"))
DAILY = 1 / 4
"""Share of the full number of cases in a plain run."""


def fuzz(share: int, strategy: st.SearchStrategy, case: Callable[[Any], bool], refused: type[Exception]) -> None:
    """Run `case` on `share` of every 5,000 cases.

    `case` returns whether it accepted the input, and may only raise `refused`. It must accept some input.
    """
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
            assert 0 < len(str(error).encode()) < LONG
            taken.append(False)
        assert time.process_time() - started < MOST_SECONDS

    run()
    assert len(taken) >= count and any(taken)


def texts() -> st.SearchStrategy[str]:
    """Any text that a field can hold, up to 100,000 characters."""
    some = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=6).map("".join)
    long = st.tuples(st.sampled_from(PIECES), st.sampled_from((100, 1000, LONG)))
    return st.one_of(some, some, st.text(max_size=40), long.map(lambda of: (of[0] * of[1])[:LONG]))


def numbers(low: float, high: float, default: float) -> tuple[st.SearchStrategy, st.SearchStrategy]:
    """(ordinary, hostile) values of a FLOAT."""
    near = st.floats(max(low, default - 4), min(high, default + 8))
    ordinary = st.one_of(st.just(default), st.just(default), near)
    return ordinary, st.one_of(st.sampled_from((*STRANGE_NUMBERS, low, high, 0, 1, True)), st.floats())


def whole_numbers(low: int, high: int, default: int) -> tuple[st.SearchStrategy, st.SearchStrategy]:
    """(ordinary, hostile) values of an INT."""
    near = st.integers(max(low, default - 4), min(high, default + 40))
    ordinary = st.one_of(st.just(default), st.just(default), near)
    return ordinary, st.one_of(st.sampled_from((low, high, low - 1, high + 1, *STRANGE_WHOLE)), st.integers())


def pictures(ordinary: bool, mask: bool = False) -> st.SearchStrategy[Looks]:
    """IMAGE or MASK inputs (`Looks`): as nodes make them, or any tensor at all."""
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
