"""Groups of methods that an evaluation compares, and the list that a user asks for (ours)."""

from __future__ import annotations

from collections.abc import Mapping

from ...method.presets import PRESETS
from .compared_methods import COMPONENTS, GRID_SITES, GRID_TIMES, Method, grid_name, method


def _tuning() -> list[str]:
    rates = (0.001, 0.0025, 0.005, 0.01, 0.02)
    return [f"{name}~learning_rate={rate:g}" for name in PRESETS for rate in rates]


PAIRS: Mapping[str, str] = {"textual_inversion": "textual_inversion-seal", "hiper": "hiper-seal", "lora": "best"}
"""Pipeline -> the same under SEAL."""
PARTS: Mapping[str, tuple[str, ...]] = {
    "textual_inversion-seal": ("attention", "split", "layers", "masked"),
    "hiper-seal": ("attention", "layers", "masked", "augment"),
    "best": ("attention", "layers", "masked", "described", "weights", "locality", "words", "seen"),
}
"""Pair -> the components that are taken away from it."""
LONG_TI = "textual_inversion~steps=600"
"""Textual Inversion is published with thousands of steps; within our budget it hardly learns, nor leaks."""
MAIN = (
    *("base", "oracle", "textual_inversion", LONG_TI, "textual_inversion-seal", "hiper", "hiper-seal", "lora"),
    *("paper", "best_embedding", "best"),
)
GROUPS: Mapping[str, tuple[str, ...]] = {
    "main": MAIN,
    "pairs": tuple(name for pair in PAIRS.items() for name in pair),
    "looking": ("best_embedding", "best_embedding-looking", "best_embedding-looking@0.5", "best", "best-looking"),
    "told": ("base-told", "lora-told", "best_embedding-told", "best-told"),
    "parts": tuple(f"{pair}-without-{part}" for pair, parts in PARTS.items() for part in parts),
    # `best` without its initial words already is several vectors in a row: no extra row for `vectors`.
    "ablation": tuple(
        f"best-{'without' if method('best').uses(c) else 'with'}-{c}" for c in COMPONENTS if c != "vectors"
    ),
    "alone": tuple(f"only-{c}" for c in COMPONENTS if c != "pool"),  # without a layer restriction there is no pool
    "grid": tuple(grid_name(s, *t) for s in GRID_SITES for t in GRID_TIMES),
    "curves": ("curve-textual_inversion", "curve-hiper", "curve-lora", "curve-best"),
    "tuning": tuple(_tuning()),
}


def parse_methods(text: str) -> list[Method]:
    """Methods of a comma-separated list of names and groups.

    base and oracle come first: all others are measured against them.
    """
    names = ["base", "oracle"]
    for name in filter(None, (n.strip() for n in text.split(","))):
        names += GROUPS.get(name, (name,)) if name != "all" else [n for g in GROUPS if g != "tuning" for n in GROUPS[g]]
    return [method(n) for n in dict.fromkeys(names)]
