"""The shipped workflows, queued on a real ComfyUI with a small random checkpoint and few steps."""

from __future__ import annotations

import json
from typing import Any

import pictures
import pytest
from graphs import TOKENS
from pack_rules import check_pack
from saved_workflows import NAMES, read
from server import ComfyServer, PromptRejected, Result
from workflow_api import changed, of_type, to_api


@pytest.fixture(scope="module")
def graph(comfy: ComfyServer):
    """Workflow name -> its graph for /prompt: as shipped but for checkpoint, picture, sizes, steps and start."""
    info = comfy.object_info()
    small = {
        "CheckpointLoaderSimple": {"ckpt_name": "sd15-small.safetensors"},
        "LoadImage": {"image": "sticker.png"},
        "SEALTrainEmbedding": {"steps": 2, "resolution": 64},
        "EmptyLatentImage": {"width": 64, "height": 64, "batch_size": 1},
        "KSampler": {"steps": 2},
        "ImageGrid": {"cell_width": 64, "cell_height": 64},
    }

    def sent(name: str) -> dict[str, Any]:
        found = changed(to_api(read(name), info), small)
        if name not in ("seal_demo", "sticker_pack_telegram_whatsapp_signal"):
            from_the_class_word(found)
        return found

    return sent


def from_the_class_word(graph: dict[str, Any]) -> None:
    """The search for words takes minutes with CLIP-L on two cores; workflows on the demo model keep it."""
    tokens = {"class_type": "SplitMergeTokenizer", "inputs": {**TOKENS, "init": "class_word_noise"}}
    for node in [graph[key] for key in of_type(graph, "SEALTrainEmbedding")]:
        if node["inputs"]["preset"] == "best":
            graph["900"] = tokens
            node["inputs"]["tokens"] = ["900", 0]


@pytest.fixture(scope="module")
def trained(comfy: ComfyServer, graph) -> tuple[dict[str, Any], Result]:
    """seal_train, as sent and as run; the other workflows load what it saved."""
    comfy.upload_image("sticker.png", pictures.sticker())
    train = graph("seal_train")
    return train, comfy.run(train).ok()


def shown(comfy: ComfyServer, result: Result, node: str) -> list[tuple[int, int]]:
    """Sizes of the pictures that a node shows; each has more than one colour."""
    found = [comfy.view(image).convert("RGB") for image in result.outputs[node]["images"]]
    assert all(low < high for picture in found for low, high in [picture.convert("L").getextrema()])
    return [picture.size for picture in found]


def test_train(comfy: ComfyServer, trained):
    graph, result = trained
    assert (comfy.embeddings / "my-sticker.safetensors").is_file()
    assert [len(shown(comfy, result, node)) for node in of_type(graph, "PreviewImage")] == [1, 1, 1]
    (report,) = of_type(graph, "PreviewAny")
    assert result.json(report)["config"]["steps"] == 2
    assert shown(comfy, result, *of_type(graph, "SaveImage")) == [(64, 64)]


def test_example_picture_has_a_mask(comfy: ComfyServer, graph):
    """ComfyUI's own example.png, which the workflow opens with."""
    from PIL import Image

    with Image.open(comfy.comfyui / "input/example.png") as picture:
        comfy.upload_image("example.png", picture)
    sent = changed(graph("seal_train"), {"LoadImage": {"image": "example.png"}})
    (mask,) = of_type(sent, "SemanticMask")
    sent["coverage"] = {"class_type": "PreviewAny", "inputs": {"source": [mask, 2]}}
    needed = {mask, "coverage", *of_type(sent, "LoadImage")}
    result = comfy.run({key: node for key, node in sent.items() if key in needed}).ok()
    assert 0.1 < float(result.text("coverage")) < 0.9


def test_generate(comfy: ComfyServer, graph, trained):
    sent = graph("seal_generate")
    result = comfy.run(sent).ok()
    about, prompt = of_type(sent, "PreviewAny")
    assert "<my-sticker> (girl)" in result.text(about)
    assert result.text(prompt).startswith("a sticker of embedding:my-sticker, wearing a red scarf, happy, waving hello")
    assert shown(comfy, result, *of_type(sent, "SaveImage")) == [(64, 64)]


def test_sweep(comfy: ComfyServer, graph, trained):
    sent = graph("seal_sweep")
    result = comfy.run(sent).ok()
    sheet, single = of_type(sent, "SaveImage")
    assert shown(comfy, result, sheet) == [(3 * 64 + 2 * 8, 3 * 64 + 2 * 8)]
    assert shown(comfy, result, single) == [(64, 64)] * 9
    files = [image["filename"] for image in result.outputs[single]["images"]]
    assert files[0].startswith("happy, waving hello_") and files[-1].startswith("angry, eating_")
    assert {image["subfolder"] for image in result.outputs[single]["images"]} == {"seal_sweep"}
    pixels = comfy.pixels(result, single)
    assert len(set(pixels)) == 9, "the words differ, so do the pictures"


