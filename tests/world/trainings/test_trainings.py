"""The tiny model's file, tokenizer and training kit, on layouts far smaller than its own."""

from __future__ import annotations

import json
import math
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save as to_bytes

from seal_core.demo import model, model_file
from seal_core.files.whole_file import write_whole
from seal_core.messages import SealError
from seal_core.world import commands
from seal_core.world.renderer import seeds
from seal_core.world.renderer.captions import NO_CAPTION
from seal_core.world.renderer.scenes import random_scene
from seal_core.world.trainings import export as train_export
from seal_core.world.trainings import latents, ready_vae, train_decoder, train_unet, train_vae
from seal_core.world.trainings import state as train_state
from seal_core.world.trainings.ranks import Ranks
from seal_core.world.trainings.time_budget import cores

FEW = {
    "unet": {
        **model.UNET,
        "block_out_channels": (32, 32, 32),
        "attention_head_dim": (1, 1, 1),
        "cross_attention_dim": 32,
    },
    "text_encoder": {**model.TEXT, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1},
    "vae": {**model.VAE, "block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4},
}


# Tokenizer


def test_tokenizer_is_clips():
    tokenizer = model.tokenizer()
    assert tokenizer("a photo of a cat")["input_ids"] == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert tokenizer("Ünïcode's 12!")["input_ids"][0] == model_file.START
    assert (tokenizer.pad_token_id, tokenizer.model_max_length, len(tokenizer)) == (
        model_file.END,
        77,
        model_file.VOCABULARY,
    )


def test_vocabulary_is_whole():
    vocabulary, merges = model_file.clip_bpe()
    assert sorted(vocabulary.values()) == list(range(model_file.VOCABULARY)) and len(merges) == 48894
    comfy = Path(os.environ.get("COMFYUI_PATH", "~/comfy/ComfyUI")).expanduser() / "comfy" / "sd1_tokenizer"
    if not comfy.is_dir():
        pytest.skip("no ComfyUI to compare with")
    assert vocabulary == json.loads((comfy / "vocab.json").read_text(encoding="utf-8"))


# File


@pytest.fixture(scope="module")
def small():
    built = model.build(3, FEW)
    built.ids = model.used_ids(built.tokenizer, ["a sticker of a sleepy cat", "on a beach"])
    return built


@pytest.fixture
def small_file(small, tmp_path):
    return model.save_model(small, tmp_path / "deep" / "small.safetensors", {"steps": 7})


def test_round_trip(small, small_file):
    loaded = model.load_model(small_file)
    assert loaded.card == {"steps": 7} and loaded.ids == small.ids
    for part in model_file.PARTS:
        for name, tensor in getattr(small, part).state_dict().items():
            if "token_embedding" not in name:
                torch.testing.assert_close(getattr(loaded, part).state_dict()[name], tensor, atol=2e-3, rtol=2e-3)
    table = loaded.text_encoder.get_input_embeddings().weight
    rows = small.text_encoder.get_input_embeddings().weight[list(small.ids)]
    assert torch.equal(table[list(small.ids)], rows.half().float())
    assert loaded.scheduler.config["prediction_type"] == "v_prediction"
    assert os.listdir(small_file.parent) == [small_file.name], "no temporary file is left"


def test_same_bytes_and_same_unseen_rows(small, small_file, tmp_path):
    again = model.save_model(model.load_model(small_file), tmp_path / "again.safetensors")
    assert again.read_bytes() == small_file.read_bytes()
    one, two = (model_file.read_model(p).text_encoder[model_file.TABLE] for p in (small_file, again))
    assert torch.equal(one, two) and one.shape == (model_file.VOCABULARY, 32)
    unseen = torch.ones(model_file.VOCABULARY, dtype=torch.bool)
    unseen[list(small.ids)] = False
    stored = one[~unseen]
    assert abs(one[unseen].std(0).mean() / stored.std(0).mean() - 1) < 0.05
    assert (one[unseen].mean(0) - stored.mean(0)).abs().max() < 0.05 * stored.std(0).max()


def test_host_runs(small):
    from seal_core.hosts.base import Prompt

    host = model.host(small)
    assert len(host.sites()) == 10 and host.resolution == model.SIZE
    context = host.encode([Prompt("a sticker of a cat")], {})
    denoised = host.denoise(torch.randn(1, 4, 16, 16), torch.tensor([2.0]), context)
    assert denoised.shape == (1, 4, 16, 16) and bool(denoised.isfinite().all())


def test_bad_files(small_file, tmp_path):
    with pytest.raises(SealError, match=r"no file .*train"):
        model.load_model(tmp_path / "none.safetensors")
    small_file.write_bytes(small_file.read_bytes()[:5000])
    with pytest.raises(SealError, match="cannot be read"):
        model.load_model(small_file)
    small_file.write_bytes(to_bytes({"x": torch.ones(1)}))
    with pytest.raises(SealError, match="another kind of file"):
        model.load_model(small_file)
    about = {"format": 1, "config": {}, "card": {}}
    small_file.write_bytes(to_bytes({"x": torch.ones(1)}, metadata={"stickerworld": json.dumps(about)}))
    with pytest.raises(SealError, match="not a whole StickerWorld model"):
        model.load_model(small_file)
    about["format"] = 9
    small_file.write_bytes(to_bytes({"x": torch.ones(1)}, metadata={"stickerworld": json.dumps(about)}))
    with pytest.raises(SealError, match="format 9"):
        model.load_model(small_file)


def test_wrong_layout(small, tmp_path):
    small_config = dict(small.config)
    small.config = {**small_config, "unet": model.UNET}
    try:
        path = model.save_model(small, tmp_path / "wrong.safetensors")
    finally:
        small.config = small_config
    with pytest.raises(SealError, match="does not fit"):
        model.load_model(path)


def test_shipped_layout_is_small_enough():
    with torch.device("meta"):
        unet, vae = model.UNet2DConditionModel(**model.UNET), AutoencoderKL(**model.VAE)
        text = model.CLIPTextModel(model.CLIPTextConfig(**{**model.TEXT, "vocab_size": 500}))
    weights = sum(p.numel() for part in (unet, vae, text) for p in part.parameters())
    assert 2 * weights + 100_000 < train_export.MAX_BYTES


# VAE and latents


def test_balance_keeps_pictures():
    torch.manual_seed(0)
    vae = AutoencoderKL(**FEW["vae"]).eval()
    images = torch.rand(3, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = vae.encode(images).latent_dist
        means, stds = torch.tensor([0.3, -1.0, 0.0, 2.0]), torch.tensor([0.5, 3.0, 1.0, 0.1])
        picture = vae.decode(before.mode()).sample
        latents.balance(vae, means, stds)
        after = vae.encode(images).latent_dist
        shape = (1, 4, 1, 1)
        torch.testing.assert_close(after.mode(), (before.mode() - means.view(shape)) / stds.view(shape))
        torch.testing.assert_close(after.std, before.std / stds.view(shape))
        torch.testing.assert_close(vae.decode(after.mode()).sample, picture, atol=1e-5, rtol=1e-4)


def write_vae(folder, seed=0):
    torch.manual_seed(seed)
    vae = AutoencoderKL(**FEW["vae"])
    data = to_bytes(vae.state_dict(), metadata={ready_vae.KEY: json.dumps({"step": 1, "config": FEW["vae"]})})
    write_whole(folder / ready_vae.READY, data)
    return vae.eval()


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A training folder with a VAE and two small chunks."""
    folder = tmp_path_factory.mktemp("work")
    vae = write_vae(folder)
    chunks = folder / "latents" / latents.latents_fingerprint(vae)
    latents._worker["vae"] = vae
    latents._make(chunks / "held-out.npy", "held-out", 8, seeds.VALIDATION)
    for i in range(2):
        latents._make(chunks / f"{i:05d}.npy", str(i), 10, seeds.TRAIN)
    return folder


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(latents, "CHUNK", 10)
    monkeypatch.setattr(latents, "HELD_OUT", 8)


def test_chunks(work, small_chunks):
    vae = ready_vae.ready_vae(work)
    chunks = work / "latents" / latents.latents_fingerprint(vae)
    source = latents.Latents(chunks)
    assert len(source) == 20 and len(source.held_out) == 8
    drawn = source.draw(random.Random(1), 5)
    assert drawn["latents"].shape == (5, 4, 16, 16) and np.isfinite(drawn["latents"].astype(np.float32)).all()
    np.testing.assert_allclose(drawn["focus"].astype(np.float32).mean(axis=(1, 2)), 1, atol=1e-2)
    assert set(drawn["character"]) <= set(np.concatenate([np.load(p)["character"] for p in chunks.glob("0*.npy")]))
    again = latents.latent_chunk(vae, "1", 10, seeds.TRAIN)
    np.testing.assert_array_equal(again, np.load(chunks / "00001.npy"))
    assert latents.make_latents(work, 20, 1, "cpu") == chunks, "nothing is missing: no process is started"


def test_context_of_a_record():
    scene = random_scene(random.Random(5))
    record = np.zeros(1, latents.RECORD)[0]
    record["context"] = [latents.VALUES[n].index(getattr(scene, n)) for n in latents.SCENE]
    assert latents.scene_of(record) == scene


def test_fingerprint_is_the_encoders(work):
    vae = ready_vae.ready_vae(work)
    mark = latents.latents_fingerprint(vae)
    with torch.no_grad():
        vae.decoder.conv_in.weight += 1
    assert latents.latents_fingerprint(vae) == mark, "a better decoder reads the same latents"
    with torch.no_grad():
        vae.quant_conv.bias += 1
    assert latents.latents_fingerprint(vae) != mark


def test_latents_refuse(tmp_path):
    with pytest.raises(SealError, match="train latents"):
        latents.Latents(tmp_path / "nothing")
    with pytest.raises(SealError, match="train vae"):
        latents.prepare_vae(tmp_path)
    with pytest.raises(SealError, match="train latents"):
        ready_vae.ready_vae(tmp_path)


# Loss and rates


def test_loss_weights():
    kept = torch.tensor([0.01, 0.5, 5 / 6, 0.99])  # SNR 1/99, 1, 5, 99
    torch.testing.assert_close(train_unet.loss_weights(kept), torch.tensor([1.0, 1.0, 1.0, 0.06]))


def test_v_loss():
    latents_, noise = torch.randn(2, 4, 16, 16), torch.randn(2, 4, 16, 16)
    kept, t = torch.tensor([0.2, 0.6]), torch.tensor([700, 300])
    a, s = kept.sqrt().view(-1, 1, 1, 1), (1 - kept).sqrt().view(-1, 1, 1, 1)
    focus = torch.zeros(2, 16, 16)
    focus[:, 3, 4] = 256.0

    def perfect_but_one(x, step, encoder_hidden_states, return_dict):
        torch.testing.assert_close(x, a * latents_ + s * noise)
        v = a * noise - s * latents_
        v[1, :, 3, 4] += 2.0
        v[0, :, 8, 8] += 9.0  # where the focus is 0
        return (v,)

    loss = train_unet.v_loss(perfect_but_one, latents_, noise, t, kept, torch.zeros(2, 77, 8), focus)
    torch.testing.assert_close(loss, torch.tensor([0.0, 4.0]))


def test_rate_schedule():
    assert train_state.scale_at(0, 0) == pytest.approx(0.01)
    assert train_state.scale_at(0, 99) == 1 and train_state.scale_at(0.5, 999) == pytest.approx(0.51)
    assert train_state.scale_at(1, 999) == pytest.approx(0.02) == train_state.scale_at(1.1, 999)
    assert train_state.mean([]) == 0 and train_state.mean([1, 2]) == 1.5


def test_cores():
    assert cores() >= 1


# Training


@pytest.fixture
def few(monkeypatch, small_chunks):
    monkeypatch.setattr(model, "DEFAULTS", {**model.DEFAULTS, **FEW})
    ids = model.used_ids(model.tokenizer(), ["a sticker of a cat", "sleepy", "beach"])
    monkeypatch.setattr(train_unet, "caption_token_ids", lambda built: ids)


def start(work, tmp_path, steps):
    """A training with its state in a folder of its own."""
    for name in (ready_vae.READY, "latents"):
        if not (tmp_path / name).exists():
            (tmp_path / name).symlink_to(work / name)
    job = train_unet.UnetTraining(tmp_path, "cpu", 1e-3)
    for _ in range(steps):
        loss, norm = job.step(4, 0.7)
        assert math.isfinite(loss) and norm > 0
    return job


def test_resumed_training_is_the_same(work, few, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = start(work, tmp_path / "a", 3)
    start(work, tmp_path / "b", 2).save()
    resumed = start(work, tmp_path / "b", 1)
    assert resumed.weights.steps == first.weights.steps == 3 and resumed.about["samples"] == 12
    for name, tensor in first.weights.master.items():
        torch.testing.assert_close(resumed.weights.master[name], tensor)
        torch.testing.assert_close(resumed.weights.average[name], first.weights.average[name])
    moved = [n for n, p in first.weights.master.items() if not torch.equal(p, first.weights.average[n])]
    assert len(moved) > 0.9 * len(first.weights.master)


def test_averaged_model_computes_what_was_trained(work, few, tmp_path):
    job = start(work, tmp_path, 1)
    with torch.no_grad():
        for name, average in job.weights.average.items():
            average.copy_(job.weights.master[name])
        built = job.averaged()
        tokens = job.text.tokens(["a sticker of a sleepy cat", ""])
        assert tokens.shape == (2, 77) and int(tokens.max()) < len(job.text.ids)
        own = job.text(tokens).float()
        ids = built.tokenizer(
            ["a sticker of a sleepy cat", ""], padding="max_length", max_length=77, return_tensors="pt"
        ).input_ids
        torch.testing.assert_close(built.text_encoder(ids).last_hidden_state, own, atol=0.1, rtol=0.05)
        x, t = torch.randn(2, 4, 16, 16), torch.tensor([10, 900])
        got = job.unet(x.bfloat16(), t, encoder_hidden_states=own.bfloat16()).sample.float()
        torch.testing.assert_close(built.unet(x, t, encoder_hidden_states=own).sample, got, atol=0.05, rtol=0.05)
    assert set(job.held_out(built)) == {f"v{level}" for level in train_unet.LEVELS}


def test_gradient_that_is_not_finite_changes_nothing(work, few, tmp_path):
    job = start(work, tmp_path, 1)
    before = {n: p.detach().clone() for n, p in job.weights.master.items()}
    next(iter(job.weights.work.values())).grad = torch.full_like(next(iter(job.weights.work.values())), math.nan)
    assert math.isnan(job.weights.step(1.0))
    assert all(torch.equal(p, before[n]) for n, p in job.weights.master.items())


def test_command_line(work, few, tmp_path, monkeypatch, capsys):
    start(work, tmp_path, 1).save()
    monkeypatch.setattr(train_unet.UnetTraining, "pictures", lambda self, built: train_unet.Image.new("RGB", (8, 8)))
    call = ["train", "unet", "--folder", str(tmp_path), "--minutes", "0.01", "--batch", "2", "--device", "cpu"]
    assert commands.main(call) == 0
    lines = [json.loads(line) for line in (tmp_path / "unet.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] > 1 and "v500" in lines[-1]
    out = tmp_path / "out.safetensors"
    assert commands.main(["train", "export", "--folder", str(tmp_path), "--out", str(out), "--device", "cpu"]) == 0
    loaded = model.load_model(out)
    assert loaded.card["unet"]["steps"] == lines[-1]["step"]
    told = (tmp_path / "MODEL_CARD.md").read_text()
    assert f"{lines[-1]['step']:,} steps" in told and "procedural stickers" in told and "v500" in told
    assert loaded.unet.config["block_out_channels"] == (32, 32, 32)
    capsys.readouterr()
    write_vae(tmp_path / "other", seed=9)
    assert commands.main(["train", "unet", "--folder", str(tmp_path / "other"), "--device", "cpu"]) == 2
    assert "train latents" in capsys.readouterr().err


def test_state_of_another_vae_is_refused(work, few, tmp_path):
    job = start(work, tmp_path, 0)
    job.mark = "other"
    job.save()
    with pytest.raises(SealError, match="another VAE"):
        train_unet.UnetTraining(tmp_path, "cpu", 1e-3)


def test_captions_are_of_the_vocabulary():
    built = model.build(0, FEW)
    ids = set(train_unet.caption_token_ids(built, 3000))
    rng = random.Random(99)
    texts = [train_unet.caption(train_unet.character(i), random_scene(rng), rng) for i in range(300)]
    assert 0.03 < sum(text == "" for text in texts) / len(texts) < 2.5 * NO_CAPTION
    assert all(set(built.tokenizer(text)["input_ids"]) <= ids for text in texts)
    assert len(train_unet.grid_prompts()) == 16


def test_decoder_learns_on_and_latents_stay_valid(tmp_path, monkeypatch):
    monkeypatch.setattr(train_decoder, "Renders", lambda seed, *_: train_vae.Renders(seed, 40, 8))
    monkeypatch.setattr(train_decoder, "held_out", lambda: train_vae.held_out(4))
    vae = write_vae(tmp_path)
    mark = latents.latents_fingerprint(vae)
    figures = train_decoder.train_decoder(tmp_path, 0.2 / 60, "cpu", 2)
    after = ready_vae.ready_vae(tmp_path)
    assert latents.latents_fingerprint(after) == mark and figures["steps"] >= 1 and math.isfinite(figures["psnr"])
    changed = {n.split(".")[0] for n, t in after.state_dict().items() if not torch.equal(t, vae.state_dict()[n])}
    assert changed == {"decoder", "post_quant_conv"}
    # A finished run is followed by another one, from where it stopped.
    again = train_decoder.DecoderTraining(tmp_path, "cpu")
    assert again.weights.steps == figures["steps"] and again.about["run"]["done"] == 1


def test_average_over_processes_is_the_mean(monkeypatch):
    ranks = Ranks()
    assert ranks.first and ranks.count == 1 and ranks.agree(0.25) == 0.25
    ranks.count, seen = 2, []

    def all_reduce(flat):
        seen.append(flat.clone())
        flat += torch.tensor([2.0, 2.0, 2.0, 4.0, 4.0, 4.0]) / 2  # the other process's share

    monkeypatch.setattr("torch.distributed.all_reduce", all_reduce)
    tensors = [torch.zeros(3), torch.full((1, 3), 2.0)]
    ranks.average(tensors)
    assert torch.equal(tensors[0], torch.ones(3)) and torch.equal(tensors[1], torch.full((1, 3), 3.0))
    assert len(seen) == 1 and torch.equal(seen[0], torch.tensor([0.0, 0, 0, 1, 1, 1]))
