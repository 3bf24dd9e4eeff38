"""From a user's inputs to a training: presets stay presets, and node and command line agree."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from saved_workflows import TINY, nodes_of, read, widgets
from stand_ins import loaded_pack, schemas

from seal_core.cli import main as cli
from seal_core.cli.train_options import train_config
from seal_core.concept.concept import Concept
from seal_core.concept.settings import Layers
from seal_core.demo.sticker_files import built_in_sticker
from seal_core.demo.tuned_presets import for_sticker, tuned_preset
from seal_core.hosts.base import Family
from seal_core.messages import SealError
from seal_core.method.configure import TokenChoices, WeightChoices, changed, configure, in_words
from seal_core.method.presets import PRESETS
from seal_core.prompts.attributes import parse_attributes

NAN = float("nan")


def asked(preset="best", **inputs):
    return configure(preset, **{"name": "x", "class_word": "cat", **inputs})


def known(word="dog", **changes):
    family = Family("sd1", (("clip_l", 4),))
    return dataclasses.replace(Concept("<old>", word, {"clip_l": torch.zeros(1, 4)}, family), **changes)


@pytest.mark.parametrize("preset", PRESETS)
def test_untouched_inputs_are_the_preset(preset):
    """With an untouched tokens node and without: the same settings, the same hash, so the same file."""
    without, wired = asked(preset), asked(preset, tokens=TokenChoices())
    assert without == wired and without.hash("a") == wired.hash("a")
    named = dataclasses.replace(PRESETS[preset].tokens, concept="<x>", class_word="cat")
    assert wired == dataclasses.replace(PRESETS[preset], tokens=named)
    assert changed(preset, wired) == {} and str(TokenChoices()) == "as in the preset"


@pytest.mark.parametrize(("quality", "times"), [("quick", 0.5), ("normal", 1), ("thorough", 2)])
@pytest.mark.parametrize("preset", PRESETS)
def test_quality_is_how_long_the_preset_trains(preset, quality, times):
    config = asked(preset, quality=quality)
    assert config == dataclasses.replace(asked(preset), steps=round(times * PRESETS[preset].steps))
    assert asked(preset, quality=quality, steps=7) == asked(preset, steps=7), "steps that are given win"
    assert (config.hash() == asked(preset).hash()) == (quality == "normal")


def test_a_share_of_pasted_grounds_that_is_given_holds_whatever_is_named():
    named = {"emotion": "happy", "action": "running", "background": "beach"}
    assert asked(attributes=named).pasted == 0 and asked().pasted == 0.7
    assert asked(attributes=named, augment=0.4).pasted == 0.4 == asked(augment=0.4).pasted
    assert asked(augment=0.0).pasted == 0


def test_an_unknown_quality_is_refused():
    with pytest.raises(SealError, match=r"^quality: 'fast'.*quick, normal, thorough"):
        asked(quality="fast")


@pytest.fixture(scope="module")
def untouched():
    """Node -> input -> its default, from the schemas: what an untouched node sends."""
    with loaded_pack() as pack:
        return {s.node_id: {i.id: i.settings.get("default") for i in s.inputs} for s in schemas(pack)}


def test_the_tokens_nodes_defaults_change_nothing(untouched):
    defaults = untouched["SplitMergeTokenizer"]
    assert list(defaults) == [field.name for field in dataclasses.fields(TokenChoices)]
    assert TokenChoices(**defaults) == TokenChoices()


@pytest.mark.parametrize(
    ("choice", "field", "value"),
    [
        ({"split": 3}, "split", 3),
        ({"merge": "concat"}, "merge", "concat"),
        ({"merge_at": 0.0}, "merge_at", 0.0),
        ({"context_token": "on"}, "context_token", True),
        ({"init": "vocabulary"}, "init", "vocabulary"),
        ({"norm": "fixed"}, "norm", "fixed"),
    ],
)
def test_one_choice_changes_one_setting(choice, field, value):
    before, after = asked("textual_inversion"), asked("textual_inversion", tokens=TokenChoices(**choice))
    assert after == dataclasses.replace(before, tokens=dataclasses.replace(before.tokens, **{field: value}))
    assert changed("textual_inversion", after) == {f"tokens.{field}": value}
    assert field in str(TokenChoices(**choice))
    assert TokenChoices(context_token="off").applied_to(before.tokens) == before.tokens


@pytest.mark.parametrize(
    ("choice", "named"),
    [
        ({"split": 17}, "split"),
        ({"split": -1}, "split"),
        ({"merge": "max"}, "merge"),
        ({"merge_at": NAN}, "merge_at"),
        ({"merge_at": 1.5}, "merge_at"),
        ({"merge_at": -0.5}, "merge_at"),
        ({"context_token": "yes"}, "context_token"),
        ({"init": "zero"}, "init"),
        ({"norm": "unit"}, "norm"),
        ({"init": "described", "merge": "mean"}, "init"),
    ],
)
def test_bad_choices_name_the_input(choice, named):
    with pytest.raises(SealError, match=f"^{named}:"):
        TokenChoices(**choice)


WEIGHTS_NODE = {"rank": "rank", "alpha": "alpha", "parts": "parts", "kept": "kept", "rate": "learning_rate"}


def test_the_weights_nodes_defaults_change_nothing(untouched):
    defaults = untouched["SEALLowRankSpec"]
    names = [WEIGHTS_NODE.get(field.name, field.name) for field in dataclasses.fields(WeightChoices)]
    assert list(defaults) == names
    assert WeightChoices(*defaults.values()) == WeightChoices()
    for preset in PRESETS:
        assert asked(preset, weights=WeightChoices()) == asked(preset)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"rank": 4}, {"weights.rank": 4}),
        ({"rank": 2, "alpha": 8.0, "parts": "kv"}, {"weights.rank": 2, "weights.alpha": 8.0, "weights.parts": "kv"}),
        ({"rank": 2, "kept": 0.5, "rate": 0.1}, {"weights.rank": 2, "weights.kept": 0.5, "weights_rate": 0.1}),
        ({"rank": 2, "locality": 3.0}, {"weights.rank": 2, "weights_locality": 3.0}),
    ],
)
def test_weights_for_a_preset_without(choice, said):
    assert changed("paper", asked("paper", weights=WeightChoices(**choice))) == said


def test_weights_of_a_preset_changed_and_taken_away():
    mine = asked("best", weights=WeightChoices(rank=4))
    assert mine.weights == dataclasses.replace(PRESETS["best"].weights, rank=4)
    none = asked("best", weights=WeightChoices(rank=0))
    assert changed("best", none) == {"weights.rank": 0} and not none.weights.rank
    assert none.hash("a") != asked("best").hash("a")


@pytest.mark.parametrize(
    ("choice", "named"),
    [
        ({"rank": 257}, "rank"),
        ({"rank": -2}, "rank"),
        ({"alpha": NAN}, "alpha"),
        ({"alpha": -0.5}, "alpha"),
        ({"parts": "attn3"}, "parts"),
        ({"parts": ""}, "parts"),
        ({"kept": 1.5}, "kept"),
        ({"kept": -1.0}, "kept"),
        ({"rate": -1.0}, "weights_rate"),
        ({"locality": NAN}, "weights_locality"),
    ],
)
def test_bad_weights_name_the_input(choice, named):
    with pytest.raises(SealError, match=f"^{named}:"):
        asked("best", weights=WeightChoices(**choice))


def test_choices_that_do_not_go_with_the_preset():
    assert TokenChoices(init="described", split=8).changes() == {"init": "described", "split": 8}
    with pytest.raises(SealError, match=r"^init: described .*set merge to none"):
        asked("paper", tokens=TokenChoices(init="described"))


def test_name_concept_and_class_word():
    assert asked(name="my-cat").tokens.concept == "<my-cat>"
    tokens = asked(concept="  my   cat\n", class_word=" coffee  cup ").tokens
    assert (tokens.concept, tokens.class_word) == ("my cat", "coffee cup")
    assert asked(class_word="", resume=known()).tokens.class_word == "dog"
    assert asked(class_word="cat", resume=known()).tokens.class_word == "cat"
    for bad, named in (({"class_word": " "}, "class_word"), ({"name": "a b"}, "name"), ({"concept": "{}"}, "concept")):
        with pytest.raises(SealError, match=f"^{named}:"):
            asked(**bad)


def test_what_differs_from_the_preset():
    config = asked("paper", steps=20, seed=3, resolution=128, attributes={"emotion": "sad"}, layers=Layers("mid"))
    assert changed("paper", config) == {"steps": 20, "resolution": 128, "layers.sites": "mid"}
    assert in_words(changed("paper", config)) == "steps = 20, resolution = 128, layers.sites = mid"
    config = asked("best", prompts="a {}\n{} b", tokens=TokenChoices(context_token="off"))
    assert in_words(changed("best", config)) == "templates = 2 lines, tokens.context_token = off"
    assert in_words(dict.fromkeys("abcdefg", 1)) == "7 settings"


# What the node's inputs are called -> the command line's options
CASES = [
    {},
    {"preset": "paper", "concept": "<kit>", "steps": 7, "learning_rate": 0.1, "batch_size": 2, "resolution": 128},
    {"preset": "hiper", "seed": 3, "prompts": "a {}\n{} there", "attributes": {"emotion": "sad"}},
    {"preset": "textual_inversion", "attention_loss": "leak", "attention_weight": 0.5, "augment": 0.25},
    {"preset": "paper", "attention_loss": "none", "background_weight": 0.0, "layers": Layers("mid", 0.1, 0.9)},
    {"preset": "paper", "tokens": TokenChoices(3, "concat", 0.5, "off", "class_word", "fixed")},
    {"preset": "best", "class_word": "", "resume": known()},
    {"preset": "hiper-seal", "weights": WeightChoices(4, 2.0, "kv", 0.5, 0.01, 3.0)},
]
CALLED = {"rate": "weights_rate"}
"""Fields of WeightChoices -> the command line's names."""


