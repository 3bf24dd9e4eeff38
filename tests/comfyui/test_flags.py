"""ComfyUI's other attention and precision flags, a graphics card, LoRA and CLIP skip."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphs
import pytest
from graphs import Graph
from installed import find_python
from server import ComfyServer, Result

Sticker = Callable[[ComfyServer], str]
ROUTED = "a photo of embedding:flags , blue"


def train(server: ComfyServer, picture: str, **settings: Any) -> Result:
    graph = Graph()
    graphs.train(graph, graphs.checkpoint(graph, "sd15-small"), picture, **{"preset": "best", "steps": 4, **settings})
    return server.run(graph).ok()


@pytest.mark.parametrize(
    "flags",
    [
        ("--use-split-cross-attention",),
        ("--use-pytorch-cross-attention",),
        ("--fp16-unet",),
        ("--bf16-unet", "--bf16-vae"),
    ],
    ids=lambda flags: flags[0],
)
def test_flags(
    another: Callable[..., ComfyServer], comfy: ComfyServer, sticker: Sticker, flags: tuple[str, ...]
) -> None:
    rounding = 2e-3 if "attention" in flags[0] else 0.1
    trains_alike(comfy, another(*flags), sticker, rounding)


@pytest.mark.gpu
def test_on_a_card(another: Callable[..., ComfyServer], comfyui: Path, comfy: ComfyServer, sticker: Sticker) -> None:
    """As users run it: in half precision, and newer ComfyUIs stream the weights (ModelPatcherDynamic)."""
    has_card = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    if subprocess.run([find_python(comfyui), "-c", has_card]).returncode:
        pytest.skip("no graphics card that the torch of this ComfyUI can use")
    trains_alike(comfy, another(cpu=False), sticker, rounding=0.1)


def trains_alike(usual: ComfyServer, other: ComfyServer, sticker: Sticker, rounding: float) -> None:
    """Both servers get the same losses, and each can draw the other's concept."""
    expected = train(usual, sticker(usual), name="flags").json("report")["losses"]
    losses = train(other, sticker(other), name="flags").json("report")["losses"]
    assert losses == pytest.approx(expected, rel=rounding)
    other.run(graphs.routed("sd15-small", "flags", ROUTED)).ok()
    assert "nan" not in other.log.lower()


def test_lora_and_clip_skip(comfy: ComfyServer, sticker: Sticker) -> None:
    comfy.ensure("lora")
    picture = sticker(comfy)

    def build(name: str, lora: bool, skip: int) -> Graph:
        graph = Graph()
        model, clip, vae = graphs.checkpoint(graph, "sd15-small")
        if lora:
            strengths = {"strength_model": 1.0, "strength_clip": 1.0}
            node = graph.add("LoraLoader", model=model, clip=clip, lora_name="lora.safetensors", **strengths)
            model, clip = [node, 0], [node, 1]
        if skip:
            clip = graph.wire("CLIPSetLastLayer", clip=clip, stop_at_clip_layer=skip)
        graphs.train(graph, (model, clip, vae), picture, preset="best", steps=3, name=name)
        text = graphs.encode(graph, clip, "a sticker of a cat")
        graphs.sample(graph, model, text, graphs.encode(graph, clip, "blurry"), vae)
        return graph

    losses, before = {}, {}
    for lora in (False, True):
        for skip in (0, -2):
            key = (lora, skip)
            result = comfy.run(build(f"lora-{lora:d}{-skip}", lora, skip)).ok()
            losses[key] = tuple(result.json("report")["losses"])
            before[key] = comfy.pixels(result, "save")
            assert all(map(math.isfinite, losses[key]))
    assert len(set(losses.values())) == 4, "LoRA or CLIP skip had no effect on training"
    for lora, skip in before:  # the same pictures again, after trainings with everything
        graph = build("", lora, skip)
        for node in ("train", "name", "loss", "attention", "report", "image"):
            graph.pop(node)
        result = comfy.run(graph).ok()
        assert "save" in result.executed
        assert comfy.pixels(result, "save") == before[lora, skip]
