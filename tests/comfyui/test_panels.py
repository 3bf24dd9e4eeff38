"""The live panel, the layer picker and the words over numbers, in ComfyUI's own front end in a headless Chromium."""

from __future__ import annotations

import re
import sys
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from server import ComfyServer

sys.path.insert(0, str(Path(__file__).parent / "browser"))

from frontend import FrontEnd
from panels import OFFERED, PICKER, RESUMED, Panels
from saved_workflows import shipped_subgraphs

SIMPLE = ["class_word", "name", "preset", "quality"]
QUICK = {"class_word": "cat", "preset": "textual_inversion"}
"""Looks for no words, and takes a few milliseconds a step."""


@pytest.fixture(params=[False, True], ids=["classic", "nodes2"])
def panels(request: pytest.FixtureRequest, served: tuple[ComfyServer, FrontEnd]) -> Callable[..., Panels]:
    return lambda **settings: Panels(served[1], nodes2=request.param, **{**QUICK, **settings})


def hides_advanced(panels: Panels) -> bool:
    """Front end 1.35 shows all widgets of Nodes 2.0, whatever they are."""
    return not panels.nodes2 or "1.35" not in panels.page.evaluate("window.__COMFYUI_FRONTEND_VERSION__ ?? ''")


def test_a_training_node_shows_what_a_person_sets(panels: Callable[..., Panels]) -> None:
    opened = panels()
    state = opened.state()
    assert state["title"] == "Not trained yet" and not state["pictures"] and not state["cut"]
    if hides_advanced(opened):
        assert [name for name in opened.shown_widgets() if name != "seal_training"] == SIMPLE
    opened.show_advanced()
    assert {"steps", "seed", "concept", "run_id", *SIMPLE} <= set(opened.shown_widgets())
    words = opened.number_words()
    assert {words[name] for name in ("steps", "learning_rate", "attention_weight", "augment")} == {"preset"}
    assert words["resolution"] == "model's own" and words["preview_every"] == "auto"
    if not opened.nodes2:
        assert words["seed"] == "0", "a plain number stays one"
        before = opened.state()["size"]
        opened.click("Fewer settings")
        assert opened.state()["size"][1] < before[1] - 200, "and the node fits again"
    assert not opened.messages()


@pytest.fixture
def chinese(served: tuple[ComfyServer, FrontEnd]) -> Iterator[None]:
    """ComfyUI's language is Chinese; it takes effect when the page opens."""
    served[1].speak("zh")
    yield
    served[1].speak("en")


def test_panels_speak_comfyuis_language(chinese: None, panels: Callable[..., Panels]) -> None:
    opened = panels()
    state = opened.state()
    assert state["title"] == "尚未训练" and "新词" in state["note"] and not state["cut"]
    opened.show_advanced()
    assert {"预设", "模型自己的", "自动"} <= set(opened.number_words().values())
    assert opened.picker()["map"] == "included"
    assert "Layers of" not in opened.page.evaluate("sealTest.panel(sealTest.layers).innerText")
    assert not opened.messages()


def test_a_training_is_watched_stopped_and_kept(
    panels: Callable[..., Panels], served: tuple[ComfyServer, FrontEnd], request: pytest.FixtureRequest
) -> None:
    server, name = served[0], f"kept-{len(request.node.name)}"
    opened = panels(name=name, steps=4000, preview_every=20)
    size = opened.state()["size"]
    opened.run()
    seen = opened.until("s.title.startsWith('Step ') && s.pictures.length === 2 && s.points > 3")
    assert seen["title"].startswith("Step ") and seen["title"].endswith(" of 4000")
    assert seen["pictures"] == ["attention", "preview"] and seen["buttons"] == ["Stop and keep", "Cancel"]
    assert not seen["cut"] and seen["size"] == size, "the node keeps its size"
    opened.click("Stop and keep")
    end = opened.until("s.title.startsWith('Stopped after')")
    assert end["title"].endswith(" of 4000 steps, kept") and "SEAL Load Embedding" in end["note"]
    likeness, leak = end["gains"]
    assert "unchanged" in likeness or re.search(r"\d % (better|worse)$", likeness)
    assert re.search(r"(none|[1-9]\d* %)$", leak), "less than before is no leak"
    assert not end["cut"]
    assert (server.embeddings / f"{name}.safetensors").exists()
    if hides_advanced(opened):
        assert end["size"] == size
    assert end["buttons"][0] == "Go on"
    offered, chosen = opened.page.evaluate(f"({OFFERED})()")
    assert f"{name}.safetensors" in offered and chosen, "a loader added now knows it, though the page is older"
    opened.click("Go on")
    step = int(end["title"].split()[2])
    assert opened.page.evaluate(f"({RESUMED})()") == ["SEALLoadEmbedding", f"{name}.safetensors", 4000 - step]
    opened.until(f"s.title.startsWith('Step ') && s.title.endsWith(' of {4000 - step}')")
    opened.click("Cancel")
    assert "Stop and keep" in opened.until("s.title.startsWith('Cancelled')")["note"]
    others = [message["type"] for message in server._messages if message["type"].startswith("seal")]
    assert not others, "only the client that queued it is told"
    assert not opened.messages()


