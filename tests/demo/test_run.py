"""The demo command, on a small random model and judges that look at colours only."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_world import FakeJudges, small_host

from seal_core.cli.main import main
from seal_core.demo import run as demo
from seal_core.world.renderer.characters import SPECIES, character
from seal_core.world.renderer.contexts import VALUES, Context
from seal_core.world.renderer.render import render


@pytest.fixture
def small(monkeypatch):
    class Judges:
        load = staticmethod(lambda: FakeJudges())

    monkeypatch.setattr(demo, "load_model", lambda: None)
    monkeypatch.setattr(demo, "host", lambda model: small_host())
    monkeypatch.setattr(demo, "Judges", Judges)
    monkeypatch.setattr(demo, "SAMPLES", 2)


def test_the_demo_writes_a_sheet_and_scores(small, tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path), "--steps", "6"]) == 0
    out = capsys.readouterr().out
    assert str(tmp_path / "contact-sheet.png") in out and "Textual Inversion:" in out and "SEAL best:" in out
    sheet = np.asarray(Image.open(tmp_path / "contact-sheet.png"))
    assert sheet.shape[2] == 3 and sheet.shape[1] > 7 * demo.CELL and sheet.shape[0] > 3 * demo.CELL
    report = json.loads((tmp_path / "scores.json").read_text())
    assert set(report["scores"]) == {"textual_inversion", "best"} and report["class_word"] == "cat"
    for found in report["scores"].values():
        assert 0 <= found["obeyed"] <= 1 and -1 <= found["likeness"] <= 1 and 0 <= found["leaked"] <= 1
    assert {p.name for p in tmp_path.iterdir()} == {"contact-sheet.png", "scores.json"}


def test_a_sticker_of_ones_own_at_any_size_and_a_guessed_class_word(small, tmp_path, capsys):
    who = character(3, species="fox")
    context = Context("happy", "standing", "full body", "flat vector", "plain mint")
    Image.fromarray(render(who, context).image).resize((3840, 2160)).save(tmp_path / "large.png")
    given = ["demo", "--image", str(tmp_path / "large.png"), "--out", str(tmp_path / "a"), "--steps", "2"]
    assert main(given) == 0
    report = json.loads((tmp_path / "a" / "scores.json").read_text())
    assert report["class_word"] in SPECIES and "guessed" in capsys.readouterr().out
    assert report["scores"]["best"]["leaked"] is None  # its ground is not known
    assert main([*given, "--class-word", "bear", "--attributes", '{"background": "beach"}']) == 0
    report = json.loads((tmp_path / "a" / "scores.json").read_text())
    assert report["class_word"] == "bear" and report["scores"]["best"]["leaked"] is not None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p.write_bytes(b"no picture"), "error: image: .* is no picture that can be read"),
        (lambda p: Image.new("RGB", (128, 128), "white").save(p, "PNG"), "error: (image|mask)"),
        (lambda p: None, "error: image: .* is not there"),
    ],
)
def test_what_is_no_sticker_is_refused(small, tmp_path, capsys, make, message):
    import re

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


def test_columns_ask_for_what_the_reference_does_not_show():
    known = {"emotion": "angry", "action": "jumping", "background": "night city"}
    columns = demo.asks(known)
    assert [c.label for c in columns[:2]] == ["as it is", "wearing a red scarf"] and len(columns) == 7
    for column in columns:
        for name, value in column.values.items():
            assert name == "appearance" or (value in VALUES[name] and value != known.get(name))
    varied = [c.vary for c in columns if c.vary]
    assert varied == ["emotion", "action", "camera", "style", "background"]


def test_scores_by_hand():
    """Two samples a column: obeyed counts only what was varied, leaked only where no ground was asked for."""
    columns = [demo.Ask("as it is", {}), demo.Ask("angry", {"emotion": "angry"}, "emotion")]
    judged = {"emotion": ["sad", "sad", "angry", "sad"], "background": ["beach", "beach", "forest", "beach"]}

    class Judges:
        def classify(self, images):
            return {
                name: torch.eye(len(VALUES[name]))[[VALUES[name].index(v) for v in values]]
                for name, values in judged.items()
            }

        def identity(self, images, masks=None):
            return (
                torch.tensor([[1.0, 0.0]]) if len(images) == 1 else torch.tensor([[1.0, 0], [0, 1], [0.6, 0.8], [1, 0]])
            )

    image = torch.zeros(8, 8, 3)
    subject = demo.Subject(demo.Reference(image, image[..., 0]), "cat", {"background": "beach"}, "test")
    original, demo.SAMPLES = demo.SAMPLES, 2
    try:
        found = demo.scored(Judges(), subject, columns, torch.zeros(4, 8, 8, 3))
    finally:
        demo.SAMPLES = original
    assert found == {"obeyed": 0.5, "likeness": 0.65, "leaked": 0.75}
