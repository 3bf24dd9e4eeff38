"""`python -m seal_core animate`: files that move, and refusals in one line."""

from __future__ import annotations

import numpy as np
import pytest
from command_line import names
from pack_rules import read
from PIL import Image
from standing import standing

from seal_core.cli import main as cli


@pytest.fixture
def cat(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, margin in (("cat", 30), ("dog", 40)):
        pixels = (standing(96, 96, margin // 2)[0].numpy() * 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize(("form", "ending", "kind"), [
    ("webp", "webp", "awebp"), ("apng", "png", "apng"), ("gif", "gif", "gif"), ("webm", "webm", "webm"),
])  # fmt: skip
def test_each_format(cat, tmp_path, capsys, form, ending, kind):
    out = tmp_path / "out"
    given = [
        "animate",
        str(cat / "cat.png"),
        "--motion",
        "wobble",
        "--frames",
        "8",
        "--format",
        form,
        "--out",
        str(out),
    ]
    assert cli.main(given) == 0
    (name,) = names(out)
    assert name == f"cat-wobble.{ending}"
    assert capsys.readouterr().out.startswith(f"{out / name}: 8 frames, 1.00 s, ")
    found = read(out / name)
    assert found.form == kind and found.wide == found.high == 96 and len(found.frames) == 8
    assert sum(found.times) == pytest.approx(1000, abs=60)


def test_several_stickers_or_the_poses_of_one(cat, tmp_path, capsys):
    files, out = [str(cat / "cat.png"), str(cat / "dog.png")], tmp_path / "out"
    assert cli.main(["animate", *files, "--frames", "4", "--out", str(out)]) == 0
    assert names(out) == ["cat-bounce.webp", "dog-bounce.webp"]
    assert cli.main(["animate", *files, "--motion", "poses", "--out", str(out)]) == 0
    assert names(out)[1] == "cat-poses.webp" and "2 poses, 16 frames, 1.20 s" in capsys.readouterr().out
    assert cli.main(["animate", *files, "--frames", "4", "--out", str(out)]) == 0
    assert "cat-bounce-2.webp" in names(out), "nothing is overwritten"


def test_without_a_picture_a_built_in_one_moves(tmp_path, capsys):
    assert cli.main(["animate", "--frames", "4", "--overlay", "hearts", "--out", str(tmp_path)]) == 0
    assert names(tmp_path) == ["orange-cat-bounce.webp"]
    assert capsys.readouterr().out.startswith("sticker: orange cat, running on a beach, a built-in one")


@pytest.mark.parametrize(("given", "said"), [
    (["--frames", "500"], "frames: 500 is out of range; use 4 to 90 frames a loop."),
    (["--fps", "-3"], "fps: -3.0 is out of range; use 1 to 60 frames a second, or 0 for the motion's own pace."),
    (["--strength", "nan"], "strength: nan is out of range; use 0 to 2; 1 is the motion as designed."),
    (["--motion", "poses"], "image: motion poses needs 2 to 8 key poses, got 1; wire the pictures"),
    (["none.png"], "in: none.png is not there."),
    (["--strength", "0"], "strength: 0 without an overlay moves nothing; use more"),
    (["--out", ""], "out: empty; give a folder"),
])  # fmt: skip
def test_bad_options(tmp_path, capsys, monkeypatch, given, said):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["animate", "--shadow", "0", *given]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}") and names(tmp_path) == []
