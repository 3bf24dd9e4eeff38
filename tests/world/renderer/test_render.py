"""StickerWorld's pictures: exact, deterministic, and apart from what methods train on."""

import random
from dataclasses import asdict
from itertools import pairwise, product

import numpy as np
import pytest
from PIL import Image

from seal_core.demo.animals import SPECIES
from seal_core.demo.attribute_values import SCENE, VALUES
from seal_core.messages import SealError
from seal_core.method.augment import AUGMENT_GROUNDS, COLOURS
from seal_core.prompts.attributes import attribute_schema
from seal_core.world.renderer import seeds
from seal_core.world.renderer.captions import NO_CAPTION, caption, prompt
from seal_core.world.renderer.characters import TRAITS, character
from seal_core.world.renderer.render import own_colours, render
from seal_core.world.renderer.scenes import Scene, random_scene

PLAIN = Scene("happy", "standing", "full body", "flat vector", "plain mint")


def test_same_arguments_same_pixels_and_other_seeds_other_framing():
    who = character(7)
    first, again, other = render(who, PLAIN, 3), render(who, PLAIN, 3), render(who, PLAIN, 4)
    assert np.array_equal(first.image, again.image) and np.array_equal(first.mask, again.mask)
    assert not np.array_equal(first.mask, other.mask)
    assert first.image.shape == (128, 128, 3) and first.mask.shape == (128, 128)
    assert first.image.dtype == first.mask.dtype == np.uint8


def test_a_hundred_thousand_seeds_hardly_repeat_a_character():
    traits = {tuple(character(seed).traits().values()) for seed in range(2000)}
    # About 600,000 combinations: 2,000 draws repeat about 3 times, even before proportions.
    assert len(traits) > 1980
    combinations = 8 * 12 * 11 * 6 * (9 * 11 + 1)
    assert combinations > 100_000
    assert [len(v) for v in TRAITS.values()] == [8, 12, 12, 6, 10, 12]
    assert len({character(seed) for seed in range(2000)}) == 2000


def test_character_and_context_are_apart():
    """On plain ground, what an emotion changes lies on the figure, and a background leaves the figure as it is."""
    who = character(11)
    happy, angry = render(who, PLAIN, 1), render(who, PLAIN.but(emotion="angry"), 1)
    changed = (happy.image != angry.image).any(-1)
    assert changed.any() and not changed[(happy.mask == 0) & (angry.mask == 0)].any()
    beach = render(who, PLAIN.but(background="beach"), 1)
    solid = (happy.mask == 255) & (beach.mask == 255)
    assert solid.sum() > 1000
    assert np.abs(happy.image[solid].astype(int) - beach.image[solid]).max() == 0


@pytest.mark.parametrize("style", VALUES["style"])
def test_own_colours_have_nothing_of_the_ground(style):
    """They are the same whatever lies behind, and the picture's wherever no style washes that in."""
    who, scene = character(12), PLAIN.but(style=style)
    own = own_colours(who, scene, 1)
    assert np.array_equal(own, own_colours(who, scene.but(background="zigzag"), 1))
    shown = render(who, scene, 1)
    solid = shown.mask == 255
    off = np.abs(own[solid].astype(int) - shown.image[solid])
    assert off.mean() < (8 if style in ("pixel art", "watercolor") else 0.01)
    assert (own != shown.image)[shown.mask == 0].any()


def test_mask_is_the_silhouette_at_three_times_the_size():
    """The mask's area agrees with a picture of four times the resolution, and its edge is soft."""
    who = character(23)
    small, large = render(who, PLAIN, 2), render(who, PLAIN, 2, size=512)
    assert abs(small.mask.mean() - large.mask.mean()) / 255 < 0.004
    shrunk = np.asarray(Image.fromarray(large.mask).resize((128, 128), Image.Resampling.BOX), float)
    assert np.sqrt(np.mean((shrunk - small.mask) ** 2)) / 255 < 0.05
    soft = (small.mask > 0) & (small.mask < 255)
    assert 100 < soft.sum() < 1500
    # Clear pixels are the ground's, whatever stands there.
    other = render(character(24), PLAIN, 2)
    both = (small.mask == 0) & (other.mask == 0)
    shadow = np.zeros((128, 128), bool)
    shadow[100:] = True
    assert np.array_equal(small.image[both & ~shadow], other.image[both & ~shadow])


@pytest.mark.parametrize("species", SPECIES)
def test_every_species_in_every_pose_framing_and_emotion(species):
    """Nothing is empty or fills the frame; a wide shot is the smallest."""
    who = character(31, species=species)
    areas = {}
    for emotion, (action, camera) in zip(VALUES["emotion"] * 4, product(VALUES["action"], VALUES["camera"])):
        sticker = render(who, PLAIN.but(emotion=emotion, action=action, camera=camera), 5)
        share = float(sticker.mask.mean()) / 255
        assert 0.04 < share < 0.85, (emotion, action, camera)
        areas.setdefault(camera, []).append(share)
    assert max(areas["wide shot"]) < min(areas["full body"])
    assert np.mean(areas["full body"]) < np.mean(areas["upper body"])


