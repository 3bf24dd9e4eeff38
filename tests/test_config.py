"""Settings: presets, overrides, bad values, hashes."""

import dataclasses

import pytest

from seal_core.config import PRESETS, Layers, Tokens, TrainConfig, configure
from seal_core.errors import SealError


def test_defaults_change_nothing():
    for name, preset in PRESETS.items():
        assert configure(name) == preset


def test_baselines_have_every_component_off():
    for name in ("textual_inversion", "hiper"):
        c = PRESETS[name]
        assert (c.attention_loss, c.attention_weight, c.contrast_weight, c.augment) == ("none", 0, 0, 0)
        assert (c.background_weight, c.tokens.split, c.tokens.context_token, c.layers.sites) == (1, 1, False, "all")
    hiper = PRESETS["hiper"]
    assert (hiper.carrier, hiper.tail, hiper.learning_rate, hiper.steps, hiper.batch_size) == ("tail", 5, 5e-3, 1000, 1)


def test_overrides():
    c = configure(
        "paper",
        steps=7,
        learning_rate=0.1,
        batch_size=2,
        resolution=128,
        seed=3,
        attention_loss="transport",
        background_weight=0.0,
        prompts="a {} here\n\n  {} there ",
        attributes={"emotion": "sad"},
        layers=Layers("mid"),
    )
    assert (c.steps, c.learning_rate, c.batch_size, c.resolution, c.seed) == (7, 0.1, 2, 128, 3)
    assert (c.attention_loss, c.attention_weight, c.background_weight) == ("transport", 1e-5, 0.0)
    assert c.templates == ("a {} here", "{} there")
    assert c.attributes == (("emotion", "sad"),)
    assert c.layers.sites == "mid"
    assert configure("paper", attention_loss="none").attention_weight == 0
    assert configure("textual_inversion", attention_loss="leak", attention_weight=0.5).attention_weight == 0.5


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"steps": -3}, "steps"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"learning_rate": -0.1}, "learning_rate"),
        ({"learning_rate": 50.0}, "learning_rate"),
        ({"batch_size": 1000}, "batch_size"),
        ({"resolution": 8}, "resolution"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64 - 1}, "seed"),
        ({"attention_loss": "strong"}, "attention_loss"),
        ({"attention_weight": float("nan")}, "attention_weight"),
        ({"background_weight": 1.5}, "background_weight"),
        ({"augment": -0.5}, "augment"),
        ({"prompts": "no slot here"}, "prompts"),
        ({"prompts": "{} and {}"}, "prompts"),
    ],
)
def test_bad_values_name_the_input(change, named):
    with pytest.raises(SealError, match=f"^{named}:"):
        configure("best", **change)


@pytest.mark.parametrize("draws", [-1, 1, 3, 1025, 4.0])
def test_too_few_or_too_many_draws_to_describe_by(draws):
    with pytest.raises(SealError, match=r"^describe_draws:"):
        TrainConfig(describe_draws=draws)
    assert TrainConfig(describe_draws=4).describe_draws == 4 and TrainConfig().describe_draws == 0


def test_unknown_preset():
    with pytest.raises(SealError, match="textual_inversion"):
        configure("fastest")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"class_word": " "}, "class_word"),
        ({"concept": ""}, "concept"),
        ({"concept": "my {cat}"}, "concept"),
        ({"class_word": "{}"}, "class_word"),
        ({"split": 0}, "split"),
        ({"split": 17}, "split"),
        ({"merge": "max"}, "merge"),
        ({"merge_at": 1.1}, "merge_at"),
        ({"init": "zero"}, "init"),
        ({"norm": "unit"}, "norm"),
    ],
)
def test_bad_tokens(change, named):
    with pytest.raises(SealError, match=f"^{named}:"):
        Tokens(**change)


def test_layers_need_a_time_window():
    with pytest.raises(SealError, match="start_percent"):
        Layers("up", 0.5, 0.5)
    with pytest.raises(SealError, match="end_percent"):
        Layers("up", 0.5, 1.5)


def test_hash_follows_every_setting_and_input():
    base = TrainConfig()
    assert base.hash("a") == TrainConfig().hash("a")
    changes = {"steps": 401, "seed": 1, "tokens": Tokens(split=4), "layers": Layers("up"), "templates": ("x {}",)}
    hashes = {dataclasses.replace(base, **{k: v}).hash("a") for k, v in changes.items()}
    assert len(hashes | {base.hash("a"), base.hash("b")}) == len(changes) + 2
