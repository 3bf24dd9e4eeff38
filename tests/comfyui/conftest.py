"""A server of each ComfyUI found for most tests of this folder, one alive at a time; see tests/conftest.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pictures
import pytest
from server import ComfyServer


@pytest.fixture(scope="session", autouse=True)
def client() -> None:
    pytest.importorskip("websocket", reason="websocket-client is not installed: pip install .[dev]")


@pytest.fixture(scope="session")
def comfy(comfyui: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    """The server that most tests share, with its default flags."""
    server = ComfyServer(comfyui, tmp_path_factory.mktemp("comfyui"))
    server.ensure("sd15-small")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def another(comfyui: Path, tmp_path: Path) -> Iterator[Callable[..., ComfyServer]]:
    """Starts a server of its own: `another("--fp16-unet", files=("sd15-small",))`; stopped at the test's end."""
    started: list[ComfyServer] = []

    def start(*flags: str, files: tuple[str, ...] = ("sd15-small",), cpu: bool = True) -> ComfyServer:
        server = ComfyServer(comfyui, tmp_path / f"comfyui{len(started)}", flags, cpu=cpu)
        server.ensure(*files)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def sticker() -> Callable[[ComfyServer], str]:
    """Uploads an emoji on a transparent background. Returns the name for LoadImage."""
    return lambda server: server.upload_image("sticker.png", pictures.sticker())
