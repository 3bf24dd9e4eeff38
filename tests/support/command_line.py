"""Arguments of the command line's tests, on a tiny model."""

from __future__ import annotations

from pathlib import Path

RESTRICTED = ("--layers", "up.2-4", "--attributes", '{"emotion": "sleepy"}')
"""What the shared training of tests/cli changes of its preset."""


def train_arguments(model: Path, sticker: Path, out: Path | str, *more: str) -> list[str]:
    """A training of six steps; `more` comes last and so overrides."""
    shared = ["--class-word", "cat", "--name", "my-cat", "--steps", "6", "--device", "cpu"]
    return ["train", "--model", str(model), "--image", str(sticker), *shared, "--out", str(out), *more]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
