"""The judges: networks and file, pictures, degradations, training, figures. Pictures here are coloured blobs."""

import random
import types
from argparse import ArgumentParser
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seal_core.demo.attribute_values import VALUES
from seal_core.messages import SealError
from seal_core.world.judges import judge_report, train_judges
from seal_core.world.judges import training_pictures as judge_data
from seal_core.world.judges.degradations import DEGRADATIONS, mixed
from seal_core.world.judges.judge_networks import HEADS, JUDGES_FILE, SIZE, JudgeLayout, JudgeNetwork, Judges
from seal_core.world.renderer import seeds
from seal_core.world.renderer.characters import character
from seal_core.world.renderer.drawing_colours import COLOURS
from seal_core.world.renderer.scenes import Scene

SMALL = {
    "classifier": JudgeLayout(sum(len(v) for v in HEADS.values()), patch=4, widths=(8, 8), hidden=16),
    "encoder": JudgeLayout(8, patch=4, widths=(8, 8), hidden=16),
}


SNOWY = Scene("sad", "running", "close-up", "pixel art", "snowy")


def blob(who, scene, seed):
    """A stub of the renderer: a square in the character's colour on a ground that is dark or light."""
    image = np.full((SIZE, SIZE, 3), 20 * VALUES["background"].index(scene.background), np.uint8)
    image[40:90, 40:90] = COLOURS[who.main]
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[40:90, 40:90] = 255
    return types.SimpleNamespace(image=image, mask=mask)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(train_judges, "LAYOUTS", SMALL)
    monkeypatch.setattr(judge_data, "CHARACTERS", 16)


def judges(seed=0):
    torch.manual_seed(seed)
    networks = (JudgeNetwork(SMALL[name]).eval().requires_grad_(False) for name in ("classifier", "encoder"))
    return Judges(*networks, {"made": "for a test"})


def test_what_the_judges_give():
    ours, images = judges(), torch.rand(70, SIZE, SIZE, 3)
    read = ours.classify(images)
    assert list(read) == [*VALUES, "species", "main", "second", "pattern", "accessory", "accessory_colour"]
    for name, values in HEADS.items():
        assert read[name].shape == (70, len(values))
        torch.testing.assert_close(read[name].sum(1), torch.ones(70))
    who = ours.identity(images)
    assert who.shape == (70, 8) and who.dtype == torch.float32
    torch.testing.assert_close(who.norm(dim=1), torch.ones(70))
    masks = torch.ones(70, SIZE, SIZE)
    torch.testing.assert_close(ours.identity(images, masks), who)
    other = images.clone()
    other[:, :50] = 0
    masks[:, :50] = 0
    torch.testing.assert_close(ours.identity(other, masks), ours.identity(images, masks))
    assert ours.classify(images[:0])["emotion"].shape == (0, 6)
    large = images[:2].repeat_interleave(2, 1).repeat_interleave(2, 2)
    torch.testing.assert_close(ours.identity(large), ours.identity(images[:2]), atol=0.2, rtol=0)


def test_bad_pictures():
    with pytest.raises(SealError, match=r"images: .* is not \(B, H, W, 3\)"):
        judges().classify(torch.zeros(1, 3, 8, 8))
    with pytest.raises(SealError, match="not finite"):
        judges().identity(torch.full((1, 8, 8, 3), torch.nan))
    with pytest.raises(SealError, match="masks: "):
        judges().identity(torch.zeros(2, 8, 8, 3), torch.zeros(1, 8, 8))


def test_file(tmp_path):
    ours, images = judges(), torch.rand(4, SIZE, SIZE, 3)
    path = tmp_path / "judges.safetensors"
    ours.save(path)
    again = Judges.load(path)
    assert again.card["made"] == "for a test"
    torch.testing.assert_close(again.identity(images), ours.identity(images), atol=5e-3, rtol=0)
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.safetensors", "judges.safetensors"]


def test_bad_files(tmp_path, monkeypatch):
    path = tmp_path / "judges.safetensors"
    with pytest.raises(SealError, match=r"judges: .*no file.*python -m seal_core\.world judges"):
        Judges.load(path)
    judges().save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SealError, match="judges: "):
        Judges.load(path)
    path.write_bytes(data)
    monkeypatch.setattr("seal_core.world.judges.judge_networks.HEADS", {**HEADS, "emotion": ("glad",)})
    with pytest.raises(SealError, match="trained for other values of emotion"):
        Judges.load(path)


