"""The built-in stickers: what their names promise, whole, and files that hold what the renderer draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from saved_workflows import TINY

from seal_core.demo.animals import SPECIES
from seal_core.demo.attribute_values import PLAIN_BACKGROUNDS, VALUES
from seal_core.demo.sticker_files import BUILT_IN, FOLDER, animal_of, built_in_sticker, file_name
from seal_core.messages import SealError


@pytest.mark.parametrize("name", BUILT_IN)
def test_name_tells_what_is_seen(name: str):
    shown = BUILT_IN[name]
    assert animal_of(name) in SPECIES and f"{animal_of(name)}, {shown['action'].split()[0]} " in name
    assert shown["background"].rstrip("y") in name and shown["background"] not in PLAIN_BACKGROUNDS
    assert all(value in VALUES[attribute] for attribute, value in shown.items()) and list(shown) == list(VALUES)


@pytest.mark.parametrize("name", BUILT_IN)
def test_sticker_is_whole(name: str):
    sticker = built_in_sticker(name)
    assert sticker.image.shape == (128, 128, 3) and sticker.image.dtype == np.uint8
    assert sticker.mask.shape == (128, 128) and 0.2 < (sticker.mask > 127).mean() < 0.7
    rim = np.concatenate([sticker.mask[0], sticker.mask[-1], sticker.mask[:, 0], sticker.mask[:, -1]])
    assert (rim > 127).mean() < 0.15, "the character is in the picture, not cut off by it"
    assert sticker.image[sticker.mask == 0].std() > 5, "the background is there, under the transparent pixels too"


@pytest.mark.world
@pytest.mark.parametrize("name", BUILT_IN)
def test_file_holds_what_the_renderer_draws(name: str):
    from seal_core.world.renderer.built_in import drawn
    from seal_core.world.renderer.seeds import EXAMPLES

    sticker, made = built_in_sticker(name), drawn(name)
    assert np.array_equal(sticker.image, made.image) and np.array_equal(sticker.mask, made.mask)
    assert made.character.seed in EXAMPLES and name.startswith(f"{made.character.main} {made.character.species},")
    assert made.scene.shows("action")


def test_one_sticker_an_animal_and_no_other_file():
    assert len(BUILT_IN) >= 6 and len({animal_of(name) for name in BUILT_IN}) == len(BUILT_IN)
    assert {p.name for p in FOLDER.iterdir()} == {file_name(name) for name in BUILT_IN}


def test_saved_workflows_find_their_sticker():
    assert list(BUILT_IN) == [
        "orange cat, running on a beach",
        "pink dog, waving in a forest",
        "teal rabbit, jumping in the snow",
        "red penguin, sitting in a sunburst",
        "purple fox, standing in a night city",
        "brown bear, lying among hearts",
    ]


def test_unknown_name():
    with pytest.raises(SealError, match=r"example: there is no 'orca'; choose one of: orange cat"):
        built_in_sticker("orca")


def test_missing_file(monkeypatch, tmp_path):
    monkeypatch.setattr("seal_core.demo.sticker_files.FOLDER", tmp_path)
    built_in_sticker.cache_clear()
    with pytest.raises(SealError, match=r"example: .*orange-cat\.png cannot be read .*reinstall the pack"):
        built_in_sticker(next(iter(BUILT_IN)))


PAGES = [f"js/docs/SEALDemoModel{each}.md" for each in ("", "/ja", "/ko", "/zh")]


@pytest.mark.parametrize("file", PAGES)
def test_users_are_told_the_words_that_the_model_knows(file: str):
    text = (Path(__file__).parents[2] / file).read_text(encoding="utf-8")
    text = text.replace("plain white/mint/peach/lavender", "plain white, plain mint, plain peach, plain lavender")
    for values in VALUES.values():
        assert ", ".join(values) in text


def test_the_models_template_names_the_moods_and_the_page_with_all_words():
    """A note that can be read with the whole workflow in view has no room for all of them."""
    text = (Path(__file__).parents[2] / f"workflows/{TINY}.json").read_text(encoding="utf-8")
    assert ", ".join(VALUES["emotion"]) in text and "the help of *SEAL Demo Model* lists all" in text
