"""A tiny model as a diffusers folder, a sticker, and one training that all tests share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import RESTRICTED, train_arguments
from PIL import Image, ImageDraw
from tiny import tiny_pipe

from seal_core.cli import train as cli_train
from seal_core.cli.main import main
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.method.results import TrainResult


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tiny_pipe("sd1").save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sticker(tmp_path_factory) -> Path:
    image = Image.new("RGB", (150, 130), (235, 240, 250))
    ImageDraw.Draw(image).ellipse((40, 30, 110, 100), fill=(220, 120, 30))
    path = tmp_path_factory.mktemp("image") / "a.png"
    image.save(path)
    return path


@pytest.fixture(scope="session")
def training(model, sticker, tmp_path_factory) -> tuple[Path, TrainResult, DiffusersHost]:
    """One real training by the command: its folder, result and host."""
    out, kept = tmp_path_factory.mktemp("out"), []
    with pytest.MonkeyPatch.context() as patch:
        real = cli_train.train

        def train(host, references, *rest):
            result = real(host, references, *rest)
            kept.extend((replace(result, report=dict(result.report)), host))
            return result

        patch.setattr(cli_train, "train", train)
        assert main(train_arguments(model, sticker, out, *RESTRICTED)) == 0
    return (out, *kept)


@pytest.fixture
def trained(training) -> Path:
    """The folder of that training."""
    return training[0]


@pytest.fixture
def trains_at_once(training, monkeypatch) -> Callable[[Callable[[], object]], None]:
    """Later trainings take no time: they give that one's result, after what happens "meanwhile"."""
    _, result, host = training

    def use(meanwhile: Callable[[], object]) -> None:
        def train(*_):
            meanwhile()
            return replace(result, report=dict(result.report))

        monkeypatch.setattr(cli_train, "open_model", lambda options: host)
        monkeypatch.setattr(cli_train, "train", train)

    return use