def test_folding_changes_nothing():
    torch.manual_seed(0)
    network = JudgeNetwork(JudgeLayout(5, widths=(8, 12, 16), hidden=8), norm=True)
    for _ in range(3):
        network(torch.rand(8, 3, SIZE, SIZE))
    images = torch.rand(4, 3, SIZE, SIZE)
    torch.testing.assert_close(network.folded()(images), network.eval()(images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", [*DEGRADATIONS, "mixed"])
def test_degradations(name):
    degrade = DEGRADATIONS.get(name, mixed)
    images = F.interpolate(torch.rand(9, 3, 16, 16, generator=torch.Generator().manual_seed(1)), (SIZE, SIZE))

    def at(strength):
        return degrade(images, strength, torch.Generator().manual_seed(3))

    assert at(1.0).shape == images.shape and torch.equal(at(1.0), at(1.0))
    assert float(at(1.0).min()) >= 0 and float(at(1.0).max()) <= 1
    near, far = ((at(s) - images).abs().mean() for s in (0.0, 1.0))
    assert near < (0.05 if name == "jpeg" else 1e-5 if name != "mixed" else 0.04) and far > near + 0.002


def test_records():
    found = judge_data.records(range(seeds.JUDGE.start, seeds.JUDGE.start + 3), 2, blob)
    assert np.array_equal(found, judge_data.records(range(seeds.JUDGE.start, seeds.JUDGE.start + 3), 2, blob))
    assert not np.array_equal(found["label"][0, :5], found["label"][1, :5])  # scenes differ,
    traits = list(HEADS)[5:]
    for i, record in enumerate(found):  # characters stay
        seed = seeds.JUDGE.start + i // 2
        who = character(seed, **character(seed - 1).traits()) if seed % 2 else character(seed)  # every second is a twin
        for name, index in zip(traits, record["label"][5:]):
            assert index < 0 or HEADS[name][index] == getattr(who, name)
    alpha = judge_data.masks(found)
    assert alpha[0, 60, 60] == 1 and alpha[0, 0, 0] == 0 and alpha.sum() == 6 * 50 * 50
    assert judge_data.pictures(found).shape == (6, 3, SIZE, SIZE)


def test_what_a_picture_can_tell():
    scene = SNOWY
    who = character(1, pattern="plain", accessory="nothing")
    told = judge_data.seen(who, scene)
    assert "action" not in told and "second" not in told and "accessory_colour" not in told
    assert told["accessory"] == "nothing" and told["emotion"] == "sad"
    assert judge_data.seen(who, scene.but(camera="wide shot"))["action"] == "running"


def test_nobody_sees_others_characters(tmp_path):
    cache = judge_data.RenderCache(tmp_path, blob)
    trained, held = cache.seeds(5), cache.seeds(0, held_out=True)
    assert trained[-1] < held[0] and held[0] == seeds.JUDGE.stop - 1_000_000
    for other in (seeds.TRAIN, seeds.VALIDATION, seeds.TEST, seeds.EXAMPLES):
        assert trained[0] not in other and held[-1] not in other
    assert cache.seeds(0) != cache.seeds(1)
    with pytest.raises(SealError, match="past the judges' characters"):
        cache.seeds(10**6)


def test_cache(tmp_path, small):
    cache = judge_data.RenderCache(tmp_path, blob)
    with cache.grow(2, 0):
        assert cache.ready(3) == [0, 1]
    chunk = cache.load(1)
    assert len(chunk) == 16 * judge_data.POSES and cache.load(1)["label"].tolist() == chunk["label"].tolist()
    assert judge_data.renderer_fingerprint(blob) != judge_data.renderer_fingerprint(lambda who, *_: blob(who, SNOWY, 0))
    cache.path(0).write_bytes(b"half")
    with pytest.raises(SealError, match="delete it"):
        cache.load(0)


def test_losses_by_hand():
    logits = torch.zeros(2, SMALL["classifier"].outputs)
    truth = torch.full((2, len(HEADS)), -1)
    assert float(train_judges.classifier_loss(logits, truth)) == 0
    truth[0, 0] = 2
    total = sum(train_judges.WEIGHTS.get(name, 1.0) for name in HEADS)
    expected = train_judges.WEIGHTS["emotion"] * np.log(6) / total
    assert float(train_judges.classifier_loss(logits, truth)) == pytest.approx(expected, rel=1e-5)

    vectors = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    found = train_judges.contrastive_loss(vectors, torch.tensor([0, 0, 1, 1]), temperature=0.5)
    assert float(found) == pytest.approx(-np.log(np.exp(2) / (np.exp(2) + 2)), rel=1e-5)


def source(folder):
    cache = judge_data.RenderCache(folder, blob)
    with cache.grow(1, 0):
        return train_judges.RecordSampler(cache, 1, np.random.default_rng(0))


@pytest.mark.parametrize("name", ["classifier", "encoder"])
def test_training_continues_where_it_stopped(tmp_path, small, monkeypatch, name):
    monkeypatch.setattr(train_judges, "SAVE_EVERY", 2)
    pictures = source(tmp_path)
    stage = train_judges.JudgeStage(name, steps=4, batch=16)
    whole, _ = train_judges.train_stage(stage, pictures, tmp_path / "whole.pt", quiet=True)

    step, count = train_judges.STEPS[name], iter(range(99))

    def stops(*given):
        if next(count) == 3:
            raise KeyboardInterrupt
        return step(*given)

    monkeypatch.setattr(train_judges, "STEPS", {name: stops})
    with pytest.raises(KeyboardInterrupt):
        train_judges.train_stage(stage, pictures, tmp_path / "parts.pt", quiet=True)
    assert torch.load(tmp_path / "parts.pt", weights_only=True)["step"] == 2
    again, _ = train_judges.train_stage(stage, pictures, tmp_path / "parts.pt", quiet=True)
    assert next(count) == 6  # three, the one that stopped, then steps 3 and 4
    for ours, theirs in zip(again.parameters(), whole.parameters()):
        torch.testing.assert_close(ours, theirs)
    longer, _ = train_judges.train_stage(replace(stage, steps=7), pictures, tmp_path / "parts.pt", quiet=True)
    assert next(count) == 10 and not torch.equal(longer.out.weight, again.out.weight)
    state = torch.load(tmp_path / "parts.pt", weights_only=True)
    assert (state["step"], state["cycle"], state["schedule"]["last_epoch"]) == (7, 4, 3)
    (tmp_path / "parts.pt").write_bytes(b"half")
    with pytest.raises(SealError, match=r"parts\.pt is damaged"):
        train_judges.train_stage(stage, pictures, tmp_path / "parts.pt", quiet=True)


def test_pairs_are_of_one_character(tmp_path, small):
    pictures = source(tmp_path)
    pictures.refresh()
    for _ in range(4):
        found = pictures.characters(6)
        traits = found["label"][:, 5:].reshape(-1, train_judges.PAIR, len(HEADS) - 5)
        assert (traits == traits[:, :1]).all()
        pairs = found["image"].reshape(-1, train_judges.PAIR, *found["image"].shape[1:])
        assert (pairs[:, 0] != pairs[:, 1]).any()


def test_round_trips_join(tmp_path, small, monkeypatch):
    monkeypatch.setattr(judge_data, "round_trip", lambda path: (lambda images, *_: images * 0 + 1, "white"))
    pictures = source(tmp_path)
    pictures.decode(1, tmp_path, quiet=True)
    pictures.refresh()
    assert len(pictures.records) == 64 and (tmp_path / pictures.cache.folder.name / "decoded-white-0000.npy").exists()
    found = pictures.any(64)
    white = (found["image"] == 255).all((1, 2, 3))
    assert 16 < white.sum() < 48 and found["label"].shape == (64, len(HEADS))
    assert not (pictures.records["image"] == 255).all((1, 2, 3)).any()


def test_auc_and_calibration_by_hand():
    assert judge_report.auc(torch.tensor([3.0, 2.0]), torch.tensor([1.0, 0.0])) == 1
    assert judge_report.auc(torch.tensor([3.0, 0.5]), torch.tensor([1.0, 0.0])) == 0.75
    read = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.5, 0.5]])
    truth = torch.tensor([0, 1, 1, -1])
    assert judge_report._calibration(read, truth) == pytest.approx((0.4 * 2 + 0.3) / 3, abs=1e-4)
    assert judge_report._confusion(read, truth, 2) == [[1, 0], [1, 1]]
    assert judge_report._accuracy(read, truth) == pytest.approx(2 / 3, abs=1e-4)


