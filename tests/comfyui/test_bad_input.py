"""Bad input: a message that names the node's input and the remedy, and nothing is left behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import graphs
import pictures
import pytest
from graphs import Graph
from PIL import Image
from server import ComfyServer, PromptRejected

Sticker = Callable[[ComfyServer], str]


def refusal(server: ComfyServer, graph: Graph) -> str:
    """What ComfyUI shows: its own validation's answer, or the node's message. No file may be left."""
    files = server.files()
    try:
        result = server.run(graph)
    except PromptRejected as rejected:
        return str(rejected)
    assert result.status == "error", f"accepted: {result.outputs.get('report')}"
    assert "SealError" in result.error["exception_type"], result.error
    assert server.files() == files
    return result.message


def training(picture: str, **settings: Any) -> Graph:
    graph = Graph()
    graphs.train(graph, graphs.checkpoint(graph, "sd15-small"), picture, **{"steps": 1, **settings})
    return graph


NAMES = ["", " ", "..", "../cat", "a/b", "a\\b", "/tmp/cat", "my cat", "cat.v2", "c:cat", "kat\N{CAT FACE}", "x" * 300]


@pytest.mark.parametrize("name", NAMES)
def test_names(comfy: ComfyServer, sticker: Sticker, name: str) -> None:
    assert refusal(comfy, training(sticker(comfy), name=name)).startswith("name:")


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"steps": -1}, "steps"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"learning_rate": math.inf}, "learning_rate"),
        ({"learning_rate": 1e6}, "learning_rate"),
        ({"learning_rate": -0.1}, "learning_rate"),
        ({"batch_size": 1000}, "batch_size"),
        ({"preset": "magic"}, "preset"),
        ({"prompts": "a sticker without the place"}, "prompts"),
        ({"prompts": "one {} and another {}"}, "prompts"),
        ({"prompts": "{} " + "very " * 120}, "prompts"),
        ({"reference_attributes": "{not json"}, "reference_attributes"),
        ({"reference_attributes": '{"colour": "red"}'}, "reference_attributes"),
        ({"resolution": 8}, "resolution"),
        ({"attention_loss": "magic"}, "attention_loss"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_settings(comfy: ComfyServer, sticker: Sticker, settings: dict[str, Any], says: str) -> None:
    message = refusal(comfy, training(sticker(comfy), name="bad", **settings))
    assert says in message


@pytest.mark.parametrize("value, kind", [(0.0, "empty"), (1.0, "full")])
def test_empty_and_full_masks(comfy: ComfyServer, sticker: Sticker, value: float, kind: str) -> None:
    for polarity in ("auto", "foreground", "background"):
        graph = training(sticker(comfy), name="bad", mask_polarity=polarity)
        graph["train"]["inputs"]["mask"] = graph.wire("SolidMask", value=value, width=128, height=128)
        assert refusal(comfy, graph).startswith("mask")


def test_inverted_and_foreground_masks_train_alike(comfy: ComfyServer, sticker: Sticker) -> None:
    picture, losses = sticker(comfy), []
    for name, invert in (("polarity-a", False), ("polarity-b", True)):
        graph = training(picture, name=name, preset="best")
        if invert:
            graph["train"]["inputs"]["mask"] = graph.wire("InvertMask", mask=["image", 1])
        losses.append(comfy.run(graph).ok().json("report")["losses"])
    assert losses[0] == losses[1]


def test_mask_of_another_size_is_resized_and_said(comfy: ComfyServer, sticker: Sticker) -> None:
    graph = training(sticker(comfy), name="resized")
    small = graph.wire("ImageScale", image=["image", 0], upscale_method="area", width=40, height=40, crop="disabled")
    graph["train"]["inputs"]["image"] = small
    report = comfy.run(graph).ok().json("report")
    assert any("mask" in warning and "128" in warning for warning in report["warnings"]), report["warnings"]


def batch(graph: Graph, count: int, masks: int) -> Graph:
    graph["train"]["inputs"]["image"] = graph.wire("RepeatImageBatch", image=["image", 0], amount=count)
    as_image = graph.wire("MaskToImage", mask=["image", 1])
    repeated = graph.wire("RepeatImageBatch", image=as_image, amount=masks)
    graph["train"]["inputs"]["mask"] = graph.wire("ImageToMask", image=repeated, channel="red")
    return graph


def test_batches(comfy: ComfyServer, sticker: Sticker) -> None:
    picture = sticker(comfy)
    comfy.run(batch(training(picture, name="batch-one-mask"), 3, 1)).ok()
    comfy.run(batch(training(picture, name="batch-masks"), 3, 3)).ok()
    message = refusal(comfy, batch(training(picture, name="bad"), 3, 2))
    assert message.startswith("mask:") and "2" in message and "3" in message


@pytest.mark.parametrize("mode, size", [("L", (128, 128)), ("RGB", (70, 131)), ("RGB", (3264, 2448))], ids=str)
def test_odd_pictures_train(comfy: ComfyServer, mode: str, size: tuple[int, int]) -> None:
    ground = Image.new("RGBA", size, "white")
    cat = pictures.sticker(size=min(size) * 3 // 4)
    ground.alpha_composite(cat, ((size[0] - cat.width) // 2, (size[1] - cat.height) // 2))
    graph = training(comfy.upload_image("odd.png", ground.convert(mode)), name=f"odd-{mode}-{size[0]}")
    node = graph.add("SemanticMask", image=["image", 0], method="border", grow=0, feather=0.0)
    graph["train"]["inputs"]["mask"] = [node, 0]
    assert all(map(math.isfinite, comfy.run(graph).ok().json("report")["losses"]))


def test_one_pixel(comfy: ComfyServer) -> None:
    picture = comfy.upload_image("dot.png", Image.new("RGBA", (1, 1), "red"))
    assert refusal(comfy, training(picture, name="bad")).split(":")[0] in ("image", "mask")


def tokenizer(graph: Graph, **settings: Any) -> Graph:
    node = graph.add("SplitMergeTokenizer", "tokens", **{**graphs.TOKENS, **settings})
    graph.add("PreviewAny", "summary", source=[node, 1])
    return graph


def test_words(comfy: ComfyServer, sticker: Sticker) -> None:
    picture = sticker(comfy)
    for named, word in (("concept", "cat"), ("concept", "{}"), ("class_word", "  "), ("class_word", "\u2028")):
        assert refusal(comfy, training(picture, name="words", **{named: word})).startswith(f"{named}:"), word
    assert "split" in refusal(comfy, tokenizer(Graph(), split=17))
    assert refusal(comfy, tokenizer(Graph(), init="described", merge="mean")).startswith("init:")
    graph = tokenizer(training(picture, name="two-words", class_word="grumpy wombat"), split=2)
    graph["train"]["inputs"]["tokens"] = ["tokens", 0]
    result = comfy.run(graph).ok()
    assert result.text("summary") == "split = 2"
    report = result.json("report")
    assert "'grumpy wombat' -> " in report["class_word"]["clip_l"]
    assert report["preset"] == "textual_inversion"
    assert report["changed"] == {"steps": 1, "resolution": 64, "tokens.split": 2}


@pytest.mark.parametrize("named", ["learning_rate", "attention_weight", "background_weight", "augment", "merge_at"])
def test_no_number(comfy: ComfyServer, sticker: Sticker, named: str) -> None:
    """JSON's NaN passes every minimum and maximum."""
    bad = {named: math.nan}
    graph = tokenizer(Graph(), **bad) if named == "merge_at" else training(sticker(comfy), name="no-number", **bad)
    assert refusal(comfy, graph).startswith(f"{named}: nan")


@pytest.mark.parametrize("layers", ["up.99", "side.1", "up.5-2", "", "nonsense"])
def test_layers(comfy: ComfyServer, layers: str) -> None:
    graph = Graph()
    model, _, _ = graphs.checkpoint(graph, "sd15-small")
    node = graph.add(
        "LayerRestrictionSpec", model=model, preset="custom", layers=layers, start_percent=0.0, end_percent=1.0
    )
    graph.add("PreviewAny", source=[node, 1])
    message = refusal(comfy, graph)
    assert message.startswith("layers:") and "up.0" in message
