"""The harness itself: ComfyUI runs, and the random checkpoints are what they say."""

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


@pytest.mark.parametrize(
    "name, kind",
    [("sd15", "SD15 EPS"), ("sd21v", "SD20 V_PREDICTION"), ("sdxl", "Segmind_Vega EPS")],
)
def test_layouts_are_what_comfyui_detects(comfy: ComfyServer, name: str, kind: str) -> None:
    comfy.ensure(name)
    graph = graphs.plain(name)
    graphs.audit(graph, (["checkpoint", 0], ["checkpoint", 1], ["checkpoint", 2]))
    result = comfy.run(graph).ok()
    audit = result.json("audit")
    assert " ".join(audit["kind"][1:]) == kind
    assert not audit["model"]["hooks"] and not audit["model"]["shadowed"]
    assert len(set(comfy.pixels(result, "save")[0])) > 16
