"""The judges' scores of the demo's pictures."""

import json

import torch
from tiny_host import small_host
from tiny_world import FakeJudges

from seal_core.demo.attribute_values import VALUES
from seal_core.demo.comparison import Column, Subject
from seal_core.method.references import Reference
from seal_core.world.commands import main
from seal_core.world.evaluation.scored_demo import Judges, JudgeScores


def test_the_command_scores_both_methods(few_words, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("seal_core.demo.model.load_model", lambda: None)
    monkeypatch.setattr("seal_core.demo.model.host", lambda model: small_host())
    monkeypatch.setattr(Judges, "load", lambda: FakeJudges())
    assert main(["demo", "--out", str(tmp_path), "--steps", "2"]) == 0
    assert "SEAL best: obeys " in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    for found in report["scores"].values():
        assert 0 <= found["obeyed"] <= 1 and -1 <= found["likeness"] <= 1 and 0 <= found["leaked"] <= 1


def test_scores_by_hand():
    """Two samples a column: obeyed counts only what was varied, leaked only where no background was asked for."""
    columns = [Column("as it is", {}), Column("angry", {"emotion": "angry"}, "emotion")]
    judged = {"emotion": ["sad", "sad", "angry", "sad"], "background": ["beach", "beach", "forest", "beach"]}
    identities = torch.tensor([[1.0, 0], [0, 1], [0.6, 0.8], [1, 0]])

    class ByHand:
        def classify(self, images):
            rows = {name: [VALUES[name].index(v) for v in values] for name, values in judged.items()}
            return {name: torch.eye(len(VALUES[name]))[at] for name, at in rows.items()}

        def identity(self, images, masks=None):
            return torch.tensor([[1.0, 0.0]]) if len(images) == 1 else identities

    image, score = torch.zeros(8, 8, 3), JudgeScores(ByHand(), samples=2)
    known = Subject(Reference(image, image[..., 0]), "cat", {"background": "beach"}, "test")
    scores, words = score(known, columns, torch.zeros(4, 8, 8, 3))
    assert scores == {"obeyed": 0.5, "likeness": 0.65, "leaked": 0.75}
    assert words == "obeys 50%, likeness 0.65, leaks 75%"
    unknown = Subject(known.reference, "cat", {}, "test")
    scores, words = score(unknown, columns, torch.zeros(4, 8, 8, 3))
    assert scores["leaked"] is None and words == "obeys 50%, likeness 0.65"
