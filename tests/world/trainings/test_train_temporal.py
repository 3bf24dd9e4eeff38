"""Clips as latents and the training of temporal layers, on a layout far smaller than the tiny model's."""

import json
import math

import numpy as np
import pytest
import torch
from tiny_host import small_host

from seal_core.demo import model
from seal_core.messages import SealError
from seal_core.motion.temporal.motion_file import load_learned_motion
from seal_core.world import commands
from seal_core.world.renderer import seeds
from seal_core.world.renderer.characters import character
from seal_core.world.renderer.render import render_clip
from seal_core.world.trainings import clip_latents, train_temporal
from seal_core.world.trainings.latents import encode
from seal_core.world.trainings.ready_vae import ready_vae


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with clips of a small model, whose file lies in it."""
    folder = tmp_path_factory.mktemp("motion")
    built = small_host().pipe
    built.ids = model.used_ids(built.tokenizer, ["a sticker of a cat jumping"])
    model.save_model(built, folder / "small.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        _small(patch, folder)
        clip_latents.make_clips(folder, _vae(folder), 6)
    return folder


def _small(patch, folder):
    patch.setattr(train_temporal, "MODEL_FILE", folder / "small.safetensors")
    patch.setattr(clip_latents, "CLIPS", 3)
    patch.setattr(clip_latents, "HELD_OUT_CLIPS", 2)


def _vae(folder):
    train_temporal.adopt_vae(folder, folder / "small.safetensors")
    return ready_vae(folder)


@pytest.fixture
def few(monkeypatch, work):
    _small(monkeypatch, work)


def start(work, folder, steps, layer="sti", **changes):
    folder.mkdir(exist_ok=True)
    for name in ("clips", "vae-ready.safetensors"):
        if not (folder / name).exists():
            (folder / name).symlink_to(work / name)
    given = {"folder": folder, "layer": layer, "device": "cpu", "rate": 1e-3, "clips": 6, "sites": "mid, up.0"}
    settings = train_temporal.argparse.Namespace(**{**given, "no_condition": False, **changes})
    job = train_temporal.MotionTraining(settings)
    for _ in range(steps):
        loss, norm = job.step(2, 0.7)
        assert math.isfinite(loss) and norm > 0
    return job


def test_clips_are_what_their_records_say(work, few):
    vae = ready_vae(work)
    chunk = clip_latents.clip_chunk(vae, "5", 3, seeds.TRAIN)
    assert np.array_equal(chunk, clip_latents.clip_chunk(vae, "5", 3, seeds.TRAIN))
    assert not np.array_equal(chunk["latents"], clip_latents.clip_chunk(vae, "6", 3, seeds.TRAIN)["latents"])
    for record in chunk:
        scene, movement = clip_latents.movement_of(record)
        moves = np.abs(np.diff(record["latents"].astype(np.float32), axis=0)).max() > 0.01
        assert moves == (record["frames"] > 1) and movement.moves and movement.becomes != scene.emotion
    # A record's words draw its picture: on plain ground the framing's seed changes little of the mean.
    clip = render_clip(character(int(chunk[0]["character"])), *clip_latents.movement_of(chunk[0]))
    assert encode(vae, clip.images).shape == chunk[0]["latents"].shape


def test_stills_have_one_real_frame(work, few, monkeypatch):
    monkeypatch.setattr(clip_latents, "STILLS", 1.0)
    record = clip_latents.clip_chunk(ready_vae(work), "7", 1, seeds.TRAIN)[0]
    assert record["frames"] == 1 and (record["latents"] == record["latents"][0]).all()


def test_resumed_training_is_the_same(work, few, tmp_path):
    first = start(work, tmp_path / "a", 3)
    start(work, tmp_path / "b", 2).save()
    resumed = start(work, tmp_path / "b", 1)
    assert resumed.weights.steps == first.weights.steps == 3 and resumed.about["clips"] == 6
    for name, tensor in first.weights.master.items():
        torch.testing.assert_close(resumed.weights.master[name], tensor)
    fresh = start(work, tmp_path / "c", 0)
    moved = [n for n, p in first.weights.master.items() if not torch.equal(p, fresh.weights.master[n])]
    assert any(n.endswith("out.weight") for n in moved) and any("detail" in n for n in moved)


def test_the_model_stays_as_it_is(work, few, tmp_path):
    job = start(work, tmp_path / "a", 0)
    before = {n: p.clone() for n, p in job.host.unet.state_dict().items()}
    job.step(2, 1.0)
    assert all(torch.equal(p, before[n]) for n, p in job.host.unet.state_dict().items())
    assert all(p.grad is None for p in job.host.unet.parameters())


def test_untrained_layers_are_as_good_as_none(work, few, tmp_path):
    job = start(work, tmp_path / "a", 0, "conv3d")
    alone = job.held_out(None)
    assert job.held_out(job.averaged()) == alone
    assert set(alone) == {f"{t} {level}" for t in train_temporal.HELD_OUT_TASKS for level in train_temporal.LEVELS}


def test_without_the_condition_mask_nothing_is_given(work, few, tmp_path):
    plain = start(work, tmp_path / "a", 0, no_condition=True)
    masked = start(work, tmp_path / "a", 0)
    given = [bool(job.batch(8).known.any()) for job in (plain, masked)]
    assert given == [False, True]


def test_command_line(work, few, tmp_path, monkeypatch, capsys):
    start(work, tmp_path / "a", 1, "attention").save()
    blank = train_temporal.Image.new("RGB", (8, 8))
    monkeypatch.setattr(train_temporal.MotionTraining, "pictures", lambda self, layers: blank)
    call = ["train", "motion", "--layer", "attention", "--folder", str(tmp_path / "a"), "--minutes", "0.01"]
    call += ["--batch", "2", "--clips", "6", "--sites", "mid, up.0", "--device", "cpu"]
    assert commands.main(call) == 0
    told = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert told["steps"] > 1 and "text 900" in told and "alone text 900" in told
    lines = [json.loads(line) for line in (tmp_path / "a" / "motion-attention.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == told["steps"]
    motion = load_learned_motion(tmp_path / "a" / "motion-attention-layers.safetensors")
    assert motion.layers.kind == "attention" and motion.report["steps"] == told["steps"] and motion.frames == 8


def test_a_state_of_other_clips_is_refused(work, few, tmp_path):
    job = start(work, tmp_path / "a", 0)
    job.mark = "other"
    job.save()
    with pytest.raises(SealError, match="other clips"):
        start(work, tmp_path / "a", 0)
