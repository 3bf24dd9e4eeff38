"""Styles to be learned from pictures: nothing that trains, judges or asks by default may draw them."""

import random

import numpy as np
import pytest

from seal_core.demo.attribute_values import VALUES
from seal_core.messages import SealError
from seal_core.world.renderer.characters import character
from seal_core.world.renderer.render import render
from seal_core.world.renderer.scenes import random_scene
from seal_core.world.renderer.styles import STYLES, UNSEEN


def test_nothing_draws_an_unseen_style_unasked():
    assert set(VALUES["style"]) == set(STYLES) and not set(UNSEEN) & set(STYLES)
    drawn = {random_scene(random.Random(seed)).style for seed in range(300)}
    assert drawn == set(STYLES)
    with pytest.raises(SealError, match="style: StickerWorld draws no 'baroque'"):
        random_scene(random.Random(0), style="baroque")


@pytest.mark.parametrize("style", UNSEEN)
def test_an_unseen_style_is_the_same_sticker_in_another_look(style):
    scene = random_scene(random.Random(4), style=style)
    found = render(character(4), scene, seed=4)
    for other in STYLES:
        plain = render(character(4), scene.but(style=other), seed=4)
        assert ((plain.mask > 127) == (found.mask > 127)).mean() > 0.9  # but for the outline's width
        assert np.abs(plain.image.astype(int) - found.image).mean() > 5
    assert np.array_equal(found.image, render(character(4), scene, seed=4).image)
