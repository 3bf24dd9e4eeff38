"""The generate command, with a concept that the train command learned."""

from __future__ import annotations

import re

import pytest
from command_line import names
from PIL import Image

from seal_core.cli.main import main


def test_generate(trained, model, tmp_path, capsys):
    arguments = ["generate", "--model", str(model), "--embedding", str(trained / "my-cat.safetensors")]
    arguments += ["--prompt", "a sticker of <my-cat> jumping", "--steps", "2", "--seed", "5", "--size", "64x96"]
    for _ in range(2):
        assert main([*arguments, "--count", "2", "--out", str(tmp_path)]) == 0
    assert names(tmp_path) == ["my-cat-5-2.png", "my-cat-5.png", "my-cat-6-2.png", "my-cat-6.png"]
    first, again, other = (Image.open(tmp_path / n) for n in ("my-cat-5.png", "my-cat-5-2.png", "my-cat-6.png"))
    assert first.size == (64, 96) and first.text["prompt"] == "a sticker of <my-cat> jumping"
    assert first.tobytes() == again.tobytes() != other.tobytes()
    assert capsys.readouterr().out.splitlines()[0] == str(tmp_path / "my-cat-5.png")


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
        (("--embedding", __file__), r"embedding: .*test_generate.py: is damaged or no embedding \(not a file of plain"),
        (("--embedding", "none.pt"), "embedding: none.pt: no such file"),
        (("--seed", str(2**63)), "seed: 9"),
        (("--out", __file__), "out: .*cannot be written"),
    ],
)
def test_bad_generation(trained, model, tmp_path, capsys, more, message):
    arguments = ["generate", "--model", str(model), "--embedding", str(trained / "my-cat.safetensors")]
    assert main([*arguments, "--prompt", "<my-cat>", "--out", str(tmp_path), *more]) == 2
    assert re.search(message, capsys.readouterr().err.splitlines()[-1]) and names(tmp_path) == []
