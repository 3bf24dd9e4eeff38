"""Trials and the evaluation around them, on a small random model and judges that look at colours."""

import argparse
import dataclasses
import importlib.util
import json
import os
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny_host import SIZE
from tiny_world import FakeSource

from seal_core.concept.concept import Concept
from seal_core.demo.attribute_values import SCENE
from seal_core.demo.tuned_presets import CONCEPT_NAME
from seal_core.messages import SealError
from seal_core.workers.engine import Engine
from seal_core.world.evaluation import trial_store
from seal_core.world.evaluation.character_plan import characters, plan_character
from seal_core.world.evaluation.command import add_options, evaluate, run
from seal_core.world.evaluation.compared_methods import method
from seal_core.world.evaluation.method_groups import parse_methods
from seal_core.world.evaluation.metrics import of_trial
from seal_core.world.evaluation.trial import Setup, _attention, _pictures, run_trial
from seal_core.world.evaluation.trial_kit import TrialKitPaths
from seal_core.world.evaluation.trial_store import Evaluation
from seal_core.world.renderer.characters import character

SETUP = Setup(prompts=8, samples=1, sampling_steps=2, cfg=3.0)
REQUIRED = ("identity", "controllability", *SCENE, "leakage", "rigidity", "seconds")
SEED = 20_000_000


@pytest.fixture(scope="module")
def kit():
    return FakeSource().kit()


@pytest.fixture
def known(kit, few_words, monkeypatch):
    """A source that hands out one kit."""
    monkeypatch.setattr(FakeSource, "kit", lambda self: kit)
    return FakeSource()


def names(*wanted, steps=2):
    return [method(n).limited(steps) for n in ("base", "oracle", *wanted)]


def quick(out, source, count=1, setup=SETUP):
    return Evaluation(out, characters("validation", count), setup, source)


# -- trials --------------------------------------------------------------------------------------------


def test_all_methods_answer_from_the_same_noise(kit):
    """A concept whose vectors are the class word's own paints what the base model paints."""
    plan, who = plan_character(SEED, 8, 2), character(SEED)
    host = kit.host
    vectors = {e: host.vocabulary(e)[host.token_ids(e, who.species)].float() for e in host.family.encoders}
    concept = Concept(CONCEPT_NAME, who.species, vectors, host.family)
    base = _pictures(host, None, plan, who.species, SETUP)
    assert base.shape == (16, SIZE, SIZE, 3)
    assert torch.allclose(base, _pictures(host, concept, plan, CONCEPT_NAME, SETUP), atol=1e-4)
    louder = dataclasses.replace(concept, vectors={e: v.flip(-1) for e, v in vectors.items()})
    assert (base - _pictures(host, louder, plan, CONCEPT_NAME, SETUP)).abs().max() > 1e-3


def test_a_snapshot_is_the_shorter_training(kit):
    curve = dataclasses.replace(method("textual_inversion").limited(4), snapshots=(2, 4))
    long, _ = run_trial(kit, curve, SEED, SETUP)
    short, _ = run_trial(kit, method("textual_inversion").limited(2), SEED, SETUP)
    assert set(long["snapshots"]) == {"2", "4"}
    assert long["snapshots"]["2"] == short["samples"] and long["snapshots"]["4"] == long["samples"]
    assert of_trial(long, long["snapshots"]["2"]) | {"seconds": 0} == of_trial(long, short["samples"]) | {"seconds": 0}


def test_attention_is_looked_at_where_the_token_enters(kit):
    trial, strip = run_trial(kit, method("paper~pool=4").limited(6), SEED, SETUP)
    assert strip.shape == (SIZE, 8 * SIZE, 3) and strip.dtype == "uint8"
    assert set(trial["attention"]["sites"]) == {f"up.{i}" for i in range(6)}
    assert all(0 <= v <= 1 for shares in trial["attention"]["sites"].values() for v in shares)
    base, _ = run_trial(kit, method("base"), SEED, SETUP)
    assert len(base["attention"]["sites"]) == len(kit.host.sites()) == 10
    tail, _ = run_trial(kit, method("hiper").limited(2), SEED, SETUP)
    assert 0 < tail["attention"]["outside"] < 1
    json.dumps([trial, base, tail], allow_nan=False)


