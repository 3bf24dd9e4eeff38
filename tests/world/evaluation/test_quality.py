"""The picture's quality, calibrated by degrading pictures on purpose: damage costs, and more costs more."""

from __future__ import annotations

import random

import pytest
import torch

from seal_core.world.evaluation.trial import sharpness
from seal_core.world.judges import degradations
from seal_core.world.judges.judge_networks import JUDGES_FILE, Judges
from seal_core.world.renderer import seeds
from seal_core.world.renderer.characters import character
from seal_core.world.renderer.render import render
from seal_core.world.renderer.scenes import random_scene


@pytest.fixture(scope="module")
def pictures():
    made = [
        render(character(seed), random_scene(random.Random(seed)), seed).image for seed in seeds.VALIDATION[4000:4048]
    ]
    return torch.stack([torch.from_numpy(m.astype("float32") / 255) for m in made])


def hazy(pictures, strength):
    """Under a haze of the pictures' mean, as from a weaker guidance."""
    return torch.lerp(pictures, pictures.mean((1, 2), keepdim=True), strength)


def smeared(pictures, strength):
    """The subject's colours in the ground: pictures mixed with their own blurred, shifted copies."""
    blurred = degradations.gaussian_blur(pictures.permute(0, 3, 1, 2), 1.0, torch.Generator()).permute(0, 2, 3, 1)
    return torch.lerp(pictures, blurred.roll((9, 13), (1, 2)), strength)


@pytest.mark.parametrize("damage", [hazy, smeared])
def test_the_judges_are_less_sure_of_spoiled_pictures(pictures, damage):
    judges = Judges.load(JUDGES_FILE)

    def readable(images):
        return float(torch.stack([p.amax(1) for p in judges.classify(images).values()]).mean())

    whole, some, much = (readable(damage(pictures, strength)) for strength in (0.0, 0.35, 0.7))
    assert whole > some > much and some < 0.98 * whole


@pytest.mark.parametrize("damage", [degradations.gaussian_blur, degradations.soften])
def test_soft_outlines_cost_sharpness(pictures, damage):
    planes, generator = pictures.permute(0, 3, 1, 2), torch.Generator().manual_seed(0)
    whole = sharpness(pictures).mean()
    some, much = (sharpness(damage(planes, s, generator).permute(0, 2, 3, 1)).mean() for s in (0.3, 0.7))
    assert whole > 1.1 * some > 1.2 * much