def options_of(inputs):
    """The same inputs as arguments of `python -m seal_core train`."""
    given = {"name": "x", "class_word": "cat"} | inputs
    given.pop("resume", None)
    given |= dataclasses.asdict(given.pop("tokens", TokenChoices()))
    weights = dataclasses.asdict(given.pop("weights", WeightChoices()))
    given |= {CALLED.get(name, name): value for name, value in weights.items()}
    if "layers" in given:
        where = dataclasses.asdict(given.pop("layers"))
        given |= {"layers": where.pop("sites"), **where}
    if "attributes" in given:
        given["attributes"] = json.dumps(given["attributes"])
    arguments = ["train", "--model", "m", "--image", "a.png"]
    for name, value in given.items():
        values = value.splitlines() if name == "prompts" else [str(value)]
        arguments += (
            ["--" + name.replace("_", "-"), *values]
            if not str(value).startswith("-")
            else [f"--{name.replace('_', '-')}={value}"]
        )
    return cli.parser(arguments).parse_args(arguments)


@pytest.mark.parametrize("inputs", CASES)
def test_node_and_command_line_train_the_same(inputs):
    given = {"preset": "best", "name": "x", "class_word": "cat"} | inputs
    resume = given.get("resume")
    assert train_config(options_of(inputs), resume).effective() == configure(**given).effective()