def test_even_attention_leaks_what_the_ground_covers(kit):
    """Zero queries attend evenly, so the share outside is the ground's share of the picture."""
    from seal_core.method.references import Reference

    host, mask = kit.host, torch.zeros(SIZE, SIZE)
    mask[:, :16] = 1
    weights = [site.module.to_q.weight for site in host.sites()]
    kept = [w.detach().clone() for w in weights]
    try:
        for w in weights:
            w.data.zero_()
        found = _attention(host, None, "cat", Reference(torch.rand(SIZE, SIZE, 3), mask), 0)
    finally:
        for w, old in zip(weights, kept):
            w.data.copy_(old)
    assert found["outside"] == pytest.approx(0.75, abs=1e-3)


def test_the_oracle_obeys_and_needs_no_model():
    kit, setup = FakeSource(with_model=False).kit(), dataclasses.replace(SETUP, samples=2)
    trial, _ = run_trial(kit, method("oracle"), SEED, setup)
    assert len(trial["samples"]) == 16 and trial["seconds"] == 0
    plain = [s for s in trial["samples"] if s["iou"] is not None]
    assert plain and all(0 < s["iou"] < 1 for s in plain)
    assert of_trial(trial)["identity"] > 0.3


# -- evaluation ----------------------------------------------------------------------------------------


def test_results_have_the_promised_form(tmp_path, known):
    wanted = names("textual_inversion", "best", "best-without-layers", "curve-hiper", "grid-all@0-1", "grid-up@0.2-1")
    evaluation = quick(tmp_path, known, 2)
    evaluate(evaluation, wanted, {"split": "validation"}, steps=2)
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results) == {"methods", "config"}
    assert set(results["methods"]) == {m.name for m in wanted} - {"curve-hiper"}
    for row in results["methods"].values():
        for metric in REQUIRED:
            value = row[metric]
            assert set(value) == {"mean", "lo", "hi"} and value["lo"] <= value["mean"] <= value["hi"]
    assert results["methods"]["grid-all@0-1"] == results["methods"]["textual_inversion"]
    assert results["methods"]["base"]["leakage"] == {"mean": 0, "lo": 0, "hi": 0}
    assert results["config"]["methods"]["best"]["words"] and results["config"]["characters"] == [SEED, SEED + 1]
    details = json.loads((tmp_path / "details.json").read_text())
    assert [p["steps"] for p in details["curves"]["curve-hiper"]][-1] == 4
    assert "textual_inversion" in details["differences"]["best"] and "in best" in details["components"]["layers"]
    report = (tmp_path / "report.md").read_text()
    for words in ("SEAL best", "What each component buys", "Sites and times", "Along the steps", "identity scaled"):
        assert words in report
    figures = sorted(p.name for p in (tmp_path / "figures").iterdir())
    assert {"bars.png", "curves.png", "attention-best.png", "grid-leakage.png", f"samples-{SEED}.png"} <= set(figures)
    for name in figures:
        with Image.open(tmp_path / "figures" / name) as picture:
            assert min(picture.size) > 100 and name in report
    assert len(list((tmp_path / "concepts").glob("*.json"))) == 2 * (len(wanted) - 1), "one training, two names"


def test_a_rerun_continues_and_keeps_what_is_finished(tmp_path, known, monkeypatch):
    evaluation = quick(tmp_path, known)
    evaluate(evaluation, names("textual_inversion"), {}, steps=2)
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "concepts").iterdir()}
    victim = next((tmp_path / "concepts").glob("*.base.*"))
    whole = victim.read_text()
    victim.write_text(whole[: len(whole) // 2])
    (tmp_path / "concepts" / f".{victim.name}.ab12.part").write_text("{")
    done = []
    monkeypatch.setattr(trial_store, "run_trial", lambda *a: done.append(a[1].name) or run_trial(*a))
    again = quick(tmp_path, known)
    results = evaluate(again, names("hiper"), {}, steps=2)
    assert done == ["base", "hiper"] and victim.read_text() == whole
    assert len(again.notes) == 1 and victim.name in again.notes[0]
    assert again.notes[0] in (tmp_path / "report.md").read_text()
    assert set(results["methods"]) == {"base", "oracle", "hiper", "textual_inversion"}, "earlier methods stay"
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "concepts").iterdir()}
    assert all(after[name] == at for name, at in before.items() if name != victim.name)


