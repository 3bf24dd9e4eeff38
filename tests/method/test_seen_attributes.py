"""What else a sticker shows, named by the model itself: on the model that ships, and what a training makes of it."""

import dataclasses

import pytest
import torch
from quick import quick, reference
from tiny import tiny_pipe

from seal_core.demo.model import host as host_of
from seal_core.demo.model import load_model
from seal_core.demo.sticker_files import built_in_sticker
from seal_core.demo.tuned_presets import for_sticker, tuned_preset
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.method import training
from seal_core.method.config import TrainConfig
from seal_core.method.references import Reference
from seal_core.method.results import found_in_words
from seal_core.method.seen_attributes import SeenAttributes, most_candidates, see_attributes, unsaid
from seal_core.method.training import Training, train

ALL = {"action": "running", "background": "beach", "emotion": "happy"}


@pytest.fixture(scope="module")
def host():
    return DiffusersHost(tiny_pipe("sd1"))


@pytest.fixture(scope="module")
def tiny():
    return host_of(load_model())


def shown(name="orange cat, running on a beach"):
    sticker = built_in_sticker(name)
    image, mask = (torch.as_tensor(a).float() / 255 for a in (sticker.image, sticker.mask))
    return sticker, Reference(image, mask)


def run_of(tiny, **given):
    sticker, picture = shown()
    config = for_sticker(tuned_preset("best"), sticker.class_word, given, 128, 0)
    return Training(tiny, [picture], config), sticker


def test_the_tiny_model_sees_what_its_sticker_shows(tiny):
    run, sticker = run_of(tiny)
    assert run.looks_for and set(ALL) == set(unsaid(run.config))
    heard = []
    seen = see_attributes(run.step, run.examples, run.config, heard.append)
    assert seen.attributes == {name: sticker.attributes[name] for name in ALL}
    assert 0 < len(heard) <= most_candidates(run.config)
    assert heard[0] == "" and heard[-1] == f"{seen.attributes['background']} background, {seen.attributes['action']}"
    assert all(part["sigmas"] > 1.5 and part["accepted"] for part in seen.parts.values())
    assert seen.passes < 3 * 24 * 48
    assert run._name(seen.attributes) == seen.attributes
    assert all(" background" in p.text and seen.attributes["emotion"] in p.text for p in run.examples.prompts())
    assert not any(view.background for view in run.examples.views), "nothing is pasted where words say it all"


def test_what_is_given_is_not_looked_for(tiny):
    run, sticker = run_of(tiny, emotion="sad", background="plain white")
    assert unsaid(run.config) == ("action",)
    seen = see_attributes(run.step, run.examples, run.config)
    assert list(seen.parts) == ["action"]
    named = run._name(seen.attributes)
    assert all("sad" in p.text and "plain white" in p.text for p in run.examples.prompts())
    assert named == {"action": sticker.attributes["action"]}
    assert not run_of(tiny, **ALL)[0].looks_for
    assert unsaid(TrainConfig()) == () and most_candidates(TrainConfig()) == 0


def test_a_notice_may_cancel(tiny):
    run, _ = run_of(tiny)

    def cancel(text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        see_attributes(run.step, run.examples, run.config, cancel)


def test_a_picture_without_a_ground_has_none_to_name(host):
    whole = dataclasses.replace(reference(), mask=torch.ones(64, 64))
    run = Training(host, [whole], quick("best", sees=True, describe_draws=4))
    assert "background" not in see_attributes(run.step, run.examples, run.config).parts


@pytest.mark.usefixtures("few_words")
def test_what_was_seen_is_learned_as_if_it_had_been_given(host, monkeypatch):
    monkeypatch.setattr(training, "see_attributes", lambda *_: SeenAttributes(ALL, {}, 7))
    seen = train(host, [reference()], quick("best", sees=True))
    monkeypatch.undo()
    given = train(host, [reference()], quick("best", attributes=tuple(sorted(ALL.items()))))
    assert seen.losses == given.losses
    assert seen.report["seen"] == {"attributes": ALL, "parts": {}, "passes": 7} and given.report["seen"] is None
    assert seen.report["config"]["attributes"] == [], "what was asked for stays: its hash finds the file again"
    assert found_in_words(seen.report).endswith("; running, beach background, happy")
    assert found_in_words({"described": None}) == "", "a file of an older version"


@pytest.mark.usefixtures("few_words")
def test_words_that_do_not_fit_are_left_out(host, monkeypatch):
    """From the last one found on, so that a long prompt of the user's stays as it is."""
    long = ("a sticker of {}, " + "very " * 3 + "nice",)
    monkeypatch.setattr(
        training, "see_attributes", lambda *_: SeenAttributes({"emotion": "happy", "action": "very " * 40 + "calm"})
    )
    result = train(host, [reference()], quick("best", sees=True, templates=long, steps=2))
    assert result.report["seen"]["attributes"] == {"emotion": "happy"}


def test_captions_say_it_already(host):
    told = dataclasses.replace(reference(), caption="a sticker of {concept}, sad")
    assert not Training(host, [told], quick("best", sees=True)).looks_for
