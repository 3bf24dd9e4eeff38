"""The built-in stickers: what their names promise, whole and never seen in training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seal_core.demo.examples import EXAMPLES, example
from seal_core.messages import SealError
from seal_core.world.renderer.characters import character
from seal_core.world.renderer.contexts import PLAIN, VALUES
from seal_core.world.renderer.seeds import EXAMPLES as SEEDS


@pytest.mark.parametrize("name", EXAMPLES)
def test_name_tells_what_is_seen(name: str):
    seed, context = EXAMPLES[name]
    who = character(seed)
    assert seed in SEEDS
    assert name.startswith(f"{who.main} {who.species}, {context.action.split()[0]} ")
    assert context.background.rstrip("y") in name and context.background not in PLAIN
    assert context.shows("action")


@pytest.mark.parametrize("name", EXAMPLES)
def test_sticker_is_whole(name: str):
    sticker = example(name)
    assert sticker.image.shape == (128, 128, 3) and sticker.image.dtype == np.uint8
    assert sticker.mask.shape == (128, 128) and 0.2 < (sticker.mask > 127).mean() < 0.7
    rim = np.concatenate([sticker.mask[0], sticker.mask[-1], sticker.mask[:, 0], sticker.mask[:, -1]])
    assert (rim > 127).mean() < 0.15, "the character is in the picture, not cut off by it"
    assert sticker.context == EXAMPLES[name][1]


def test_names_are_one_per_animal():
    assert len(EXAMPLES) >= 6 and len({character(seed).species for seed, _ in EXAMPLES.values()}) == len(EXAMPLES)


def test_unknown_name():
    with pytest.raises(SealError, match=r"example: there is no 'orca'; choose one of: orange cat"):
        example("orca")


@pytest.mark.parametrize("file", ["js/docs/SEALDemoModel.md", "workflows/seal_demo.json"])
def test_users_are_told_the_words_that_the_model_knows(file: str):
    text = (Path(__file__).parents[2] / file).read_text(encoding="utf-8")
    text = text.replace("plain white/mint/peach/lavender", "plain white, plain mint, plain peach, plain lavender")
    for values in VALUES.values():
        assert ", ".join(values) in text
