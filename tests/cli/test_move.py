import argparse
import json

import numpy as np
import pytest
from PIL import Image

from seal_core.cli.main import main
from seal_core.cli.move_options import LAYER_KINDS, add_options
from seal_core.demo.sticker_files import BUILT_IN, built_in_sticker
from seal_core.motion.temporal.learn_motion import MotionConfig
from seal_core.motion.temporal.motion_file import load_learned_motion
from seal_core.motion.temporal.temporal_layers import LAYERS

FEW = ["--steps", "2", "--width", "8", "--frames", "3", "--draw-steps", "2", "--caption", "a sticker of a cat"]


@pytest.fixture
def gif(tmp_path):
    """A sticker that goes to the right, without frame times."""
    image = built_in_sticker(next(iter(BUILT_IN))).image
    frames = [Image.fromarray(np.roll(image, 8 * i, axis=1)) for i in range(5)]
    frames[0].save(tmp_path / "go.gif", save_all=True, append_images=frames[1:], duration=0)
    return tmp_path / "go.gif"


def test_a_motion_is_learned_and_drawn_and_drawn_again_from_its_file(gif, tmp_path, capsys):
    out = tmp_path / "out"
    given = ["--name", "go", "--prompt", "a sticker of a dog", "--format", "apng", "--out", str(out)]
    assert main(["move", str(gif), *FEW, *given]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith(str(out / "go.safetensors")) and lines[-1].startswith(str(out / "go-0.png"))
    motion = load_learned_motion(out / "go.safetensors")
    assert motion.frames == 3 and motion.caption == "a sticker of a cat"
    report = json.loads((out / "go.json").read_text())
    assert len(report["losses"]) == 2 and report["config"]["frames"] == 3
    with Image.open(out / "go-0.png") as drawn:
        assert drawn.n_frames in (2, 3) and drawn.size == (128, 128)
    again = [
        "--prompt",
        "a sticker of a dog",
        "--format",
        "apng",
        "--draw-steps",
        "2",
        "--out",
        str(tmp_path / "again"),
    ]
    assert main(["move", str(out / "go.safetensors"), *again]) == 0
    assert (tmp_path / "again/go-0.png").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--caption", " "], "caption: empty"),
        (["--steps", "0"], "steps: "),
        (["--strength", "-1"], "strength: "),
        (["--frames", "1"], "frames: "),
        (["--embedding", "nowhere.safetensors", "--prompt", "a dog"], "embedding: "),
    ],
)
def test_bad_options_end_with_one_line(gif, tmp_path, capsys, changes, words):
    assert main(["move", str(gif), *FEW, *changes, "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith(f"error: {words}")


def test_a_still_and_no_file_are_refused(tmp_path, capsys):
    Image.new("RGB", (64, 64)).save(tmp_path / "still.png")
    for file, words in (
        ("still.png", "is one picture"),
        ("none.gif", "there is no file"),
        ("no.safetensors", "prompt"),
    ):
        assert main(["move", str(tmp_path / file), *FEW, "--out", str(tmp_path)]) == 2
        assert words in capsys.readouterr().err


def test_without_an_example_the_included_model_moves_as_it_knows(tmp_path, capsys):
    few = ["--draw-steps", "2", "--format", "apng", "--out", str(tmp_path)]
    assert main(["move", "--prompt", "a sticker of a dog, waving", *few]) == 0
    [drawn] = tmp_path.glob("*.png")
    with Image.open(drawn) as clip:
        assert clip.n_frames > 1 and clip.size == (128, 128)
    assert main(["move", "--prompt", "a dog", "--model", str(tmp_path), *few]) == 2
    assert "example: none; give one animated sticker" in capsys.readouterr().err


def test_the_options_know_the_layers_and_the_usual_settings():
    command, usual = argparse.ArgumentParser(), MotionConfig()
    add_options(command)
    given = command.parse_args(["a.gif"])
    assert set(LAYER_KINDS) == set(LAYERS)
    found = given.layer, given.steps, given.learning_rate, given.width, given.frames
    assert found == (usual.layer, usual.steps, usual.learning_rate, usual.inner, usual.frames)
