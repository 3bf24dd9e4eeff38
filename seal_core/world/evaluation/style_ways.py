"""Ways to restyle a picture that `eval-style` compares (ours)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...concept.settings import Layers
from ...hosts.base import Context, Prompt
from ...method.sampling import sample, schedule
from ...prompts.attribute_prompt import attribute_prompt
from ...style.matching import Pairs, match
from ...style.own_colours import in_own_colours
from ...style.regional_style import RestyleSettings, restyle
from ...style.regions import Regions
from ...style.style_source import StyledHost, StyleSource
from ..renderer.characters import Character
from ..renderer.scenes import Scene
from .trial_kit import TrialKit

STEPS = 100
"""Of the optimisations; at the tiny model's size more change little."""


@dataclass(frozen=True)
class Case:
    """One content and one style picture, with their truth. steps: of an optimisation."""

    who: Character
    scene: Scene
    style: str
    content: Regions
    source: Regions
    truth: Tensor
    figure: Tensor
    steps: int


Way = Callable[[TrialKit, Case, Context], Tensor]
"""(kit, case, empty prompt) -> latents (1, 4, h, w)."""


def _pairs(case: Case) -> Pairs:
    return match(case.content, [case.source])


FIRMER = 0.5
"""A content weight at which the loss without regions keeps the action."""


def _regional(own: bool = False, sides: bool = False, **settings: Any) -> Way:
    """own: in the content's colours. sides: the style's regions are subject and ground. settings: the loss's."""

    def run(kit: TrialKit, case: Case, null: Context) -> Tensor:
        pairs = match(case.content, [_sides(case.source)]) if sides else _pairs(case)
        pairs = in_own_colours(pairs, kit.host.encode_image) if own else pairs
        return restyle(kit.host, pairs, null, RestyleSettings(steps=case.steps, **settings))

    return run


def _sides(regions: Regions) -> Regions:
    """Only the subject and the ground: what SEALStyleRegions finds with `most` 1."""
    within = np.asarray(regions.inside)[regions.labels]
    return replace(regions, labels=np.where(within, 0, 1), inside=(True, False))


def _adain(kit: TrialKit, case: Case, null: Context) -> Tensor:
    """Mean and spread of each latent channel (adaptive instance normalisation, 1703.06868)."""
    x, y = case.content.latents.float(), case.source.latents.float()
    own, other = ((z.mean((2, 3), keepdim=True), z.std((2, 3), keepdim=True)) for z in (x, y))
    return (x - own[0]) / own[1] * other[1] + other[0]


def _in_words(noise: float) -> Way:
    """Image to image from a share of the noise, with the style's words (SDEdit, 2108.01073)."""

    def run(kit: TrialKit, case: Case, null: Context) -> Tensor:
        return _drawn_on(kit.host, kit, case, null, noise, case.scene.but(style=case.style))

    return run


def _styled(noise: float, layers: str = "up", strength: float = 1.0) -> Way:
    """Image to image in the style picture's look, without words for it."""

    def run(kit: TrialKit, case: Case, null: Context) -> Tensor:
        source = StyleSource((case.source.latents,), (None,), strength, Layers(layers))
        return _drawn_on(StyledHost(kit.host, source, null), kit, case, null, noise, case.scene)

    return run


def _drawn_on(host: Any, kit: TrialKit, case: Case, null: Context, noise: float, scene: Scene) -> Tensor:
    """The content noised to a share of the levels, and drawn again under its prompt."""
    told = scene.asdict()
    if scene.style == case.scene.style:
        del told["style"]  # the picture tells it
    prompt = host.encode([Prompt(attribute_prompt(case.who.in_words(), **told).prompt)], {})
    generator = torch.Generator().manual_seed(case.who.seed)
    latents = case.content.latents.float()
    if noise >= 1:
        size = 8 * latents.shape[-1]
        return sample(host, prompt, null, height=size, width=size, steps=20, cfg=4.0, generator=generator)
    sigmas = schedule(kit.host.sigmas, 20)[1]
    first = round((1 - noise) * 20)
    x = host.add_noise(latents, torch.randn(latents.shape, generator=generator), sigmas[first : first + 1])
    with torch.no_grad():
        for now, following in zip(sigmas[first:-1], sigmas[first + 1 :]):
            wanted, unwanted = (host.denoise(x, now[None], c) for c in (prompt, null))
            x = x + (x - unwanted - 4.0 * (wanted - unwanted)) / now * (following - now)
    return x


WAYS: Mapping[str, Way | None] = {
    "content": None,
    "truth": None,
    "regional": _regional(),
    "regional, own colours": _regional(own=True),
    "regional, zeros": _regional(target="zeros"),
    "subject and ground, firmer": _regional(sides=True, content_weight=FIRMER),
    "without regions": _regional(regional=False),
    "without regions, firmer": _regional(regional=False, content_weight=FIRMER),
    "Gram": _regional(target="gram"),
    "AdaIN": _adain,
    "image to image, words": _in_words(0.7),
    "image to image, words, less": _in_words(0.5),
    "image to image, styled": _styled(0.7),
    "drawn anew, words": _in_words(1.0),
    "drawn anew, styled": _styled(1.0),
}
