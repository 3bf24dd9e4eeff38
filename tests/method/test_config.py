"""Settings: presets, overrides, bad values, hashes."""

import dataclasses

import pytest

from seal_core.concept.settings import Layers, Tokens
from seal_core.messages import SealError
from seal_core.method.config import TrainConfig
from seal_core.method.presets import PRESETS


def test_baselines_have_every_component_off():
    for name in ("textual_inversion", "hiper"):
        c = PRESETS[name]
        assert (c.attention_loss, c.attention_weight, c.contrast_weight, c.augment) == ("none", 0, 0, 0)
        assert (c.background_weight, c.tokens.split, c.tokens.context_token, c.layers.sites) == (1, 1, False, "all")
    hiper = PRESETS["hiper"]
    assert (hiper.carrier, hiper.tail, hiper.learning_rate, hiper.steps, hiper.batch_size) == ("tail", 5, 5e-3, 1000, 1)


ALL_NAMED = (("action", "running"), ("background", "beach"), ("emotion", "happy"))


@pytest.mark.parametrize("preset", ["best", "best_embedding"])
def test_grounds_are_pasted_where_words_leave_something_of_the_sticker_unsaid(preset):
    config = PRESETS[preset]
    assert config.pasted == 0.7 == dataclasses.replace(config, attributes=(("style", "flat"), *ALL_NAMED[1:])).pasted
    assert dataclasses.replace(config, attributes=(*ALL_NAMED[:2], ("emotion", ""))).pasted == 0.7
    assert dataclasses.replace(config, attributes=ALL_NAMED).pasted == 0
    assert dataclasses.replace(config, attributes=ALL_NAMED, augment_always=True).pasted == 0.7
    assert PRESETS["hiper-seal"].pasted == dataclasses.replace(PRESETS["hiper-seal"], attributes=ALL_NAMED).pasted > 0


def test_when_grounds_are_pasted_counts_only_where_it_is_said():
    """Files from before the choice existed keep their hash."""
    assert "augment_always" not in TrainConfig().effective()
    assert TrainConfig(augment=0.7).hash() != TrainConfig(augment=0.7, augment_always=False).hash()


@pytest.mark.parametrize("draws", [-1, 1, 3, 1025, 4.0])
def test_too_few_or_too_many_draws_to_describe_by(draws):
    with pytest.raises(SealError, match=r"^describe_draws:"):
        TrainConfig(describe_draws=draws)
    assert TrainConfig(describe_draws=4).describe_draws == 4 and TrainConfig().describe_draws == 0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"class_word": " "}, "class_word"),
        ({"class_word": "a" + "," * 60_000}, "class_word"),
        ({"concept": "<" + "," * 60_000 + ">"}, "concept"),
        ({"merge_at": float("nan")}, "merge_at"),
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


@pytest.mark.parametrize("field", ["start_percent", "end_percent"])
def test_no_number_is_no_time(field):
    with pytest.raises(SealError, match=f"^{field}: nan"):
        Layers("up", **{field: float("nan")})


def test_prompts_are_bounded():
    for templates in (("{}" + "," * 60_000,), ("{}",) * 60_000):
        with pytest.raises(SealError, match=r"^prompts: .* too many|^prompts: a line has 60002"):
            TrainConfig(templates=templates)


def test_hash_follows_every_setting_and_input():
    base = TrainConfig()
    assert base.hash("a") == TrainConfig().hash("a")
    changes = {"steps": 401, "seed": 1, "tokens": Tokens(split=4), "layers": Layers("up"), "templates": ("x {}",)}
    hashes = {dataclasses.replace(base, **{k: v}).hash("a") for k, v in changes.items()}
    assert len(hashes | {base.hash("a"), base.hash("b")}) == len(changes) + 2