def test_a_subgraph_shows_the_training_inside(
    panels: Callable[..., Panels], served: tuple[ComfyServer, FrontEnd], request: pytest.FixtureRequest
) -> None:
    """On its node outside, where the user is; opened, on the node inside as well."""
    name = f"inside-{len(request.node.name)}"
    opened = panels(blueprint=shipped_subgraphs()["Learn a character"], name=name, steps=4000, preview_every=20)
    assert opened.state()["title"] == "Not trained yet" and not opened.state()["buttons"]
    opened.run()
    seen = opened.until("s.title.startsWith('Step ') && s.pictures.length === 2 && s.points > 3")
    assert seen["buttons"] == ["Stop and keep", "Cancel"] and not seen["cut"]
    opened.enter_subgraph()
    inside = opened.until("s.title.startsWith('Step ') && s.pictures.length === 2")
    assert inside["buttons"] == ["Stop and keep", "Cancel"]
    opened.click("Stop and keep")
    assert opened.until("s.title.startsWith('Stopped after')")["title"].endswith(" of 4000 steps, kept")
    opened.leave_subgraph()
    assert opened.state()["title"].startswith("Stopped after") and len(opened.state()["gains"]) == 2
    assert (served[0].embeddings / f"{name}.safetensors").exists()
    assert not opened.messages()


def test_cancel_keeps_nothing(panels: Callable[..., Panels], served: tuple[ComfyServer, FrontEnd]) -> None:
    opened = panels(name="gone", steps=4000)
    opened.run()
    opened.until("s.title.startsWith('Step ')")
    opened.click("Cancel")
    assert opened.until("s.title.startsWith('Cancelled')")["title"] == "Cancelled, nothing is saved"
    assert not (served[0].embeddings / "gone.safetensors").exists()


def test_a_training_that_fails_says_why(panels: Callable[..., Panels]) -> None:
    opened = panels(name="no such/name")
    opened.run()
    failed = opened.until("s.title.startsWith('Failed')")
    assert failed["note"].startswith("name: ") and not failed["cut"]


def test_layers_are_clicked_together(panels: Callable[..., Panels]) -> None:
    opened = panels(steps=1, name="layers")
    start = opened.picker()
    assert start["map"] == "included", "the demo model is wired"
    assert start["chosen"] == [f"up.{i}" for i in (4, 5, 2, 3, 0, 1)], "finest maps first"
    opened.show_map("SD 1.x, 2.x")
    opened.click("appearance")
    assert set(opened.picker()["chosen"]) == {f"up.{i}" for i in range(3, 9)}
    opened.click("down.0")
    clicked = opened.picker()
    assert (clicked["preset"], clicked["layers"]) == ("custom", "down.0, up.3-8")
    opened.click("up, out")
    assert opened.picker()["layers"] == "down.0, up"
    opened.show_map("SDXL")
    assert len(opened.picker()["sites"]) == 70
    opened.click("all")
    assert opened.picker()["preset"] == "all" and len(opened.picker()["chosen"]) == 70
    if opened.nodes2:  # another graph than the classic test's: what ComfyUI's cache answers comes without a message
        opened.click("down, in")
        assert opened.picker()["layers"] == "mid, up"
    opened.run()
    opened.page.wait_for(f"({PICKER})().map === 'wired model'", 120)
    walked = opened.picker()
    assert walked["sites"] == start["sites"], "the table of the included model is the model's"
    assert not opened.messages()


def test_the_last_layer_stays(panels: Callable[..., Panels]) -> None:
    opened = panels()
    for part in ("down, in", "down, in"):  # all on, then all off again
        opened.click(part)
    opened.click("up, out")
    assert opened.picker()["chosen"], "no layer at all would be an error"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({}, 400),
        (["stop"], 400),
        ({"prompt_id": "p", "node": "1", "do": "delete"}, 400),
        ({"prompt_id": "p", "node": 1, "do": "stop"}, 400),
        ({"prompt_id": "p", "node": "1", "do": "stop"}, 404),
    ],
)
def test_the_route_refuses_what_is_no_running_training(
    served: tuple[ComfyServer, FrontEnd], request_: object, status: int
) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        served[0].post("/seal/training", request_)
    assert refused.value.code == status
