import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from seal_core.cli.main import main
from seal_core.demo.sticker_files import BUILT_IN, built_in_sticker


@pytest.fixture
def sets(tmp_path):
    """Two style pictures of two sizes, their captions, prompts for two content pictures, and a folder."""
    paths = []
    for name in list(BUILT_IN)[:2]:
        path = tmp_path / f"{len(paths)}.png"
        Image.fromarray(built_in_sticker(name).image).resize((128, 96 + 32 * len(paths))).save(path)
        paths.append(str(path))
    captions, prompts = tmp_path / "captions.txt", tmp_path / "prompts.txt"
    captions.write_text("a sticker of a cat\na sticker of a dog\n")
    prompts.write_text("a sticker of a fox\n\na sticker of a bear jumping\n")
    return paths, captions, prompts, tmp_path / "out"


def test_a_look_is_learned_and_drawn_with(sets, capsys):
    style, captions, prompts, out = sets
    few = ["--steps", "3", "--rank", "2", "--learning-rate", "0.05", "--name", "ink", "--out", str(out)]
    given = ["tailor", *style, "--style-captions", str(captions), "--content-captions", str(prompts), *few]
    assert main(given) == 0
    path = Path(capsys.readouterr().out.splitlines()[-1].partition(": ")[0])
    assert path == out / "ink.safetensors" and (out / "ink.loss.png").exists()
    report = json.loads((out / "ink.json").read_text())
    assert report["config"]["carrier"] == "none" and len(report["losses"]) == 3
    ups = [t for name, t in load_file(path).items() if name.endswith("lora_up.weight")]
    assert ups and all(name.startswith("lora_unet_") for name in load_file(path)) and any(t.any() for t in ups)
    pictures = []
    for strength in ("0", "1"):
        drawn = ["generate", "--embedding", str(path), "--prompt", "a sticker of a cat", "--steps", "3"]
        assert main([*drawn, "--strength", strength, "--out", str(out / strength)]) == 0
        [picture] = (out / strength).glob("*.png")
        pictures.append(Image.open(picture).tobytes())
    assert pictures[0] != pictures[1]


def test_content_pictures_and_none_give_other_looks(sets):
    style, captions, _, out = sets
    few = ["--steps", "2", "--rank", "2", "--out", str(out)]
    assert main(["tailor", *style, "--style-captions", str(captions), "--name", "plain", *few]) == 0
    more = ["--content", style[0], "--split", "0.5", "--name", "both"]
    assert main(["tailor", style[1], *more, *few]) == 0
    told = ["tailor", *style, "--style-captions", str(captions)]
    assert main([*told, "--not-mirrored", "--name", "one-way", *few]) == 0
    plain, *others = (load_file(out / f"{name}.safetensors") for name in ("plain", "both", "one-way"))
    for look in others:
        assert plain.keys() == look.keys() and any(not torch.equal(t, look[name]) for name, t in plain.items())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--split", "2"], "split"),
        (["--split", "0", "--content", "same"], "split: 0 leaves no noise level"),
        (["--rank", "0"], "rank: 0 leaves nothing to learn"),
        (["--name", "a b"], "name"),
        (["--style-captions", "nowhere.txt"], "style-captions: nowhere.txt cannot be read"),
        (["--content", "nowhere.png"], "content"),
    ],
)
def test_bad_options_end_with_one_line(sets, capsys, changes, words):
    style, _, _, out = sets
    changes = [style[0] if one == "same" else one for one in changes]
    assert main(["tailor", *style, *changes, "--steps", "1", "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and words in error
    assert not list(out.glob("*"))
