"""The command line, on a tiny pipeline saved as a diffusers folder."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import pytest
import torch
from full_disk import full_in
from PIL import Image, ImageDraw
from tiny import tiny_pipe

from seal_core import messages as texts
from seal_core.__main__ import main as start
from seal_core.cli import main as cli
from seal_core.cli import run as cli_run
from seal_core.concept.file import load
from seal_core.method.config import TrainConfig

RESTRICTED = ("--layers", "up.2-4", "--attributes", '{"emotion": "sleepy"}')


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny_pipe("sd1").save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def sticker(tmp_path_factory):
    image = Image.new("RGB", (150, 130), (235, 240, 250))
    drawing = ImageDraw.Draw(image)
    drawing.ellipse((40, 30, 110, 100), fill=(220, 120, 30))
    path = tmp_path_factory.mktemp("image") / "a.png"
    image.save(path)
    return path


def train_arguments(model, sticker, out, *more):
    shared = ["--class-word", "cat", "--name", "my-cat", "--steps", "6", "--device", "cpu"]
    return ["train", "--model", str(model), "--image", str(sticker), *shared, "--out", str(out), *more]


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture(scope="module")
def trained(model, sticker, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    assert cli.main(train_arguments(model, sticker, out, *RESTRICTED)) == 0
    return out


def test_train_writes_four_files(trained):
    assert names(trained) == ["my-cat.attention.png", "my-cat.json", "my-cat.loss.png", "my-cat.safetensors"]
    concept = load(trained / "my-cat.safetensors")
    assert (concept.name, concept.class_word, concept.layers.sites) == ("<my-cat>", "cat", "up.2, up.3, up.4")
    report = json.loads((trained / "my-cat.json").read_text())
    assert report["config"]["resolution"] == 128 and report["config"]["attributes"] == [["emotion", "sleepy"]]
    assert report["preset"] == "best" and report["changed"] == {"steps": 6, "layers.sites": "up.2-4"}
    assert len(report["losses"]) == 6 and report["file"] == "my-cat.safetensors"
    assert all(Image.open(trained / f"my-cat.{kind}.png").size[0] > 100 for kind in ("loss", "attention"))


def test_generate(trained, model, tmp_path, capsys):
    arguments = ["generate", "--model", str(model), "--embedding", str(trained / "my-cat.safetensors")]
    arguments += ["--prompt", "a sticker of <my-cat> jumping", "--steps", "2", "--seed", "5", "--size", "64x96"]
    for _ in range(2):
        assert cli.main([*arguments, "--count", "2", "--out", str(tmp_path)]) == 0
    assert names(tmp_path) == ["my-cat-5-2.png", "my-cat-5.png", "my-cat-6-2.png", "my-cat-6.png"]
    first, again, other = (Image.open(tmp_path / n) for n in ("my-cat-5.png", "my-cat-5-2.png", "my-cat-6.png"))
    assert first.size == (64, 96) and first.text["prompt"] == "a sticker of <my-cat> jumping"
    assert first.tobytes() == again.tobytes() != other.tobytes()
    assert capsys.readouterr().out.splitlines()[0] == str(tmp_path / "my-cat-5.png")


def test_same_seed_same_bytes_and_a_free_name(trained, model, sticker, tmp_path):
    for _ in range(2):
        assert cli.main(train_arguments(model, sticker, tmp_path, *RESTRICTED)) == 0
    assert (tmp_path / "my-cat.safetensors").read_bytes() == (trained / "my-cat.safetensors").read_bytes()
    assert "my-cat-2.safetensors" in names(tmp_path) and "my-cat-2.json" in names(tmp_path)
    assert "is taken" in json.loads((tmp_path / "my-cat-2.json").read_text())["warnings"][0]


def test_resume_hiper_and_masks(trained, model, sticker, tmp_path):
    mask = Image.new("L", (150, 130), 255)
    ImageDraw.Draw(mask).ellipse((40, 30, 110, 100), fill=0)  # polarity: found out
    mask.save(tmp_path / "mask.png")
    out = tmp_path / "new" / "folder"
    resumed = train_arguments(model, sticker, out, "--resume", str(trained / "my-cat.safetensors"), "--class-word", "")
    assert cli.main([*resumed, "--mask", str(tmp_path / "mask.png")]) == 0
    assert load(out / "my-cat.safetensors").class_word == "cat", "that of the concept resumed"
    assert cli.main(train_arguments(model, sticker, out, "--preset", "hiper")) == 0
    assert load(out / "my-cat-2.safetensors").carrier == "tail"


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
    assert cli.main([*train_arguments(model, sticker, out), *more]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(lines) == 1 and lines[0].startswith("error: ")
    assert re.search(message, lines[0])
    assert not out.exists() or names(out) == []


@pytest.mark.parametrize(("command", "option"), [("train", "prompts"), ("pack", "emoji")])
def test_every_text_of_a_list_is_checked(tmp_path, capsys, command, option):
    """Before the model is loaded or anything is read."""
    given = {
        "train": ["--model", "none", "--image", "none.png", "--class-word", "cat", "--name", "a"],
        "pack": ["none", "--platform", "telegram", "--title", "T", "--author", "A", "--out", str(tmp_path)],
    }
    assert cli.main([command, *given[command], f"--{option}", "a sticker of {}", "bad \udcff {}"]) == 2
    assert re.match(rf"error: {option}: .*udcff.* is no valid text", capsys.readouterr().err)


def test_what_is_told_is_a_line_each(monkeypatch, capsys):
    """Whichever command notices something, it never shows as Python's own warning with a source line."""

    def command(options):
        texts.tell("image: noticed.")
        warnings.warn("another's", UserWarning, stacklevel=1)
        with texts.gathered() as messages:
            texts.tell("image: gathered.")
        assert messages == ["image: gathered."]

    monkeypatch.setattr(cli, "_command", lambda name: command)
    with warnings.catch_warnings(record=True) as others:
        warnings.simplefilter("always")
        assert cli.main(["demo"]) == 0
    assert capsys.readouterr().err == "warning: image: noticed.\n"
    assert [str(w.message) for w in others] == ["another's"]