@pytest.mark.parametrize("style", VALUES["style"])
def test_styles_keep_the_mask_and_change_the_picture(style):
    who = character(5)
    plain, styled = render(who, PLAIN, 6), render(who, PLAIN.but(style=style), 6)
    same = (plain.mask > 127) & (styled.mask > 127)
    assert same.sum() / max((plain.mask > 127).sum(), (styled.mask > 127).sum()) > 0.85
    assert (style == "flat vector") == np.array_equal(plain.image, styled.image)


def test_pixel_art_is_made_of_blocks():
    image = render(character(5), PLAIN.but(style="pixel art"), 6).image
    blocks = image.reshape(32, 4, 32, 4, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()


def test_focus_weighs_the_face_most_and_is_one_on_average():
    sticker = render(character(3), PLAIN, 0)
    assert sticker.focus.shape == (16, 16) and sticker.focus.dtype == np.float32
    assert abs(float(sticker.focus.mean()) - 1) < 1e-5 and sticker.focus.min() > 0
    row, column = np.unravel_index(sticker.focus.argmax(), (16, 16))
    assert 2 <= row <= 8 and 5 <= column <= 10  # the head of a standing figure


def test_attributes_are_the_schemas_six():
    who = character(9)
    sticker = render(who, PLAIN, 0)
    assert list(sticker.attributes) == list(attribute_schema())
    assert sticker.attributes["appearance"] == who.in_words() and who.species in who.in_words()
    for name in SCENE:
        assert VALUES[name] == attribute_schema()[name].rendered and set(VALUES[name]) <= set(
            attribute_schema()[name].suggestions
        )


def test_backgrounds_are_disjoint_from_augmentations():
    words = {w for ground in VALUES["background"] for w in ground.split()} - {"plain", "white"}
    assert not words & (set(AUGMENT_GROUNDS) | set(COLOURS))
    white = np.asarray(render(character(1), PLAIN.but(background="plain white"), 0).image[0, 0], float) / 255
    assert min(np.abs(white - np.array(c)).max() for n, c in COLOURS.items() if n != "white") > 0.03


def test_captions_name_what_can_be_seen_and_never_all_of_a_character():
    rng = random.Random(0)
    empty, named = 0, dict.fromkeys(SCENE, 0)
    for seed in range(600):
        who, scene = character(seed), random_scene(rng)
        text = caption(who, scene, rng)
        empty += not text
        if not text:
            continue
        assert who.species in text
        told = [who.main in text, who.pattern != "plain" and f"with {who.second} {who.pattern}" in text]
        told.append(bool(who.wears()) and who.wears() in text)
        assert sum(told) <= 2
        for name in SCENE:
            said = attribute_schema()[name].say(getattr(scene, name)) in text
            named[name] += said
            assert scene.shows(name) or not said or name == "emotion"
    assert abs(empty / 600 - NO_CAPTION) < 0.04
    assert all(0.6 < n / 540 < 0.85 for name, n in named.items() if name != "action"), named
    assert named["action"] / 540 < 0.6  # it cannot be seen in close-ups and from the waist up


def test_a_prompt_is_worded_as_captions_are():
    assert prompt("a cat", {"emotion": "sad", "style": "pixel art", "background": "beach"}) == (
        "a sticker of a cat, sad, pixel art, beach background"
    )


def test_contexts_are_drawn_independently_of_what_is_fixed():
    free = [random_scene(random.Random(i)) for i in range(50)]
    fixed = [random_scene(random.Random(i), emotion="sad") for i in range(50)]
    for a, b in zip(free, fixed):
        assert {**asdict(a), "emotion": "sad"} == asdict(b)


def test_what_it_wears_in_words():
    words = {a: character(1, accessory=a, accessory_colour="orange").wears() for a in ("bow", "glasses", "nothing")}
    assert words == {"bow": "wearing an orange bow", "glasses": "wearing orange glasses", "nothing": ""}


def test_seed_ranges_are_disjoint():
    ranges = (seeds.TRAIN, seeds.JUDGE, seeds.VALIDATION, seeds.TEST, seeds.EXAMPLES)
    for a, b in pairwise(ranges):
        assert a.stop == b.start and len(a) == 10_000_000


def test_unknown_values_and_sizes_name_the_input():
    with pytest.raises(SealError, match="emotion: StickerWorld draws no 'bored'; choose one of happy"):
        PLAIN.but(emotion="bored")
    with pytest.raises(SealError, match="species: StickerWorld has no 'cow'"):
        character(1, species="cow")
    with pytest.raises(SealError, match="size: 100 is not possible"):
        render(character(1), PLAIN, size=100)
