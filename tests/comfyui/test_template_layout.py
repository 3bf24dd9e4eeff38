"""How the shipped workflows lie on the screen of ComfyUI's own front end: readable, nothing over anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saved_workflows import DRAW, LEARN, LIKE_A_GIF, NAMES, ONE_LOOK, TAILOR, nodes_of, read, widgets
from server import ComfyServer

sys.path.insert(0, str(Path(__file__).parent / "browser"))

from frontend import FrontEnd
from layout_audit import crowded, drawn_boxes, fitted, note_text, ran, show

READABLE = 0.6
"""Zoom below which the front end draws no text on classic nodes (it stops at 0.57)."""
LEGIBLE = 10.0
"""Pixels of the screen: the smallest letters of a note when the whole workflow is in view."""


FEW_STEPS = {
    "SEALTrainEmbedding": {"preset": "textual_inversion", "steps": 2, "resolution": 64},
    "EmptyLatentImage": {"width": 64, "height": 64}, "KSampler": {"steps": 2},
    "SEALTrainMotion": {"steps": 2, "resolution": 64},
    "SEALStyleRegions": {"steps": 2, "resolution": 128}, "SEALRestyle": {"steps": 2},
    "SEALStickerAttributeSweep": {"values_1": "waving"},
    "SEALTailorStyle": {"steps": 2, "resolution": 64, "content_captions": "a cat"},
}  # fmt: skip
"""With a checkpoint of random weights: what is drawn is as big on the node as what a thousand steps make."""
STRETCHES = "app.extensionManager.setting.get('Comfy.VueNodes.AutoScaleLayout')"


@pytest.fixture(scope="module")
def comfy(served: tuple[ComfyServer, FrontEnd]) -> ComfyServer:
    served[0].ensure("sd15-small")
    return served[0]


@pytest.fixture(scope="module", params=["classic", "nodes 2.0"])
def page(
    comfy: ComfyServer, served: tuple[ComfyServer, FrontEnd], request: pytest.FixtureRequest
) -> Iterator[FrontEnd]:
    vue = request.param == "nodes 2.0"
    comfy.post("/history", {"clear": True})
    front = served[1]
    if vue and front.evaluate(f"{STRETCHES} != null"):
        pytest.skip("this front end tries Nodes 2.0 out, and stretches classic layouts by 1.2 for them")
    show(front, vue)
    yield front
    show(front, False)


@pytest.mark.parametrize("name", NAMES)
def test_fits_a_usual_screen_and_nothing_overlaps(page: FrontEnd, name: str):
    page.resize(1600, 1000)
    page.load(read(name))
    assert fitted(page) >= READABLE, drawn_boxes(page)
    assert crowded(page) == []
    smallest, below = note_text(page)
    assert smallest >= LEGIBLE and below <= 0


def in_few_steps(name: str) -> dict[str, Any]:
    """The workflow as it ships; one that needs a checkpoint does as little as gives all that it shows."""
    workflow = read(name)
    if nodes_of(workflow, "CheckpointLoaderSimple"):
        for node in workflow["nodes"]:
            if node["type"] in FEW_STEPS:
                node["widgets_values"] = list({**widgets(node), **FEW_STEPS[node["type"]]}.values())
    return workflow


@pytest.fixture
def checkpoint(comfy: ComfyServer) -> Iterator[None]:
    """The checkpoint that the workflows name, of random weights."""
    (name,) = {node["widgets_values"][0] for node in nodes_of(read(LEARN), "CheckpointLoaderSimple")}
    comfy._link(comfy.base / "models/checkpoints/sd15-small.safetensors", f"models/checkpoints/{name}")
    yield
    (comfy.base / f"models/checkpoints/{name}").unlink()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_overlaps_after_a_run(page: FrontEnd, comfy: ComfyServer, checkpoint: None, name: str):
    """By the Run button, as it opens."""
    page.resize(1600, 1000)
    if name in (DRAW, LIKE_A_GIF, ONE_LOOK, TAILOR) and not (comfy.embeddings / "my-sticker.safetensors").exists():
        page.load(in_few_steps(LEARN))
        ran(page)
    page.evaluate("app.refreshComboInNodes()")
    page.load(in_few_steps(name))
    page.console.clear()
    ran(page)
    assert fitted(page) >= READABLE, drawn_boxes(page)
    assert crowded(page) == []
    # ComfyUI asks the network for sizes of missing models; its own page forbids that.
    assert [text for text in page.complaints() if "Content Security Policy" not in text] == []
