"""Routing plans against a naive model: concepts x sites x windows -> the context that each (site, noise level) reads.

Needs no ComfyUI: a plan knows only sites, routes and a model_sampling. tests/comfyui/inprocess_routing.py looks at what
the sites of a real model read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import import_module
from itertools import chain, combinations
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_ins import loaded_pack

SITES = ("down.0", "down.1", "mid.0", "up.0", "up.1", "up.2")
GROUPS = {"": SITES, "all": SITES, "up": SITES[3:], "mid, up": SITES[2:], "all, -mid": (*SITES[:2], *SITES[3:])}
PERCENTS = (0.0, 0.2, 0.25, 0.5, 0.8, 1.0)


class Sampling:
    """Noise levels as ComfyUI's model_sampling gives them: endless at 0 percent, nothing at 100."""

    def percent_to_sigma(self, percent: float) -> float:
        return 999999999.9 if percent <= 0 else 0.0 if percent >= 1 else 14.6 * (1 - percent) ** 2


@pytest.fixture(scope="module")
def pack() -> Iterator[ModuleType]:
    with loaded_pack() as pack:
        yield pack


def module(pack: ModuleType, name: str) -> Any:
    return import_module(f"{pack.__name__}.{name}")


Spec = tuple[str, tuple[str, ...], float, float]
"""A restriction: as it is written, the sites that this means, start and end percent."""


def specs() -> st.SearchStrategy[Spec]:
    single = st.sets(st.sampled_from(SITES), min_size=1).map(lambda names: (", ".join(sorted(names)), tuple(names)))
    written = st.sampled_from([*GROUPS.items()]) | single
    times = st.sets(st.sampled_from(PERCENTS), min_size=2, max_size=2).map(sorted)
    return st.tuples(written, times).map(lambda drawn: (*drawn[0], *drawn[1]))


@st.composite
def scenes(draw: st.DrawFn) -> dict[int, list[Spec]]:
    """Index of a conditioning -> the different restrictions of its prompt's concepts."""
    known = draw(st.lists(specs(), min_size=1, max_size=4, unique_by=lambda spec: (spec[0], *spec[2:])))
    prompts = st.lists(st.sampled_from(known), min_size=1, max_size=3, unique_by=lambda spec: (spec[0], *spec[2:]))
    return draw(st.dictionaries(st.integers(0, 5), prompts, max_size=3))


def noise_levels(scene: dict[int, list[Spec]]) -> list[float]:
    """The windows' ends, what lies just beside them, and far off."""
    ends = {Sampling().percent_to_sigma(percent) for specs in scene.values() for spec in specs for percent in spec[2:]}
    beside = chain.from_iterable((end, math.nextafter(end, -1), math.nextafter(end, math.inf)) for end in ends)
    return [level for level in (*beside, 0.0, 0.03, 1.0, 7.0, 14.6, 1e6) if level >= 0]


def let_in(specs: list[Spec], site: str, sigma: float) -> frozenset[int]:
    """The naive model: a restriction lets its concepts in where it names the site and its window holds the level."""
    level = Sampling().percent_to_sigma
    return frozenset(
        i for i, (_, sites, start, end) in enumerate(specs) if site in sites and level(end) <= sigma <= level(start)
    )


def subsets(count: int) -> Iterator[frozenset[int]]:
    return map(frozenset, chain.from_iterable(combinations(range(count), size) for size in range(count + 1)))


@settings(max_examples=200, deadline=None)
@given(scene=scenes())
def test_every_site_reads_what_a_naive_model_says(pack: ModuleType, scene: dict[int, list[Spec]]) -> None:
    layers = module(pack, "seal_core.concept.settings").Layers
    route = module(pack, "nodes.comfy.routing.route").Route
    site = module(pack, "seal_core.hosts.base").Site
    names = (name.split(".") for name in SITES)
    sites = [(site(part, int(ordinal), 1, None), (part, place, 0)) for place, (part, ordinal) in enumerate(names)]
    routes = {
        i: route(
            tuple(layers(text, start, end) for text, _, start, end in specs),
            {choice: torch.zeros(1, 77, 4) for choice in subsets(len(specs))},
        )
        for i, specs in scene.items()
    }
    plan, choices = module(pack, "nodes.comfy.routing.plan").make_plan(sites, Sampling(), routes)
    for sigma in noise_levels(scene):
        swaps = plan.swaps(sigma)
        for each, key in sites:
            for i, specs in scene.items():
                read = routes[i].contexts[choices[swaps[key]][i]] if key in swaps else routes[i].base
                assert read is routes[i].contexts[let_in(specs, each.name, sigma)], (each.name, sigma)
    used = {name for row in plan.table.values() for name in row.values()}
    assert used == set(choices), "a context that no site reads would be batched for nothing"
    told_apart = {tuple(chosen.items()) for chosen in choices.values()}
    assert len(told_apart) == len(choices), "cells that choose alike share a context"
    assert all(any(chosen[i] != routes[i].full for i in routes) for chosen in choices.values())


def test_unknown_sites_are_refused(pack: ModuleType) -> None:
    core = module(pack, "seal_core.concept.settings")
    route = module(pack, "nodes.comfy.routing.route").Route
    contexts = {choice: torch.zeros(1, 77, 4) for choice in subsets(1)}
    site = module(pack, "seal_core.hosts.base").Site("up", 0, 1, None)
    routes = {0: route((core.Layers("up.7"),), contexts)}
    with pytest.raises(module(pack, "seal_core.messages").SealError, match=r"^layers: 'up\.7' names no site"):
        module(pack, "nodes.comfy.routing.plan").make_plan([(site, ("output", 0, 0))], Sampling(), routes)
