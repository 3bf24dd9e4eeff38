"""One sticker, full-size layouts, ComfyUI's own loaders: train, then generate, through /prompt."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import graphs
import pytest
from graphs import Graph
from safetensors import safe_open
from safetensors.torch import load_file
from server import ComfyServer

Sticker = Callable[[ComfyServer], str]
STEPS = 6
CAT = 2368  # "cat" is this one token in CLIP's vocabulary
KINDS = {"sd15": "SD15 EPS", "sd21v": "SD20 V_PREDICTION", "sdxl": "Segmind_Vega EPS"}
TABLES = {
    "sd15": {"emb_params": "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"},
    "sd21v": {"emb_params": "cond_stage_model.model.token_embedding.weight"},
    "sdxl": {
        "clip_l": "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight",
        "clip_g": "conditioner.embedders.1.model.token_embedding.weight",
    },
}


def complaints(log: str) -> list[str]:
    """Lines of ComfyUI's log that report a problem."""
    return [line for line in log.splitlines() if any(word in line.lower() for word in ("warning", "error", "mismatch"))]


def choice(server: ComfyServer, name: str) -> str:
    """How SEALLoadEmbedding lists a file of this name."""
    options = server.get("/object_info/SEALLoadEmbedding")["SEALLoadEmbedding"]["input"]["required"]["name"]
    listed = options[0] if isinstance(options[0], list) else options[1]["options"]
    found = [option for option in listed if Path(option).stem == name or option == name]
    assert found, f"{name} is not in {listed}"
    return found[0]


@pytest.mark.parametrize("layout", ["sd15", "sd21v", "sdxl"])
def test_train_and_generate(comfy: ComfyServer, sticker: Sticker, layout: str) -> None:
    comfy.free()
    comfy.ensure(layout)
    graph = Graph()
    parts = graphs.checkpoint(graph, layout)
    chosen = {**graphs.TOKENS, "split": 2, "merge": "concat", "init": "class_word"}
    tokens = graph.wire("SplitMergeTokenizer", **chosen)
    name = f"cat-{layout}"
    # CLIP-H and CLIP-G take a second per prompt: only sd15 trains with all prompts and backgrounds.
    few = {"augment": -1.0} if layout == "sd15" else {"prompts": "a sticker of {}"}
    settings = {"preset": "best_embedding", "steps": STEPS, "resolution": 64, "name": name, "class_word": "cat", **few}
    graphs.train(graph, parts, sticker(comfy), tokens=tokens, **settings)
    result = comfy.run(graph).ok()

    report = result.json("report")
    assert len(report["losses"]) == STEPS and all(map(math.isfinite, report["losses"]))
    assert result.text("name") == f"embedding:{name}"
    file = comfy.embeddings / f"{name}.safetensors"
    vectors = load_file(file)
    assert set(vectors) == set(TABLES[layout])
    with safe_open(comfy.base / f"models/checkpoints/{layout}.safetensors", "pt") as weights:
        for key, rows in vectors.items():
            assert rows.isfinite().all() and len(rows) == 2
            start = weights.get_slice(TABLES[layout][key])[CAT : CAT + 1].float()
            assert ((rows - start).norm(dim=1) > 1e-3).all(), f"a vector of {key} has not moved"
    with safe_open(file, "pt") as stored:
        assert set(stored.metadata()) == {"seal"}
        json.loads(stored.metadata()["seal"])

    mark = len(comfy.log)
    plain = comfy.run(graphs.plain(layout, f"a photo of embedding:{name} , blue")).ok()
    routed = comfy.run(graphs.routed(layout, choice(comfy, name), f"a photo of embedding:{name} , blue")).ok()
    graph = graphs.plain(layout, "a photo of cat, blue")
    graphs.audit(graph, parts)
    word = comfy.run(graph).ok()
    assert " ".join(word.json("audit")["kind"][1:]) == KINDS[layout], "not the layout it should be"
    assert not complaints(comfy.log[mark:])
    pictures = {comfy.pixels(run, "save")[0] for run in (plain, routed, word)}
    assert len(pictures) == 3, "the learned token changes nothing"


def test_every_preset_runs(comfy: ComfyServer, sticker: Sticker) -> None:
    """best as it is, its search for words included, on the demo model: with CLIP-L that takes a minute."""
    picture = sticker(comfy)
    for preset in ("best", "paper", "textual_inversion", "hiper"):
        graph = Graph()
        parts = graphs.demo_model(graph) if preset == "best" else graphs.checkpoint(graph, "sd15-small")
        settings = {"preset": preset, "steps": 6, "name": f"p-{preset}", "class_word": "cat"}
        graphs.train(graph, parts, picture, whole=True, **settings)
        result = comfy.run(graph).ok()
        report = result.json("report")
        assert bool(report["described"]) == (preset == "best")
        assert all(map(math.isfinite, report["losses"])), preset
        assert result.text("name") == ("" if preset == "hiper" else f"embedding:p-{preset}")
        assert not comfy.log.count("embeddings/p-hiper")
    assert not (comfy.embeddings / "p-hiper.safetensors").exists()
    assert (comfy.base / "models/seal_tails/p-hiper.safetensors").exists()


def test_progress_and_pictures(comfy: ComfyServer, sticker: Sticker) -> None:
    graph = Graph()
    graphs.train(graph, graphs.checkpoint(graph, "sd15-small"), sticker(comfy), steps=5, name="progress")
    result = comfy.run(graph).ok()
    assert result.progress("train") == [(i, 5) for i in range(1, 6)]
    for node in ("loss", "attention"):
        picture = comfy.view(result.outputs[node]["images"][0])
        assert min(picture.size) >= 64 and len(picture.getcolors(1 << 20) or []) > 2


def test_semantic_mask_feeds_training(comfy: ComfyServer, sticker: Sticker) -> None:
    graph = Graph()
    parts = graphs.checkpoint(graph, "sd15-small")
    graphs.train(graph, parts, sticker(comfy), steps=2, name="masked")
    node = graph.add(
        "SemanticMask", "mask", image=["image", 0], method="auto", grow=0, feather=0.0, mask=["image", 1],
        mask_polarity="auto",
    )  # fmt: skip
    graph["train"]["inputs"]["mask"] = [node, 0]
    graph.add("PreviewAny", "coverage", source=[node, 2])
    result = comfy.run(graph).ok()
    assert 0.2 < float(result.text("coverage")) < 0.8


def test_a_diffusion_transformer_is_refused(comfy: ComfyServer, sticker: Sticker) -> None:
    comfy.ensure("sd3")
    graph = Graph()
    _, clip, vae = graphs.checkpoint(graph, "sd15-small")
    model = graph.wire("UNETLoader", unet_name="sd3.safetensors", weight_dtype="default")
    graphs.train(graph, (model, clip, vae), sticker(comfy), name="dit")
    result = comfy.run(graph)
    assert result.status == "error"
    assert result.message.startswith("model:") and "cross-attention" in result.message
    graph = Graph()
    model = graph.wire("UNETLoader", unet_name="sd3.safetensors", weight_dtype="default")
    spec = graph.add("LayerRestrictionSpec", model=model, preset="up", layers="", start_percent=0.0, end_percent=1.0)
    graph.add("PreviewAny", source=[spec, 1])
    result = comfy.run(graph)
    assert result.status == "error" and result.message.startswith("model:")
