"""The demo command on a small random model, with and without a scorer."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_host import small_host

from seal_core.cli.demo import _subject, demo_command, demo_options
from seal_core.cli.main import main, parser
from seal_core.concept.concept_file import load_concept
from seal_core.demo import comparison
from seal_core.demo.animals import SPECIES
from seal_core.demo.attribute_values import VALUES
from seal_core.demo.sheet import CELL
from seal_core.demo.sticker_files import BUILT_IN, built_in_sticker

FILES = {"contact-sheet.png", "mask.png", "report.json"}


@pytest.fixture
def small(few_words, monkeypatch):
    monkeypatch.setattr("seal_core.demo.model.load_model", lambda: None)
    monkeypatch.setattr("seal_core.demo.model.host", lambda model: small_host())


def test_the_demo_writes_sheet_mask_and_report(small, tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path), "--steps", "6"]) == 0
    out = capsys.readouterr().out
    assert str(tmp_path / "contact-sheet.png") in out and "Textual Inversion: restores the subject elsewhere " in out
    written = {p.name for p in tmp_path.iterdir()}
    assert written > FILES and len(written) == len(FILES) + 2 * (1 + 7)
    for method in comparison.METHODS:
        assert load_concept(tmp_path / f"{method}.safetensors").class_word == "cat"
        assert Image.open(tmp_path / f"{method}-pixel-art.png").size == (64, 64)
    sheet = np.asarray(Image.open(tmp_path / "contact-sheet.png"))
    assert sheet.shape[2] == 3 and sheet.shape[1] > 7 * CELL and sheet.shape[0] > 3 * CELL
    mask = np.asarray(Image.open(tmp_path / "mask.png"))
    assert mask.shape == (64, 64) and 0.2 < (mask > 127).mean() < 0.7
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report["training"]) == {"textual_inversion", "best"} and report["class_word"] == "cat"
    assert report["attributes"] == dict(BUILT_IN["orange cat, running on a beach"]) and "scores" not in report
    for found in report["training"].values():
        assert set(found["restored"]) == {"subject", "ground"}
        for side in found["restored"].values():
            assert side["gain"] == pytest.approx(1 - side["after"] / side["before"], abs=1e-4)
    assert report["training"]["best"]["words"] and not report["training"]["textual_inversion"]["words"]


def test_a_scorer_sees_its_own_pictures_and_is_heard(small, tmp_path, capsys, monkeypatch):
    import argparse

    class Scorer:
        samples = 2

        def __call__(self, subject, columns, images):
            assert subject.class_word == "cat" and len(images) == 2 * len(columns)
            return {"good": 0.5}, "quite good"

    parser = argparse.ArgumentParser()
    demo_options(parser)
    plain, scored = tmp_path / "plain", tmp_path / "scored"
    demo_command(parser.parse_args(["--out", str(plain), "--steps", "2"]))
    shown = []
    sheet = torch.zeros(1, 8, 8, 3)
    monkeypatch.setattr("seal_core.demo.sheet.comparison_sheet", lambda *given: shown.append(given) or sheet)
    demo_command(parser.parse_args(["--out", str(scored), "--steps", "2"]), Scorer())
    assert "SEAL best: quite good" in capsys.readouterr().out
    first, second = (json.loads((p / "report.json").read_text()) for p in (plain, scored))
    assert second["scores"] == {name: {"good": 0.5} for name in comparison.METHODS}
    assert first["training"] == second["training"]
    [(*_, columns, rows)] = shown
    assert [len(row.images) for row in rows] == [len(columns)] * 2, "the sheet shows one picture of each prompt"


@pytest.fixture
def wide(tmp_path):
    """The path of somebody's own sticker, whose size and shape are not the model's."""
    sticker = built_in_sticker("purple fox, standing in a night city")
    path = tmp_path / "wide.png"
    Image.fromarray(np.dstack([sticker.image, sticker.mask])).resize((960, 540)).save(path)
    return path


def test_a_sticker_of_ones_own_at_any_size(small, wide, tmp_path, capsys):
    given = ["demo", "--image", str(wide), "--out", str(tmp_path), "--steps", "1"]
    assert main([*given, "--class-word", "bear", "--attributes", '{"background": "beach"}']) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["class_word"] == "bear" and report["attributes"] == {"background": "beach"}
    assert "guess" not in capsys.readouterr().out


def test_the_class_word_of_ones_own_sticker_is_guessed(wide, capsys):
    given = ["demo", "--image", str(wide)]
    subject = _subject(parser(given).parse_args(given), small_host())
    assert subject.class_word in SPECIES and not subject.attributes and subject.source == str(wide)
    assert f"class word: {subject.class_word} (the tiny model's guess" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p.write_bytes(b"no picture"), "error: image: .* is no picture that can be read"),
        (lambda p: Image.new("RGB", (128, 128), "white").save(p, "PNG"), "error: (image|mask)"),
        (lambda p: None, "error: image: .* is not there"),
    ],
)
def test_what_is_no_sticker_is_refused(small, tmp_path, capsys, make, message):
    make(tmp_path / "a.png")
    assert main(["demo", "--image", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip()
    assert re.match(message, error) and "\n" not in error
    assert not (tmp_path / "out").exists()


def test_other_bad_options(small, tmp_path, capsys):
    for options, message in (
        (["--steps", "-1"], "error: steps: -1"),
        (["--attributes", '{"colour": "red"}'], "error: attributes: 'colour' is not an attribute"),
    ):
        assert main(["demo", "--out", str(tmp_path / "out"), *options]) == 2
        assert capsys.readouterr().err.startswith(message)


def test_columns_ask_for_what_the_sticker_does_not_show():
    known = {"emotion": "angry", "action": "jumping", "background": "night city"}
    columns = comparison.columns_for(known)
    assert [c.label for c in columns[:2]] == ["as it is", "wearing a red scarf"] and len(columns) == 7
    for column in columns:
        for name, value in column.values.items():
            assert name == "appearance" or (value in VALUES[name] and value != known.get(name))
    assert [c.varied for c in columns if c.varied] == ["emotion", "action", "camera", "style", "background"]


SCRIPT = """
import sys
class NoLaboratory:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("seal_core.world"):
            raise ImportError(name + " is not in the registry's archive")
sys.meta_path.insert(0, NoLaboratory())
sys.path.insert(0, "tests/support")
from quick import FEW_WORDS
from tiny_host import small_host
from seal_core.demo import model
from seal_core.method import initial_words
model.load_model, model.host = (lambda: None), (lambda built: small_host())
initial_words.grammar = lambda: FEW_WORDS
from seal_core.cli.main import main
sys.exit(main(["demo", "--steps", "1", "--out", sys.argv[1]]))
"""


def test_the_demo_needs_no_laboratory(tmp_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in tmp_path.iterdir()} >= FILES
