"""What is learned and saved is a matter of the settings: neither replay nor the wording of layers changes it."""

import dataclasses

import pytest
import torch
from quick import quick, reference
from tiny import tiny_pipe

from seal_core.concept.settings import Layers
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.method.initial_words import subject_errors
from seal_core.method.presets import PRESETS
from seal_core.method.training import Training, train

pytestmark = pytest.mark.usefixtures("few_words")


@pytest.fixture(scope="module")
def host():
    return DiffusersHost(tiny_pipe("sd1"))


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("sites", [None, "all"])
def test_what_is_learned_does_not_depend_on_the_replay(host, monkeypatch, preset, sites):
    """Step by step: also a patched model (no stages) and all layers see the data that the settings say."""
    config = quick(preset, steps=8)
    config = dataclasses.replace(config, layers=Layers(sites) if sites else config.layers)
    replayed = train(host, [reference()], config)
    monkeypatch.setattr(host, "stages", lambda: None)
    whole = train(host, [reference()], config)
    assert replayed.losses == pytest.approx(whole.losses, rel=1e-4)
    assert replayed.report["described"] == whole.report["described"]
    if config.pool:
        assert whole.report["pool"]["bytes"] == 0
        assert (replayed.report["pool"]["bytes"] > 0) == (sites is None)
    for name, vectors in replayed.concept.vectors.items():
        assert torch.allclose(vectors, whole.concept.vectors[name], atol=1e-3)


def test_the_data_are_those_of_the_settings_whatever_the_layers(host):
    for pool in (0, 4):
        seen = [
            Training(host, [reference()], quick("paper", layers=Layers(s), pool=pool)).examples for s in ("up", "all")
        ]
        one, other = ([d for _ in range(8) for d in draws.next(1).examples] for draws in seen)
        assert [(d.key, d.timestep, d.prompt) for d in one] == [(d.key, d.timestep, d.prompt) for d in other]
        assert all(torch.equal(d.noise, e.noise) for d, e in zip(one, other, strict=True))
        assert len({d.timestep for d in one}) == (4 if pool else 8)


def test_words_judged_without_a_prefix_leave_nothing_in_the_trainings_own(host):
    run = Training(host, [reference()], quick("paper"))
    judges = run.examples.spread(2, 0.1, 0.7)  # their keys are others' keys in the training's pool
    subject_errors(run.step, run.examples, "red cat", judges, None)
    assert run.step.prefix is not None and run.step.prefix.bytes == 0


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("all", "all"),
        ("down, mid, up", "all"),
        ("up", "up"),
        ("up.0-5, mid", "mid, up"),
        ("appearance", "up.3, up.4, up.5"),
    ],
)
def test_layers_are_saved_as_parts_and_all_stays_all(host, said, kept):
    result = train(host, [reference()], quick("textual_inversion", steps=1, layers=Layers(said)))
    assert result.concept.layers == Layers(kept)
    assert result.report["config"]["layers"]["sites"] == kept
