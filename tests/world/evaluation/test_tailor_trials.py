"""Looks learned from twelve pictures, on a small random model and judges that look at colours."""

import argparse
import json

import pytest
import torch
from tiny_world import FakeSource

from seal_core.demo.animals import SPECIES
from seal_core.demo.attribute_values import VALUES
from seal_core.messages import SealError
from seal_core.world.evaluation import tailor_trials
from seal_core.world.evaluation.tailor_trials import METRICS, add_options, judged_prompts, run, tailor_case
from seal_core.world.judges.look_judge import LOOKS, fitted_look_judge
from seal_core.world.renderer.styles import UNSEEN

SEED = 20_000_000


@pytest.fixture(autouse=True)
def few_content_pictures(monkeypatch):
    monkeypatch.setattr(tailor_trials, "CONTENT_PICTURES", 2)


@pytest.fixture(scope="module")
def kit():
    return FakeSource().kit()


@pytest.fixture(scope="module")
def look(kit):
    return fitted_look_judge(kit, per_look=6, held_out=2)


@pytest.fixture
def command(kit, look, monkeypatch, tmp_path):
    """Runs the command on the small model with few pictures; returns what stands in tailor.json."""
    monkeypatch.setattr(tailor_trials, "TrialKitPaths", lambda *_: argparse.Namespace(kit=lambda: kit))
    monkeypatch.setattr(tailor_trials, "fitted_look_judge", lambda _: look)

    def call(*given):
        parser = argparse.ArgumentParser()
        add_options(parser)
        few = ["--values", "1", "--samples", "2", "--sets", "1", "--set", "steps=2", "--set", "batch_size=1"]
        run(parser.parse_args(["--out", str(tmp_path), *few, *given]))
        return json.loads((tmp_path / "tailor.json").read_text()), tmp_path

    return call


def test_the_look_judge_tells_what_it_was_fitted_to(kit, look):
    [unseen] = UNSEEN
    assert set(look.held_out) == set(LOOKS)
    assert all(0 <= share <= 1 for of in look.held_out.values() for share in of.values())
    case = tailor_case(kit, SEED, 1)
    probabilities = look(case.style)
    assert probabilities.shape == (12, len(LOOKS)) and torch.allclose(probabilities.sum(1), torch.ones(12), atol=1e-4)
    flat = look(torch.ones_like(case.style))[:, LOOKS.index(unseen)].mean()
    assert probabilities[:, LOOKS.index(unseen)].mean() > flat


def test_a_case_never_names_the_style_and_asks_for_one_attribute_each(kit):
    case = tailor_case(kit, SEED, 2)
    told = [*case.style_captions, *case.told_twice, *case.content_captions, *(ask[0] for ask in case.asks)]
    assert not any(style in text for text in told for style in (*VALUES["style"], *UNSEEN))
    assert len(case.style) == 12 and len(case.asks) == 8
    for short, twice in zip(case.style_captions, case.told_twice):
        assert twice.startswith(f"{short} | ") and len(twice) > 2 * len(short) + 3
    for text, species, name, value in case.asks:
        assert species in text and species in SPECIES and value in VALUES[name]
    same = torch.stack([case.style[0]] * 16)
    rows = judged_prompts(kit, lambda images: torch.eye(len(LOOKS))[[-1] * len(images)], case, same)
    assert all(row["look"] == 1 and abs(row["diversity"]) < 1e-5 for row in rows)


def test_every_kind_of_way_draws_and_a_rerun_adds_what_is_missing(command):
    some = "base;truth;sequential;plain fine-tuning;tailored, split 0.95, told twice, mirrored"
    found, out = command("--ways", "base;truth")
    kept = {p: p.stat().st_mtime_ns for p in out.glob("*.png")}
    assert len(kept) == 2 and set(found["look_judge"]) == set(LOOKS)
    found, _ = command("--ways", some)
    assert list(found["ways"]) == some.split(";") and all(set(row) == set(METRICS) for row in found["ways"].values())
    assert all(p.stat().st_mtime_ns == then for p, then in kept.items())
    assert len({p.read_bytes() for p in out.glob("*.png")}) == 5  # no way draws what another does


def test_an_unknown_way_is_named(command):
    with pytest.raises(SealError, match="ways: 'magic' is not known"):
        command("--ways", "magic")