def test_what_is_noticed_of_several_pictures_is_told_once(monkeypatch):
    options = argparse.Namespace(mask=None, mask_polarity="auto")
    config = TrainConfig(resolution=64)
    picture = torch.ones(64, 64, 4)
    picture[16:48, 16:48, :3] = torch.rand(32, 32, 3)
    picture[16:48, 16:48, 3] = 0  # as Join Image with Alpha leaves it
    references, said = cli_run._references(None, [picture, picture], [], options, config)
    assert len(references) == 2 and len(said) == len(set(said)) and any("turned round" in words for words in said)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--prompt", "a dog"), "prompt: 'a dog' does not name"),
        (("--prompt", "my-cat"), "prompt: 'my-cat' does not name the concept; write <my-cat> where"),
        (("--prompt", "{}"), "prompt: '{}' does not name"),
        (("--strength", "nan"), "strength: nan"),
        (("--prompt", "<my-cat> " * 80), "prompt: .* tokens"),
        (("--negative", "dog " * 80), "negative: .* tokens"),
        (("--count", "0"), "count: 0"),
        (("--steps", "0"), "steps: 0"),
        (("--cfg", "nan"), "cfg: nan"),
        (("--size", "100x100"), "size: 100x100"),
        (("--size", "big"), "size: 'big'"),
        (("--size", "9" * 5000), "size: '9999"),
        (("--size", "512x" + "9" * 100_000), "size: '512x9999"),
        (("--seed", "-1"), "seed: -1"),
        (("--embedding", __file__), r"embedding: .*test_main.py: is damaged or no embedding \(not a file of plain"),
        (("--embedding", "none.pt"), "embedding: none.pt: no such file"),
        (("--seed", str(2**63)), "seed: 9"),
        (("--out", __file__), "out: .*cannot be written"),
    ],
)
def test_bad_generation(trained, model, tmp_path, capsys, more, message):
    arguments = ["generate", "--model", str(model), "--embedding", str(trained / "my-cat.safetensors")]
    assert cli.main([*arguments, "--prompt", "<my-cat>", "--out", str(tmp_path), *more]) == 2
    assert re.search(message, capsys.readouterr().err.splitlines()[-1]) and names(tmp_path) == []


def test_an_interrupt_leaves_nothing(model, sticker, tmp_path, capsys, monkeypatch):
    def stop(progress):
        if progress.step == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(cli_run, "training_bar", lambda bar: stop)
    assert cli.main(train_arguments(model, sticker, tmp_path)) == 130
    assert names(tmp_path) == [] and "stopped" in capsys.readouterr().err


