"""One real ComfyUI for most tests of this folder; without a ComfyUI they skip and say so."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import pictures
from server import ComfyServer, find_comfyui


@pytest.fixture(scope="session")
def comfyui() -> Path:
    pytest.importorskip("websocket", reason="websocket-client is not installed: pip install .[dev]")
    folder = find_comfyui()
    if folder is None:
        pytest.skip("no ComfyUI found: set COMFYUI_PATH, or put it in ~/comfy/ComfyUI or ../ComfyUI")
    return folder


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

    def start(*flags: str, files: tuple[str, ...] = ("sd15-small",)) -> ComfyServer:
        server = ComfyServer(comfyui, tmp_path / f"comfyui{len(started)}", flags)
        server.ensure(*files)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def sticker() -> Callable[[ComfyServer], str]:
    """Uploads an emoji on a transparent ground; the name for LoadImage."""
    return lambda server: server.upload_image("sticker.png", pictures.sticker())
