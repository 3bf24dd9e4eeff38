"""Pictures in the look of others, through /prompt: the full SD 1.5 layout with random weights, and the tiny model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphs
from graphs import Graph, Link
from server import ComfyServer

Sticker = Callable[[ComfyServer], str]
PARTS = (["checkpoint", 0], ["checkpoint", 1], ["checkpoint", 2])
SIDE = 256


def regions(graph: Graph, parts: tuple[Link, Link, Link], image: Link, mask: Link, **settings: Any) -> str:
    given = {"model": parts[0], "clip": parts[1], "vae": parts[2], "image": image, "mask": mask}
    return graph.add("SEALStyleRegions", **given, **{"most": 3, "steps": 3, "resolution": SIDE, "seed": 0, **settings})


def restyling(graph: Graph, parts: tuple[Link, Link, Link], content: str, look: str, **settings: Any) -> str:
    """Two pictures with their masks, regions, pairs, the restyled picture and its latents decoded; Restyle's id."""
    made = []
    for name in (content, look):
        picture = graph.add("LoadImage", image=name)
        mask = graph.wire("SemanticMask", image=[picture, 0], method="auto", grow=0, feather=0.0, mask=[picture, 1])
        made.append(regions(graph, parts, [picture, 0], mask))
    match = graph.add("SEALStyleMatch", "match", content=[made[0], 0], style=[made[1], 0], override="")
    graph.add("PreviewImage", "pairs", images=[match, 1])
    graph.add("PreviewAny", "table", source=[match, 2])
    node = graph.add(
        "SEALRestyle", "restyle", model=parts[0], clip=parts[1], vae=parts[2], pairs=[match, 0],
        **{"steps": 4, "strength": 1.0, "content_weight": 0.26, "colours": "style", **settings},
    )  # fmt: skip
    graph.add("SaveImage", "save", images=[node, 0], filename_prefix="restyled")
    graph.add(
        "SaveImage", "latent", images=graph.wire("VAEDecode", samples=[node, 1], vae=parts[2]), filename_prefix="l"
    )
    return node


def state(server: ComfyServer, nonce: int) -> dict[str, Any]:
    """What the wired model, clip and vae are now."""
    graph = graphs.plain("sd15", size=64)
    graphs.audit(graph, PARTS, nonce)
    return server.run(graph).ok().json("audit")


def test_the_full_layout_restyles_and_draws_in_a_style_and_stays_as_it_was(comfy: ComfyServer, sticker: Sticker):
    comfy.free()
    comfy.ensure("sd15")
    picture = sticker(comfy)
    before = state(comfy, 0)
    graph = Graph()
    restyling(graph, graphs.checkpoint(graph, "sd15"), picture, picture)
    result = comfy.run(graph, timeout=900).ok()
    made = comfy.view(result.outputs["save"]["images"][0])
    assert max(made.size) == SIDE and not any(side % 64 for side in made.size)
    assert result.text("table").startswith("1 <- style 1 region")
    assert result.progress("restyle") == [(i, 4) for i in range(1, 5)]
    pictures = []
    for strength in (0.0, 1.0):
        graph = Graph()
        model, clip, vae = graphs.checkpoint(graph, "sd15")
        look = graph.add("LoadImage", image=picture)
        given = {"model": model, "vae": vae, "image": [look, 0], "resolution": SIDE, "strength": strength}
        styled = graph.wire("SEALStyleModel", **given)
        words = [graphs.encode(graph, clip, text) for text in ("a sticker of a cat", "blurry")]
        graphs.sample(graph, styled, *words, vae, size=SIDE)
        pictures += comfy.pixels(comfy.run(graph, timeout=900).ok(), "save")
    assert pictures[0] != pictures[1]
    assert pictures[0] == comfy.pixels(comfy.run(graphs.plain("sd15", size=SIDE), timeout=900).ok(), "save")[0]
    assert state(comfy, 1) == before


def test_a_concept_is_drawn_in_a_style_and_cancel_leaves_nothing(comfy: ComfyServer, sticker: Sticker):
    picture = sticker(comfy)
    graph = Graph()
    node = restyling(graph, graphs.demo_model(graph), picture, picture, steps=1000)
    prompt = comfy.queue(graph)
    comfy.until_step(prompt, node, 3)
    files = comfy.files()
    comfy.interrupt()
    result = comfy.wait(prompt)
    assert result.status == "interrupted" and len(result.progress(node)) < 100
    assert comfy.files() == files
    graph = Graph()
    parts = graphs.demo_model(graph)
    learned = [graphs.train(graph, parts, picture, steps=2, resolution=128, name="in-style"), 0]
    look = graph.add("LoadImage", image=picture)
    model = graph.wire("SEALStyleModel", model=parts[0], vae=parts[2], image=[look, 0], strength=1.0)
    model = graph.wire("SEALApplyEmbedding", model=model, embedding=learned)
    text = graph.wire("SEALTextEncode", clip=parts[1], text="a sticker of <in-style>", embedding=learned, strength=1.0)
    graphs.sample(graph, model, text, graphs.encode(graph, parts[1], ""), parts[2], size=128)
    assert comfy.view(comfy.run(graph).ok().outputs["save"]["images"][0]).size == (128, 128)


def test_what_cannot_be_restyled_is_refused(comfy: ComfyServer, sticker: Sticker):
    comfy.ensure("sd3")
    graph = Graph()
    _, clip, vae = graphs.checkpoint(graph, "sd15-small")
    model = graph.wire("UNETLoader", unet_name="sd3.safetensors", weight_dtype="default")
    picture = graph.add("LoadImage", image=sticker(comfy))
    graph.add("PreviewImage", images=[regions(graph, (model, clip, vae), [picture, 0], [picture, 1]), 1])
    result = comfy.run(graph)
    assert result.status == "error" and "model:" in result.message and "cross-attention" in result.message