GROUP = ("attention.png", "json", "loss.png", "safetensors")


@pytest.mark.parametrize("kind", GROUP)
def test_a_file_that_comes_during_the_training_is_left_alone(model, sticker, tmp_path, monkeypatch, kind):
    """The name is claimed at the end, for all four files: whatever lies there by then stays."""

    def meanwhile(progress):
        (tmp_path / f"my-cat.{kind}").write_text("somebody's")

    monkeypatch.setattr(cli_run, "training_bar", lambda bar: meanwhile)
    assert cli.main(train_arguments(model, sticker, tmp_path)) == 0
    assert (tmp_path / f"my-cat.{kind}").read_text() == "somebody's"
    assert names(tmp_path) == sorted([f"my-cat.{kind}", *(f"my-cat-2.{each}" for each in GROUP)])
    report = json.loads((tmp_path / "my-cat-2.json").read_text())
    assert report["file"] == "my-cat-2.safetensors"
    assert [w for w in report["warnings"] if "my-cat is taken" in w and "saved as my-cat-2" in w]


def test_a_full_disk_is_told_before_the_training(model, sticker, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cli_run, "_host", None)
    full_in(tmp_path, monkeypatch)
    assert cli.main(train_arguments(model, sticker, tmp_path)) == 2
    assert re.search("^error: out: .*no free disk space; free some", capsys.readouterr().err)


def test_a_disk_that_fills_during_the_training_costs_nothing(model, sticker, tmp_path, capsys, monkeypatch):
    out, spare = tmp_path / "out", tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spare))
    monkeypatch.setattr(cli_run, "training_bar", lambda bar: lambda progress: full_in(out, monkeypatch))
    assert cli.main(train_arguments(model, sticker, out)) == 2
    assert names(out) == [] and names(spare) == [f"my-cat.{kind}" for kind in GROUP]
    error = capsys.readouterr().err
    assert re.search("error: out: .*no free disk space", error) and str(spare / "my-cat.safetensors") in error
    assert load(spare / "my-cat.safetensors").class_word == "cat"


@pytest.mark.parametrize("nothing", ["", "  "])
def test_an_empty_out_is_refused(trained, model, sticker, tmp_path, capsys, monkeypatch, nothing):
    """As from a shell variable that is not set: it was taken for the current folder."""
    monkeypatch.chdir(tmp_path)
    generate = ["generate", "--model", str(model), "--embedding", str(trained / "my-cat.safetensors")]
    generate += ["--prompt", "my-cat", "--out", nothing]
    for arguments in (train_arguments(model, sticker, nothing), generate, ["demo", "--out", nothing]):
        assert cli.main(arguments) == 2
        assert capsys.readouterr().err.splitlines()[-1] == "error: out: empty; give a folder (. is the current one)."
    assert names(tmp_path) == []


def test_out_of_memory_is_one_line(capsys, monkeypatch):
    def full(options):
        raise MemoryError

    monkeypatch.setattr(cli_run, "train_command", full)
    assert cli.main(["train", "--model", "m", "--image", "a", "--class-word", "c", "--name", "n"]) == 2
    assert "--batch-size 1" in capsys.readouterr().err


def test_help_needs_no_torch():
    code = "import sys; sys.modules['torch'] = None; from seal_core.cli.main import main; main(['train', '--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0 and "--class-word" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_control_c_in_a_real_process(model, sticker, tmp_path):
    """`python -m seal_core train`, interrupted in the middle: status 130, no file."""
    arguments = [sys.executable, "-m", "seal_core", *train_arguments(model, sticker, tmp_path, "--steps", "100000")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        arguments,
        cwd=Path(__file__).parents[2],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        # A shell starts jobs in the background with the signal ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        seen, started = b"", time.monotonic()
        while b"loss=" not in seen and time.monotonic() - started < 90:
            seen += os.read(process.stderr.fileno(), 4096)
            assert process.poll() is None, seen
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=30)[1]
    finally:
        process.kill()
    assert process.returncode == 130 and b"stopped" in error and b"Traceback" not in error
    assert names(tmp_path) == []


def test_ctrl_c_while_it_is_still_being_imported(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("seal_core.cli.main.main", interrupted)
    assert start() == 130
    assert capsys.readouterr().err == "\nstopped; nothing was begun.\n"
