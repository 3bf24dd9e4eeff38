"""The wired model, clip and vae behave bit-identically before and after training, however training ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphs
import pytest
from graphs import Graph
from server import ComfyServer

Sticker = Callable[[ComfyServer], str]
STEPS = 5000
PARTS = (["checkpoint", 0], ["checkpoint", 1], ["checkpoint", 2])


def look(server: ComfyServer, nonce: int) -> tuple[list[bytes], dict[str, Any]]:
    """A picture, and the state of everything."""
    forget = Graph()  # ComfyUI caches the last graph's results only: after this one, just the checkpoint's
    forget.add("PreviewAny", source=graphs.checkpoint(forget, "sd15-small")[0])
    server.run(forget).ok()
    graph = graphs.plain("sd15-small")
    graphs.audit(graph, PARTS, nonce)
    result = server.run(graph).ok()
    assert "save" in result.executed, "ComfyUI took the picture from its cache"
    assert "checkpoint" not in result.executed, "the checkpoint was loaded anew"
    return server.pixels(result, "save"), result.json("audit")


def same(now: tuple[list[bytes], dict[str, Any]], before: tuple[list[bytes], dict[str, Any]]) -> None:
    """Assert two looks equal, part by part."""
    for part, state in before[1].items():
        assert now[1][part] == state, part
    assert now[0] == before[0], "the pictures differ"


def training(picture: str, *, error: str = "", **settings: Any) -> Graph:
    graph = Graph()
    model, clip, vae = graphs.checkpoint(graph, "sd15-small")
    if error:
        model = graph.wire("SEALProbeFail", model=model, error=error, at=4)
    graphs.train(graph, (model, clip, vae), picture, **{"preset": "best", "steps": 5, **settings})
    return graph


def test_after_training(comfy: ComfyServer, sticker: Sticker) -> None:
    before = look(comfy, 0)
    for nonce, preset in enumerate(("best", "paper", "hiper"), 1):
        comfy.run(training(sticker(comfy), preset=preset, augment=0.5, name=f"same-{preset}")).ok()
        same(look(comfy, nonce), before)


@pytest.mark.parametrize("error, says", [("runtime", "probe: runtime"), ("oom", "probe: oom"), ("nan", "step")])
def test_after_an_error_inside_the_loop(comfy: ComfyServer, sticker: Sticker, error: str, says: str) -> None:
    before, files = look(comfy, 0), comfy.files()
    result = comfy.run(training(sticker(comfy), error=error, name=f"broken-{error}"))
    assert result.status == "error" and says in result.message
    assert result.error["node_id"] == "train"
    same(look(comfy, 1), before)
    assert comfy.files() == files


def test_after_cancel(comfy: ComfyServer, sticker: Sticker) -> None:
    before, files = look(comfy, 0), comfy.files()
    prompt = comfy.queue(training(sticker(comfy), steps=STEPS, name="cancelled"))
    comfy.until_step(prompt, "train", 3)
    comfy.interrupt()
    result = comfy.wait(prompt)
    assert result.status == "interrupted"
    # Cancel ends the current step. Messages may lag by a step or two, not by thousands.
    assert len(result.progress("train")) <= 10, "trained on after Cancel"
    assert comfy.files() == files
    same(look(comfy, 1), before)
    comfy.run(training(sticker(comfy), steps=2, name="after-cancel")).ok()
