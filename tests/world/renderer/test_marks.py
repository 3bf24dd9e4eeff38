"""Marks: what no caption names, and what makes twins differ."""

import dataclasses
import random

import numpy as np
import pytest

from seal_core.world.renderer.captions import caption
from seal_core.world.renderer.characters import character
from seal_core.world.renderer.drawing_colours import COLOURS
from seal_core.world.renderer.marks import Marks, marks
from seal_core.world.renderer.render import render
from seal_core.world.renderer.scenes import Scene, random_scene

NO_MARKS = Marks(None, None, "", 0, (0, 0, 0), (0.0, 0.0), (1.0, 1.0))
PLAIN = Scene("happy", "standing", "full body", "flat vector", "plain white")


def picture(who, scene=PLAIN):
    return render(who, scene, 1).image.astype(int)


def test_marks_come_from_the_seed_and_differ():
    found = [marks(seed, ("red", "blue"), COLOURS) for seed in range(200)]
    assert found[7] == marks(7, ("red", "blue"), COLOURS) and len(set(found)) == 200
    assert 0.6 < np.mean([m.face is not None for m in found]) < 0.9
    assert 0.2 < np.mean([bool(m.odd_limb) for m in found]) < 0.5
    taken = {COLOURS["red"], COLOURS["blue"]}
    assert not taken & {m.odd_colour for m in found}
    assert not taken & {b.colour for m in found for b in (m.face, m.body) if b}


@pytest.mark.parametrize("seed", range(4))
def test_twins_have_the_same_words_and_another_look(seed):
    who = character(seed)
    twin = character(900 + seed, **who.traits())
    assert twin.traits() == who.traits() and twin.in_words() == who.in_words()
    said = [caption(one, random_scene(random.Random(3)), random.Random(5)) for one in (who, twin)]
    assert said[0] == said[1]
    differs = np.abs(picture(who) - picture(twin)).max(-1) > 60
    assert differs.mean() > 0.02


@pytest.mark.parametrize("species", ["cat", "dog", "rabbit", "bear", "fox", "frog", "pig", "penguin"])
def test_marks_show_in_every_framing_that_holds_them(species):
    """A face's blot shows in a close-up; without marks one is drawn as another."""
    seed = next(s for s in range(999) if marks(s, ("grey", "white"), COLOURS).face is not None)
    fixed = {"species": species, "main": "grey", "second": "white", "pattern": "plain", "accessory": "nothing"}
    who = character(seed, **fixed)
    for camera in ("close-up", "full body"):
        image = picture(who, PLAIN.but(camera=camera))
        near = np.abs(image - np.array(who.marks.face.colour)).max(-1) < 40
        assert near.sum() > 20, camera
    assert not np.array_equal(picture(who), picture(dataclasses.replace(who, marks=NO_MARKS)))