def test_compare(comfy: ComfyServer, graph, trained):
    sent = graph("seal_compare")
    result = comfy.run(sent).ok()
    reports = [result.json(node) for node in of_type(sent, "PreviewAny")]
    assert [r["config"]["carrier"] for r in reports] == ["input", "tail", "input"]
    assert [r["config"]["attention_loss"] for r in reports] == ["none", "none", "leak"]
    assert {r["config"]["tokens"]["class_word"] for r in reports} == {"girl"}
    assert shown(comfy, result, *of_type(sent, "SaveImage")) == [(3 * 64 + 2 * 8, 64)]
    decoded = of_type(sent, "VAEDecode")
    drawn = [node for node in of_type(sent, "PreviewImage") if sent[node]["inputs"]["images"][0] in decoded]
    assert len({comfy.pixels(result, node)[0] for node in drawn}) == 3, "three methods, three pictures"
    saved = comfy.files()
    assert "models/seal_tails/my-sticker-hiper.safetensors" in saved
    assert {"models/embeddings/my-sticker-ti.safetensors", "models/embeddings/my-sticker-seal.safetensors"} <= saved


def test_demo(comfy: ComfyServer, graph):
    """Only the pack: its own model, a built-in sticker, a concept learned and drawn."""
    sent = graph("seal_demo")
    result = comfy.run(sent).ok()
    assert (comfy.embeddings / "seal-demo.safetensors").is_file()
    assert [len(shown(comfy, result, node)) for node in of_type(sent, "PreviewImage")] == [1, 1, 1, 1]
    assert shown(comfy, result, of_type(sent, "PreviewImage")[-1]) == [(64, 64)]


def packs_of(comfy: ComfyServer, sent: dict[str, Any], result: Result) -> dict[str, dict[str, Any]]:
    """Platform -> report of each pack of twelve, its files read back against the platform's limits."""
    found = {}
    for node in of_type(sent, "SEALSaveStickerPack"):
        images = result.outputs[node]["images"]
        (folder,) = {comfy.base / "output" / image["subfolder"] for image in images}
        assert len(check_pack(folder)) == len(images) == 12
        report = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
        assert folder.name.startswith(f"my-cat-{report['platform']}")
        found[report["platform"]] = report
    assert list(found) == ["telegram", "whatsapp", "signal"]
    return found


def test_sticker_pack(comfy: ComfyServer, graph):
    """From the drawn pictures on, with substitutes of which one is empty; drawing itself: test_sweep."""
    whole = graph("sticker_pack_telegram_whatsapp_signal")
    (sweep,), (decode,), (cut,) = (
        of_type(whole, t) for t in ("SEALStickerAttributeSweep", "VAEDecode", "SEALStickerCutout")
    )
    sent = {key: node for key, node in whole.items() if int(key) > int(decode) or key == sweep}
    comfy.upload_image("sticker.png", pictures.sticker())
    sent["101"] = {"class_type": "LoadImage", "inputs": {"image": "sticker.png"}}
    blank = {"image": ["101", 0], "label": [sweep, 1], "blank": "waving, sleepy"}
    sent["102"] = {"class_type": "SEALProbeDraw", "inputs": blank}
    assert sent[cut]["inputs"]["image"] == [decode, 0]
    sent[cut]["inputs"]["image"] = ["102", 0]
    result = comfy.run(sent).ok()
    first, second, *_ = result.text(*of_type(sent, "PreviewAny")).splitlines()
    assert first == "11 of 12 pictures cut out" and second.startswith("picture 5 kept whole: image: the learned method")
    packs = packs_of(comfy, sent, result)
    for platform, emoji in (("telegram", ["😀", "👋"]), ("whatsapp", ["😀", "👋"]), ("signal", ["😀"])):
        sticker = packs[platform]["stickers"][0]
        assert sticker["name"] == "waving, happy" and sticker["emoji"] == emoji
        assert packs[platform]["title"] == "My Cat" and packs[platform]["author"] == "Me"
    ((wide, high),) = shown(comfy, result, *of_type(sent, "SaveImage"))
    assert wide > 6 * 256 and 2 * 256 < high < 3 * 256, "two rows of six"
    sent[cut]["inputs"]["if_not_found"] = "stop"
    stopped = comfy.run(sent)
    assert stopped.status == "error" and stopped.executed == {cut}, "all before it came from the cache"
    assert stopped.message.startswith("image: 1 of 12 pictures could not be cut out. Picture 5: image: the learned")


def test_sticker_pack_out_of_the_box(comfy: ComfyServer, graph):
    """As it opens but with fewer steps: the shipped model's pictures can be cut out and packed."""
    sent = changed(graph("sticker_pack_telegram_whatsapp_signal"), {
        "SEALTrainEmbedding": {"steps": 10, "resolution": 0, "name": "out-of-the-box"},
        "EmptyLatentImage": {"width": 128, "height": 128}, "KSampler": {"steps": 8},
    })  # fmt: skip
    result = comfy.run(sent).ok()
    assert result.text(*of_type(sent, "PreviewAny")).splitlines()[0] == "12 of 12 pictures cut out"
    packs_of(comfy, sent, result)


def test_template_browser_lists_them(comfy: ComfyServer):
    listed = comfy.get("/api/workflow_templates")
    assert set(listed["seal-stickers"]) == set(NAMES)
    for name in NAMES:
        for ending in ("json", "jpg"):
            assert comfy._open(f"/api/workflow_templates/seal-stickers/{name}.{ending}")


def test_fresh_install_says_what_is_missing(comfy: ComfyServer, graph):
    """Without a trained concept the graph is refused with the remedy, not with a crash."""
    sent = changed(graph("seal_generate"), {"SEALLoadEmbedding": {"name": "never-trained.safetensors"}})
    with pytest.raises(PromptRejected, match="press R"):
        comfy.queue(sent)
