"""The README's block from an evaluation: figures come from results.json, and nothing else is touched."""

import json
from pathlib import Path

import pytest

from seal_core.messages import SealError
from seal_core.world.commands import main
from seal_core.world.evaluation import readme, scored_demo
from seal_core.world.evaluation.compared_methods import method
from seal_core.world.evaluation.method_groups import LONG_TI

NAMES = readme.MAIN


def results(names=NAMES):
    methods = {
        name: {m: {"mean": (i + 1) / 10, "lo": i / 10, "hi": (i + 2) / 10} for m in readme.COLUMNS}
        for i, name in enumerate(names)
    }
    return {"methods": methods, "config": {"characters": [1, 2], "split": "test", "prompts": 16, "samples": 2}}


def test_every_figure_is_in_the_table_in_its_row():
    lines = readme.readme_table(results()).splitlines()
    rows = [line for line in lines if line.startswith("| ") and "[" in line]
    assert len(rows) == len(NAMES) and "2 unseen characters (test split)" in lines[0]
    assert rows[5].startswith("| HiPer |") and rows[5].count("0.60 [0.50, 0.70]") == len(readme.COLUMNS)
    assert len(readme.readme_table(results([n for n in NAMES if n != LONG_TI])).splitlines()) == len(lines) - 1
    with pytest.raises(SealError, match=f"results: no figures of {NAMES[-1]}; run"):
        readme.readme_table(results(NAMES[:-1]))


def change(mean):
    return {m: {"mean": mean, "lo": mean - 0.1, "hi": mean + 0.1} for m in readme.PARTED}


def test_parts_are_told_by_pair():
    """SEAL's own parts first, pair by pair; what was measured of other methods is left out."""
    measured = {
        "masked": {"in hiper-seal": change(0.3), "alone": change(9.0)},
        "layers": {"in hiper-seal": change(-0.5), "in best": change(0.0)},
    }
    lines = readme.parts_table({"components": measured}).splitlines()
    rows = [line for line in lines if "[" in line]
    assert [row.count("]") for row in rows] == [4, 4, 4]
    assert rows[0].startswith("| HiPer with SEAL | layer restriction | -0.50 [-0.60, -0.40]")
    assert rows[1].startswith("| HiPer with SEAL | masked denoising loss | +0.30 [+0.20, +0.40]")
    assert "| layer restriction | +0.00 [-0.10, +0.10]" in rows[2]
    assert readme.parts_table({"components": {"masked": {"alone": change(9.0)}}}) == ""


def test_only_the_block_changes():
    text = f"above\n{readme.START}\nold\n{readme.END}\nbelow\n"
    assert readme.replaced(text, "new") == f"above\n{readme.START}\nnew\n{readme.END}\nbelow\n"
    with pytest.raises(SealError, match="readme: the marks"):
        readme.replaced("no marks", "new")


def test_the_command_writes_both_or_neither(tmp_path, monkeypatch, capsys):
    from PIL import Image

    def fake(options):
        Image.new("RGB", (40, 20), "red").save(Path(options.out, "contact-sheet.png"))

    monkeypatch.setattr(scored_demo, "run", fake)
    page = tmp_path / "README.md"
    page.write_text(f"# x\n{readme.START}\n{readme.END}\n")
    given = ["readme", "--results", str(tmp_path), "--readme", str(page), "--sheet", "sheet.jpg"]
    assert main(given) == 2 and "results" in capsys.readouterr().err
    (tmp_path / "details.json").write_text(json.dumps({"components": {}}))
    (tmp_path / "results.json").write_text(json.dumps(results(NAMES[:2])))
    assert main(given) == 2 and not (tmp_path / "sheet.jpg").exists()
    (tmp_path / "results.json").write_text(json.dumps(results()))
    assert main(given) == 0
    assert "(sheet.jpg)" in page.read_text() and method("best").label in page.read_text()
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.size == (40, 20)


def test_the_shipped_readme_has_the_marks():
    text = (readme.ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.replaced(text, "x").count(readme.START) == 1
