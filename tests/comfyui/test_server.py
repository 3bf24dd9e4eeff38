"""The harness itself: ComfyUI runs, and detects the random checkpoints as intended."""

from __future__ import annotations

import graphs
import pytest
from server import ComfyServer, PromptRejected


def test_nodes_are_there(comfy: ComfyServer) -> None:
    info = comfy.object_info()
    assert {"KSampler", "PreviewAny", "SEALProbeAudit", "SEALProbeFail", "SEALProbeMemory"} <= set(info)


def test_a_broken_graph_is_rejected_with_its_node(comfy: ComfyServer) -> None:
    graph = graphs.plain("no-such-checkpoint")
    with pytest.raises(PromptRejected) as caught:
        comfy.queue(graph)
    assert "checkpoint" in caught.value.node_errors


def test_pictures_depend_on_the_prompt(comfy: ComfyServer) -> None:
    def picture(text: str) -> list[bytes]:
        result = comfy.run(graphs.plain("sd15-small", text)).ok()
        return comfy.pixels(result, "save")

    cat, dog = picture("a sticker of a cat"), picture("a sticker of a dog")
    assert cat != dog
    assert len(set(cat[0])) > 16, "a flat picture: the random weights saturate"