def test_the_command_line_has_every_input_of_the_node(untouched):
    """Beside what only one of them needs."""
    inputs = set(untouched["SEALTrainEmbedding"])
    options = set(vars(options_of({})))
    only_node = {
        "clip",
        "vae",
        "tokens",
        "weights",
        "preview_prompt",
        "preview_every",
        "run_id",
        "reference_attributes",
    }
    assert {"class_word", "concept", "name", "preset"} < inputs
    assert inputs - options == only_node
    assert {field.name for field in dataclasses.fields(TokenChoices)} | {"attributes"} <= options
    assert {CALLED.get(field.name, field.name) for field in dataclasses.fields(WeightChoices)} <= options


def test_workflow_trains_what_the_demo_command_trains():
    """`python -m seal_core demo` and the workflow on the tiny model: the same settings for the same sticker."""
    graph = read(TINY)
    (model,), (train,) = nodes_of(graph, "SEALDemoModel"), nodes_of(graph, "SEALTrainEmbedding")
    shown = widgets(train)
    name = widgets(model)["example"]
    sticker = built_in_sticker(name)
    attributes = parse_attributes(json.dumps(dict(sticker.attributes)))  # what the node gives out
    ours = configure(
        **{k: shown[k] for k in ("preset", "name", "class_word", "steps", "learning_rate", "batch_size", "seed")},
        **{k: shown[k] for k in ("attention_loss", "attention_weight", "background_weight", "augment", "prompts")},
        resolution=128,
        attributes=attributes,
    )
    theirs = for_sticker(tuned_preset("best"), sticker.class_word, sticker.attributes, 128, shown["seed"])
    ours, theirs = ours.effective(), theirs.effective()
    assert ours["tokens"].pop("concept") != theirs["tokens"].pop("concept")
    # The tiny model's rate has no widget, and half of it does: a node for it would only stand in the way.
    assert ours.pop("weights_rate") == theirs.pop("weights_rate") / 2
    assert ours == theirs


def test_overrides():
    c = asked(
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
    assert asked("paper", attention_loss="none").attention_weight == 0
    assert asked("textual_inversion", attention_loss="leak", attention_weight=0.5).attention_weight == 0.5


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
        ({"background_weight": float("nan")}, "background_weight"),
        ({"augment": float("nan")}, "augment"),
        ({"background_weight": 1.5}, "background_weight"),
        ({"augment": -0.5}, "augment"),
        ({"prompts": "no slot here"}, "prompts"),
        ({"prompts": "{} and {}"}, "prompts"),
    ],
)
def test_bad_values_name_the_input(change, named):
    with pytest.raises(SealError, match=f"^{named}:"):
        asked("best", **change)


def test_unknown_preset():
    with pytest.raises(SealError, match="textual_inversion"):
        asked("fastest")