def test_command(tmp_path, small, monkeypatch, capsys):
    cache = judge_data.RenderCache
    monkeypatch.setattr(train_judges, "RenderCache", lambda folder: cache(folder, blob))
    monkeypatch.setattr(judge_report, "_DEGRADED", 16)
    monkeypatch.setattr(judge_report, "STRENGTHS", (1.0,))
    monkeypatch.setattr(train_judges, "MODEL_FILE", tmp_path / "none")
    parser = ArgumentParser()
    train_judges.add_options(parser)
    out = tmp_path / "judges.safetensors"
    given = ["--out", str(out), "--cache", str(tmp_path), "--chunks", "1", "--held-out", "1", "--steps", "2", "--quiet",
             "--identity-steps", "2", "--batch", "8", "--workers", "0", "--report", str(tmp_path / "r.md")]  # fmt: skip
    train_judges.run(parser.parse_args(given))
    card = Judges.load(out).card
    assert card["classifier"]["steps"] == 2 and set(card["figures"]["accuracy"]) == set(HEADS)
    assert "held-out accuracy" in capsys.readouterr().out
    text = (tmp_path / "r.md").read_text()
    assert "### emotion" in text and "| same species |" in text and "| blur 1.0 |" in text
    with pytest.raises(SealError, match="--chunks: must be at least 1"):
        train_judges.run(parser.parse_args(["--chunks", "0"]))


def test_shipped_judges():
    assert JUDGES_FILE.stat().st_size <= 6e6
    ours = Judges.load()
    start = judge_data.HELD_OUT.start + 500_000 + random.Random(5).randrange(1000)
    found = judge_data.records(range(start, start + 24))
    truth, images = judge_data.labels(found), judge_data.pictures(found).movedim(1, -1)
    read = ours.classify(images)
    for i, name in enumerate(HEADS):
        if name in (*VALUES, "species"):
            assert judge_report._accuracy(read[name], truth[:, i]) > 0.9, name
    who = ours.identity(images)
    assert judge_report._across(who, who) > 0.98
    assert all(ours.card["figures"]["accuracy"][name] >= judge_report.NEEDED for name in VALUES)
