"""The commands without --model: the included tiny model, and a built-in sticker."""

from __future__ import annotations

import json

import pytest
from command_line import names
from PIL import Image
from tiny_host import small_host

from seal_core.cli import generate as cli_generate
from seal_core.cli.included import open_included
from seal_core.cli.main import main
from seal_core.demo.sticker_files import BUILT_IN
from seal_core.demo.tuned_presets import tuned_preset


@pytest.fixture
def small(few_words, monkeypatch):
    monkeypatch.setattr("seal_core.cli.model_and_concept.open_included", lambda device, dtype: small_host())


def test_train_alone_learns_a_built_in_sticker_and_draws(small, tmp_path, capsys):
    assert main(["train", "--steps", "3", "--out", str(tmp_path)]) == 0
    endings = ("attention.png", "json", "lora.safetensors", "loss.png", "pictures.png", "safetensors")
    assert names(tmp_path) == [f"my-sticker.{ending}" for ending in endings]
    out = capsys.readouterr().out
    first = next(iter(BUILT_IN))
    assert first in out and "restores the subject elsewhere" in out and "two minutes" in out
    report = json.loads((tmp_path / "my-sticker.json").read_text())
    assert report["config"]["tokens"]["class_word"] == "cat"
    assert dict(report["config"]["attributes"]) == dict(BUILT_IN[first])
    assert report["config"]["batch_size"] == tuned_preset("best").batch_size
    sheet = Image.open(tmp_path / "my-sticker.pictures.png")
    assert sheet.size[0] > 3 * 176 and sheet.size[1] > 2 * 176


def test_own_stickers_need_a_class_word_and_real_models_a_sticker(small, sticker, tmp_path, capsys):
    assert main(["train", "--image", str(sticker), "--out", str(tmp_path)]) == 2
    assert "class-word: empty" in capsys.readouterr().err
    assert main(["train", "--model", "m", "--class-word", "cat", "--out", str(tmp_path)]) == 2
    assert "image: give the sticker" in capsys.readouterr().err
    assert main(["train", "--mask", str(sticker), "--out", str(tmp_path)]) == 2
    assert "mask: it belongs to no image" in capsys.readouterr().err
    assert not names(tmp_path)


def test_generate_alone_uses_its_guidance(small, tmp_path, monkeypatch):
    assert main(["train", "--steps", "2", "--out", str(tmp_path)]) == 0
    told = []
    real = cli_generate.sample

    def sample(*given, **options):
        told.append(options["cfg"])
        return real(*given, **options)

    monkeypatch.setattr(cli_generate, "sample", sample)
    given = ["generate", "--embedding", str(tmp_path / "my-sticker.safetensors"), "--prompt", "<my-sticker> jumping"]
    assert main([*given, "--steps", "2", "--out", str(tmp_path)]) == 0
    assert main([*given, "--steps", "2", "--cfg", "7", "--out", str(tmp_path)]) == 0
    assert told == [4.0, 7.0]
    assert Image.open(tmp_path / "my-sticker-0.png").size == (64, 64)


def test_the_included_model_opens():
    opened = open_included(None, None)
    assert (opened.resolution, str(opened.device), str(opened.dtype)) == (128, "cpu", "torch.float32")
