"""How the shipped workflows lie on the screen of ComfyUI's own front end: readable, nothing over anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from saved_workflows import GIFS, NAMES, PICTURES, TINY, read
from server import ComfyServer

sys.path.insert(0, str(Path(__file__).parent / "browser"))

from chromium import find_chromium
from frontend import FrontEnd
from layout_audit import crowded, fitted, ran, show

READABLE = 0.6
"""Zoom below which the front end draws no text on classic nodes (it stops at 0.57)."""


STRETCHES = "app.extensionManager.setting.get('Comfy.VueNodes.AutoScaleLayout')"


@pytest.fixture(scope="module", params=["classic", "nodes 2.0"])
def page(comfy: ComfyServer, request: pytest.FixtureRequest) -> Iterator[FrontEnd]:
    if find_chromium() is None:
        pytest.skip("no Chromium found: install it or set CHROMIUM")
    vue = request.param == "nodes 2.0"
    comfy.post("/history", {"clear": True})
    with FrontEnd(f"http://127.0.0.1:{comfy.port}/") as front:
        if vue and front.evaluate(f"{STRETCHES} != null"):
            pytest.skip("this front end tries Nodes 2.0 out, and stretches classic layouts by 1.2 for them")
        show(front, vue)
        yield front
        show(front, False)


@pytest.mark.parametrize("name", NAMES)
def test_fits_a_usual_screen_and_nothing_overlaps(page: FrontEnd, name: str):
    page.resize(1600, 1000)
    page.load(read(name))
    assert fitted(page) >= READABLE
    assert crowded(page) == []


@pytest.mark.parametrize("name", [PICTURES, GIFS, TINY])
def test_nothing_overlaps_after_a_run(page: FrontEnd, name: str):
    """By the Run button, as it opens."""
    page.resize(1600, 1000)
    page.load(read(name))
    ran(page)
    assert fitted(page) >= READABLE
    assert crowded(page) == []
