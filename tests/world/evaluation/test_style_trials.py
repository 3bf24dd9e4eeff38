"""Restyling against the renderer's truth, on a small random model and judges that look at colours."""

import argparse
import json

import pytest
import torch
from tiny_world import FakeSource

from seal_core.demo.attribute_values import VALUES
from seal_core.hosts.base import Prompt
from seal_core.messages import SealError
from seal_core.world.evaluation import style_trials
from seal_core.world.evaluation.style_trials import METRICS, add_options, case_of, judged, run
from seal_core.world.evaluation.style_ways import WAYS
from seal_core.world.judges.look_judge import LOOKS

SEED = 20_000_000


@pytest.fixture(scope="module")
def kit():
    return FakeSource().kit()


@pytest.fixture
def command(kit, monkeypatch, tmp_path):
    """Runs the command on the small model; returns what stands in style.json."""
    monkeypatch.setattr(style_trials, "TrialKitPaths", lambda *_: argparse.Namespace(kit=lambda: kit))

    def call(*given):
        parser = argparse.ArgumentParser()
        add_options(parser)
        run(parser.parse_args(["--out", str(tmp_path), "--steps", "2", *given]))
        return json.loads((tmp_path / "style.json").read_text())["ways"], tmp_path

    return call


def test_truth_is_the_content_in_the_asked_style_and_judged_as_such(kit):
    null = kit.host.encode([Prompt("")], {})
    case = case_of(kit, SEED, "comic book", null)
    assert case.scene.style == "flat vector" and case.content.inside[0] and case.source.inside[0]
    assert case.truth.shape == case.content.image.shape and not torch.equal(case.truth, case.content.image)
    found = judged(kit, case, case.truth)
    assert set(found) == set(METRICS) - {"seconds"} and found["identity"] == pytest.approx(1, abs=1e-4)
    read = kit.judges.classify(case.truth[None])["style"][0].argmax()
    assert found["style"] == float(VALUES["style"][int(read)] == "comic book")


def test_an_unseen_style_is_read_by_its_own_judge(command, monkeypatch):
    seen = []

    def always(images):
        seen.append(len(images))
        return torch.eye(len(LOOKS))[[-1]]

    monkeypatch.setattr(style_trials, "fitted_look_judge", lambda kit: always)
    found, _ = command("--pictures", "1", "--ways", "content;truth", "--unseen")
    assert seen == [1, 1] and found["content"]["style"]["mean"] == found["truth"]["style"]["mean"] == 1
    assert found["content"]["identity"]["mean"] < 1


def test_every_way_draws_a_picture_and_a_rerun_adds_what_is_missing(command):
    some = "content;truth;AdaIN"
    found, out = command("--pictures", "2", "--ways", some)
    assert list(found) == some.split(";") and found["truth"]["identity"]["mean"] == pytest.approx(1, abs=1e-4)
    kept = {p: p.stat().st_mtime_ns for p in out.glob("*.png")}
    assert len(kept) == 6
    found, _ = command("--pictures", "1")
    assert set(found) == set(WAYS) and all(set(row) == set(METRICS) for row in found.values())
    assert all(p.stat().st_mtime_ns == then for p, then in kept.items())
    pictures = {p.read_bytes() for p in out.glob(f"{SEED}.*.png")}
    assert len(pictures) == len(WAYS)  # no way draws what another does


def test_regions_are_measured_against_the_true_ones(command, tmp_path, capsys):
    with pytest.raises(FileNotFoundError):  # no restyling is done
        command("--pictures", "2", "--regions")
    found = json.loads((tmp_path / "regions.json").read_text())
    assert set(found) >= {"features, mask", "features", "latents alone, mask, subject"}
    assert all(-1 <= v["lo"] <= v["mean"] <= v["hi"] <= 1 for v in found.values())
    assert "| features, mask |" in capsys.readouterr().out


def test_an_unknown_way_is_refused(command):
    with pytest.raises(SealError, match="ways: 'magic' is not known"):
        command("--ways", "magic")
