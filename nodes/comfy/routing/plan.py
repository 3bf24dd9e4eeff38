"""Which context each site reads at each noise level: a table, made once per sampling from the prompts' routes.

Free of ComfyUI's classes apart from its `model_sampling`, which turns percents into noise levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from torch import Tensor

from ....seal_core.concept.settings import Layers
from ....seal_core.hosts.base import Site
from ....seal_core.messages import log_warning
from ....seal_core.method.sites import saved_sites
from ..unet_sites import SiteKey
from .route import Choice, Route, live_bases

PREFIX = "seal_context_"
"""Of the extra contexts' names in `model_conds`; those that sites read instead of a prompt's own are numbered."""

BASE = f"{PREFIX}base"
"""The context that a conditioning would have been read with."""

Window = tuple[float, float]
"""Noise levels (from, down to) between which a restriction lets its concepts in, ends included."""

Choices = Mapping[str, Mapping[int, Choice]]
"""Name of an extra context -> index of a conditioning -> which of its route's concepts are in that context."""


class Watch:
    """What became of the routing in one sampling."""

    def __init__(self) -> None:
        self.met = False  # a site that has a context to read, or a pass in which none has
        self.looked: set[SiteKey] = set()  # where regions were looked for
        self._said = False

    def say(self, message: str) -> None:
        """Warn, the first time only."""
        if not self._said:
            self._said = True
            log_warning(message)


@dataclass(frozen=True, eq=False)
class Plan:
    """Which extra context each site reads during one sampling, by noise level.

    table: state of the windows -> site -> name of a context; sites that read the conditioning's own are left out.
    sampling: ComfyUI's model_sampling. learned: contexts (B, L, D) that must not be read unrouted, those of prompts
    outside this sampling too.
    """

    windows: tuple[Window, ...]
    table: Mapping[tuple[bool, ...], Mapping[SiteKey, str]]
    sampling: Any
    learned: Sequence[Tensor] = ()
    watch: Watch = field(default_factory=Watch)

    def swaps(self, sigma: float) -> Mapping[SiteKey, str]:
        """Site -> name of the context that it reads in place of the conditioning's own."""
        return self.table[_open(self.windows, sigma)]


def make_plan(
    sites: Sequence[tuple[Site, SiteKey]], sampling: Any, routes: Mapping[int, Route]
) -> tuple[Plan, Choices]:
    """The plan for the routes of some conditionings, and what each route puts into each extra context.

    A cell is a (site, state of the windows). Cells in which every route chooses alike share a context.
    Raises SealError for restrictions that name no site of the model.
    """
    specs = dict.fromkeys(spec for route in routes.values() for spec in route.layers)
    allowed = {spec: set(saved_sites(spec.sites, [site for site, _ in sites])) for spec in specs}
    window = {spec: window_of(spec, sampling) for spec in specs}
    windows = tuple(dict.fromkeys(window.values()))
    table: dict[tuple[bool, ...], dict[SiteKey, str]] = {}
    names: dict[tuple[Choice, ...], str] = {}
    for sigma in _moments(windows):
        state = _open(windows, sigma)
        opened = dict(zip(windows, state, strict=True))
        table[state] = row = {}
        for site, key in sites:
            let_in = {spec for spec in specs if site.name in allowed[spec] and opened[window[spec]]}
            chosen = tuple(
                frozenset(i for i, spec in enumerate(route.layers) if spec in let_in) for route in routes.values()
            )
            if any(choice != route.full for choice, route in zip(chosen, routes.values(), strict=True)):
                row[key] = names.setdefault(chosen, f"{PREFIX}{len(names)}")
    choices = {name: dict(zip(routes, chosen, strict=True)) for chosen, name in names.items()}
    return Plan(windows, table, sampling, live_bases()), choices


def window_of(layers: Layers, sampling: Any) -> Window:
    """The noise levels of a restriction's percents, for ComfyUI's model_sampling."""
    first, last = (sampling.percent_to_sigma(percent) for percent in (layers.start_percent, layers.end_percent))
    return float(first), float(last)


def _open(windows: Sequence[Window], sigma: float) -> tuple[bool, ...]:
    """The state of the windows: which of them hold a noise level."""
    return tuple(within(window, sigma) for window in windows)


def within(window: Window, sigma: float) -> bool:
    """Whether a noise level lies in a window."""
    first, last = window
    return last <= sigma <= first


def noise_level(sampling: Any, timesteps: Any, options: Mapping[str, Any]) -> float:
    """The noise level of a pass, from its transformer_options, or else from its timesteps."""
    sigmas = options.get("sigmas")
    return float((sampling.sigma(timesteps) if sigmas is None else sigmas).max())


def _moments(windows: Sequence[Window]) -> list[float]:
    """Noise levels at which every state of the windows occurs: their ends, between these, and beyond both."""
    ends = sorted({end for window in windows for end in window})
    between = [(a + b) / 2 for a, b in pairwise(ends)]
    return [-1.0, *ends, *between, *(end + 1.0 for end in ends[-1:]), float("inf")]
