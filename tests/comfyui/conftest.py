"""A server of each ComfyUI found for most tests of this folder, one alive at a time; see tests/conftest.py.

SEAL_FRONT_ENDS: folders of other front ends (`static` of a comfyui-frontend-package) to test besides the ComfyUI's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pictures
import pytest
from server import ComfyServer

sys.path.insert(0, str(Path(__file__).parent / "browser"))

from chromium import find_chromium
from frontend import FrontEnd

FRONT_ENDS = ["own", *filter(None, os.environ.get("SEAL_FRONT_ENDS", "").split(os.pathsep))]


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


@pytest.fixture(scope="module", params=FRONT_ENDS)
def served(
    request: pytest.FixtureRequest, comfyui: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ComfyServer, FrontEnd]]:
    """A server with this front end, and its page."""
    if find_chromium() is None:
        pytest.skip("no Chromium found: install it or set CHROMIUM")
    flags = () if request.param == "own" else ("--front-end-root", request.param)
    server = ComfyServer(comfyui, tmp_path_factory.mktemp("front-end"), flags)
    try:
        server.start()
        with FrontEnd(f"http://127.0.0.1:{server.port}/") as page:
            yield server, page
    finally:
        server.stop()