def test_other_settings_make_other_files(tmp_path, known):
    one, two = quick(tmp_path, known), quick(tmp_path, known, setup=dataclasses.replace(SETUP, cfg=5.0))
    three = quick(tmp_path, FakeSource(version="2"))
    files = {e.file(e.task(method("best").limited(steps), SEED)) for e in (one, two, three) for steps in (2, 3)}
    assert len(files) == 6


def test_a_trial_that_fails_stops_no_other(tmp_path, known, monkeypatch):
    def trial(kit, chosen, seed, setup):
        if chosen.name == "hiper" and seed == SEED + 1:
            raise SealError("training: the loss is not finite at step 1 of 2.")
        return run_trial(kit, chosen, seed, setup)

    monkeypatch.setattr(trial_store, "run_trial", trial)
    with pytest.raises(SealError, match=r"hiper.*not finite"):
        evaluate(quick(tmp_path, known, 2), names("hiper"), {}, steps=2)
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results["methods"]) == {"base", "oracle"}
    assert "left out" in (tmp_path / "report.md").read_text()


def test_processes_give_what_one_gives(tmp_path):
    source = FakeSource(with_model=False)
    runs = [
        quick(tmp_path / str(jobs), source, 3).finish([method("oracle")], Engine(jobs), quiet=True) for jobs in (1, 2)
    ]
    assert runs[0] == runs[1] and len(runs[1]["oracle"]) == 3


@pytest.mark.slow
def test_every_engine_writes_the_same_results(tmp_path, monkeypatch):
    """results.json of a character that is learned and drawn, but for the seconds: here, in processes, on Ray."""
    root = Path(__file__).parents[3]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(root / "tests/support")]))
    engines = {"here": Engine(1), "processes": Engine(2)}
    if importlib.util.find_spec("ray"):
        engines["ray"] = Engine(2, "local")
    found = {}
    for name, engine in engines.items():
        evaluate(quick(tmp_path / name, FakeSource()), names("textual_inversion", "hiper"), {}, engine, steps=2)
        results = json.loads((tmp_path / name / "results.json").read_text())
        for row in results["methods"].values():
            assert set(row.pop("seconds")) == {"mean", "lo", "hi"}
        assert set(results["methods"]) == {"base", "oracle", "textual_inversion", "hiper"}
        found[name] = results
    assert all(results == found["here"] for results in found.values())


# -- bad input -----------------------------------------------------------------------------------------


def options(*given):
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(list(given))


@pytest.mark.parametrize(
    "given, words",
    [
        (["--methods", "magic"], "methods: 'magic'"),
        (["--concepts", "0"], "concepts: 0"),
        (["--seed-offset", "-1"], "seed-offset: -1"),
        (["--prompts", "3"], "prompts: 3"),
        (["--samples", "0"], "samples: 0"),
        (["--jobs", "0"], "jobs: 0"),
        (["--steps", "-4"], "steps: -4"),
        (["--model", "/nowhere/tiny.safetensors"], "model: /nowhere.*train"),
    ],
)
def test_bad_options_name_themselves(tmp_path, given, words):
    with pytest.raises(SealError, match=words):
        run(options("--out", str(tmp_path / "new"), *given))
    assert not list(tmp_path.rglob("*.json"))


def test_a_damaged_judges_file_is_told_before_anything_is_trained(tmp_path):
    bad = tmp_path / "judges.safetensors"
    bad.write_bytes(b"not a file")
    with pytest.raises(SealError, match="judges: "):
        TrialKitPaths(judges=bad).kit()
    with pytest.raises(SealError, match="out: "):
        quick(bad, FakeSource())


def test_another_evaluation_in_the_folder_is_in_nobodys_way(tmp_path, known):
    (tmp_path / "concepts" / ".probe").mkdir(parents=True)  # a name that both would use
    quick(tmp_path, known)
    assert [p.name for p in (tmp_path / "concepts").iterdir()] == [".probe"]


def test_the_options_fit_the_issue(tmp_path):
    smaller = ("--concepts", "2", "--prompts", "8", "--samples", "1", "--methods", "base,best")
    found = options("--out", str(tmp_path), *smaller)
    assert [m.name for m in parse_methods(found.methods)] == ["base", "oracle", "best"]
    assert found.split == "validation" and found.device == "cpu" and found.jobs == 1
