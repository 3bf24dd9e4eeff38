"""The train command, on a tiny pipeline saved as a diffusers folder."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import replace

import pytest
import torch
from command_line import RESTRICTED, names, train_arguments
from full_disk import full_in
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from seal_core.cli import train as cli_train
from seal_core.cli.main import main
from seal_core.cli.picture_references import find_references
from seal_core.concept.concept import LowRank
from seal_core.concept.concept_file import load_concept
from seal_core.concept.lora_file import weights_tensors
from seal_core.method.config import TrainConfig

GROUP = ("attention.png", "json", "lora.safetensors", "loss.png", "safetensors")


def test_train_writes_five_files(trained):
    assert names(trained) == [f"my-cat.{each}" for each in GROUP]
    concept = load_concept(trained / "my-cat.safetensors")
    assert (concept.name, concept.class_word, concept.layers.sites) == ("<my-cat>", "cat", "up.2, up.3, up.4")
    report = json.loads((trained / "my-cat.json").read_text())
    assert report["config"]["resolution"] == 128 and report["config"]["attributes"] == [["emotion", "sleepy"]]
    assert report["preset"] == "best" and report["changed"] == {"steps": 6, "layers.sites": "up.2-4"}
    assert len(report["losses"]) == 6 and report["file"] == "my-cat.safetensors"
    assert all(Image.open(trained / f"my-cat.{kind}.png").size[0] > 100 for kind in ("loss", "attention"))


def test_same_seed_same_bytes_and_a_free_name(trained, model, sticker, tmp_path, capsys):
    (tmp_path / "my-cat.pt").write_text("somebody's")
    assert main(train_arguments(model, sticker, tmp_path, *RESTRICTED)) == 0
    assert (tmp_path / "my-cat-2.safetensors").read_bytes() == (trained / "my-cat.safetensors").read_bytes()
    assert "is taken" in json.loads((tmp_path / "my-cat-2.json").read_text())["warnings"][0]
    assert "in prompts: <my-cat> or embedding:my-cat-2\n" in capsys.readouterr().out, "the name that it got"


def test_resume_hiper_and_masks(trained, model, sticker, tmp_path):
    mask = Image.new("L", (150, 130), 255)
    ImageDraw.Draw(mask).ellipse((40, 30, 110, 100), fill=0)  # polarity: found out
    mask.save(tmp_path / "mask.png")
    out = tmp_path / "new" / "folder"
    resumed = train_arguments(model, sticker, out, "--resume", str(trained / "my-cat.safetensors"), "--class-word", "")
    assert main([*resumed, "--mask", str(tmp_path / "mask.png")]) == 0
    assert load_concept(out / "my-cat.safetensors").class_word == "cat", "that of the concept resumed"
    assert main(train_arguments(model, sticker, out, "--preset", "hiper")) == 0
    assert load_concept(out / "my-cat-2.safetensors").carrier == "tail"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--name", "../x"), "name: '../x'"),
        (("--concept", "cat"), "concept: 'cat' is already a word.* my-cat\\.$"),
        (("--split", "17"), "split: 17"),
        (("--merge-at", "nan"), "merge-at: nan"),
        (("--merge", "mean"), "init: described .* set merge to none"),
        (("--start-percent", "nan"), "start-percent: nan"),
        (("--augment", "nan"), "augment: nan"),
        (("--attention-weight", "nan"), "attention-weight: nan"),
        (("--prompts", "no place"), "prompts: 'no place'"),
        (("--steps", "-3"), "steps: -3"),
        (("--learning-rate", "nan"), "learning-rate: nan"),
        (("--learning-rate", "inf"), "learning-rate: inf"),
        (("--layers", "up.99"), "layers: 'up.99'"),
        (("--attributes", "{"), "error: attributes: not valid JSON"),
        (("--model", "nowhere"), "model: nowhere is not there"),
        (("--image", "none.png"), "image: none.png is not there"),
        (("--mask", __file__), "mask: .* is no picture"),
        (("--resume", "none.safetensors"), "resume: none.safetensors: no such file"),
        (("--device", "toaster"), "device: 'toaster'"),
        (("--resolution", "17"), "resolution: 17"),
        (("--class-word", " "), "class-word: empty"),
        (("--seed", "-1"), "seed: -1"),
    ],
)
def test_bad_input_is_one_line_and_status_2(model, sticker, tmp_path, capsys, more, message):
    out = tmp_path / "out"
    assert main([*train_arguments(model, sticker, out), *more]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(lines) == 1 and lines[0].startswith("error: ")
    assert re.search(message, lines[0])
    assert not out.exists() or names(out) == []


def test_what_is_noticed_of_several_pictures_is_told_once():
    picture = torch.ones(64, 64, 4)
    picture[16:48, 16:48, :3] = torch.rand(32, 32, 3)
    picture[16:48, 16:48, 3] = 0  # as Join Image with Alpha leaves it
    found = find_references(None, [picture, picture], [], "auto", TrainConfig(resolution=64))
    assert len(found.references) == 2 and len(found.notices) == len(set(found.notices))
    assert any("turned round" in words for words in found.notices)


def test_an_interrupt_leaves_nothing(model, sticker, tmp_path, capsys, monkeypatch):
    def stop(progress):
        if progress.step == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(cli_train, "training_bar", lambda bar: stop)
    assert main(train_arguments(model, sticker, tmp_path, "--preset", "textual_inversion")) == 130
    assert names(tmp_path) == [] and "stopped" in capsys.readouterr().err


@pytest.mark.parametrize("kind", GROUP)
def test_a_file_that_comes_during_the_training_is_left_alone(trains_at_once, model, sticker, tmp_path, kind):
    """The name is claimed at the end, for all files: whatever lies there by then stays."""
    trains_at_once(lambda: (tmp_path / f"my-cat.{kind}").write_text("somebody's"))
    assert main(train_arguments(model, sticker, tmp_path)) == 0
    assert (tmp_path / f"my-cat.{kind}").read_text() == "somebody's"
    assert names(tmp_path) == sorted([f"my-cat.{kind}", *(f"my-cat-2.{each}" for each in GROUP)])
    report = json.loads((tmp_path / "my-cat-2.json").read_text())
    assert report["file"] == "my-cat-2.safetensors"
    assert [w for w in report["warnings"] if "my-cat is taken" in w and "saved as my-cat-2" in w]


def test_weights_are_written_as_a_lora_too(training, model, sticker, tmp_path, capsys, monkeypatch):
    _, result, host = training
    layer = f"{host.sites()[-1].path}.attn2.to_k"
    pair = LowRank(torch.ones(2, 16), torch.ones(32, 2))
    learned = replace(result, concept=replace(result.concept, weights={layer: pair}), report=dict(result.report))
    monkeypatch.setattr(cli_train, "open_model", lambda options: host)
    monkeypatch.setattr(cli_train, "train", lambda *_: learned)
    assert main(train_arguments(model, sticker, tmp_path)) == 0
    path = tmp_path / "my-cat.lora.safetensors"
    assert str(path) in capsys.readouterr().out
    assert sorted(load_file(path)) == sorted(weights_tensors({layer: pair}))
    assert load_concept(tmp_path / "my-cat.safetensors").weights.keys() == {layer}


def test_a_full_disk_is_told_before_the_training(model, sticker, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cli_train, "open_model", None)
    full_in(tmp_path, monkeypatch)
    assert main(train_arguments(model, sticker, tmp_path)) == 2
    assert re.search("^error: out: .*no free disk space; free some", capsys.readouterr().err)


def test_a_disk_that_fills_during_the_training_costs_nothing(
    trains_at_once, model, sticker, tmp_path, capsys, monkeypatch
):
    out, spare = tmp_path / "out", tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spare))
    trains_at_once(lambda: full_in(out, monkeypatch))
    assert main(train_arguments(model, sticker, out)) == 2
    assert names(out) == [] and names(spare) == [f"my-cat.{kind}" for kind in GROUP]
    error = capsys.readouterr().err
    assert re.search("error: out: .*no free disk space", error) and str(spare / "my-cat.safetensors") in error
    assert load_concept(spare / "my-cat.safetensors").class_word == "cat"
