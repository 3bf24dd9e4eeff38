from pathlib import Path

import pytest
from PIL import Image

from seal_core.cli.main import main
from seal_core.demo.sticker_files import BUILT_IN, built_in_sticker


@pytest.fixture
def stickers(tmp_path):
    """Two built-in stickers as files, and a folder for what is written."""
    paths = []
    for name in list(BUILT_IN)[:2]:
        path = tmp_path / f"{len(paths)}.png"
        Image.fromarray(built_in_sticker(name).image).save(path)
        paths.append(str(path))
    return *paths, tmp_path / "out"


def test_a_picture_is_restyled_on_the_included_model(stickers, capsys):
    content, style, out = stickers
    few = ["--steps", "2", "--regions", "2", "--out", str(out)]
    assert main(["restyle", content, "--style", style, *few]) == 0
    assert main(["restyle", content, "--style", style, "--colours", "own", *few]) == 0
    assert main(["restyle", content, "--style", style, "--anywhere", *few]) == 0
    said = capsys.readouterr().out.splitlines()
    assert all("1 <- style 1 region" in line for line in said) and len(said) == 3
    files = [Path(line.partition(": ")[0]) for line in said]
    assert files[0].name == "0-restyled.png" and len(set(files)) == 3
    pictures = [Image.open(path) for path in files]
    assert all(p.size == (128, 128) for p in pictures)
    assert len({p.tobytes() for p in pictures}) == 3
    assert Image.open(out / "0-restyled.regions.png").size == (256, 128)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--steps", "0"], "steps"),
        (["--strength", "3"], "strength"),
        (["--resolution", "7"], "resolution"),
        (["--override", "1 <- style 5 region 1", "--steps", "1"], "override: 5 names none"),
    ],
)
def test_bad_options_end_with_one_line(stickers, capsys, changes, words):
    content, style, out = stickers
    assert main(["restyle", content, "--style", style, "--out", str(out), *changes]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and words in error
    assert not list(out.glob("*.png"))


def test_a_missing_style_picture_is_named(stickers, capsys):
    content, _, out = stickers
    assert main(["restyle", content, "--style", "nowhere.png", "--out", str(out)]) == 2
    assert "error: style" in capsys.readouterr().err
