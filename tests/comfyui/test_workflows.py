"""The shipped workflows, queued on a real ComfyUI with a small random checkpoint and few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pictures
import pytest
from graphs import TOKENS
from pack_rules import check_pack
from saved_workflows import (
    COMPARE,
    DRAW,
    EXAMPLES,
    GIFS,
    LEARN,
    LOOKS,
    MOVING,
    NAMES,
    ONE_LOOK,
    PICTURES,
    TAILOR,
    TINY,
    read,
)
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
    }

    def sent(name: str) -> dict[str, Any]:
        found = changed(to_api(read(name), info), small)
        if name not in (TINY, MOVING):
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
    """LEARN, as sent and as run; other workflows load what it saved."""
    comfy.upload_image("sticker.png", pictures.sticker())
    train = graph(LEARN)
    return train, comfy.run(train).ok()


def shown(comfy: ComfyServer, result: Result, node: str) -> list[tuple[int, int]]:
    """Sizes of the pictures that a node shows; each has more than one colour."""
    found = [comfy.view(image).convert("RGB") for image in result.outputs[node]["images"]]
    assert all(low < high for picture in found for low, high in [picture.convert("L").getextrema()])
    return [picture.size for picture in found]


def test_learn(comfy: ComfyServer, trained):
    graph, result = trained
    assert (comfy.embeddings / "my-sticker.safetensors").is_file()
    assert [len(shown(comfy, result, node)) for node in of_type(graph, "PreviewImage")] == [1]
    assert shown(comfy, result, *of_type(graph, "SaveImage")) == [(64, 64)]


def test_example_sticker_has_a_mask(comfy: ComfyServer, graph):
    """The sticker that the workflow opens with; js/examples.js uploads it."""
    from PIL import Image

    sent = to_api(read(LEARN), comfy.object_info())
    (load,), (mask,) = of_type(sent, "LoadImage"), of_type(sent, "SemanticMask")
    name = sent[load]["inputs"]["image"]
    with Image.open(EXAMPLES / name) as picture:
        comfy.upload_image(name, picture.convert("RGBA"))
    sent["coverage"] = {"class_type": "PreviewAny", "inputs": {"source": [mask, 2]}}
    result = comfy.run({key: sent[key] for key in (mask, load, "coverage")}).ok()
    assert 0.1 < float(result.text("coverage")) < 0.9


def test_draw(comfy: ComfyServer, graph, trained):
    sent = graph(DRAW)
    (about,) = of_type(sent, "PreviewAny")
    (words,) = of_type(sent, "StickerAttributePrompt")
    sent["words"] = {"class_type": "PreviewAny", "inputs": {"source": [words, 0]}}
    result = comfy.run(sent).ok()
    assert "<my-sticker> (cat)" in result.text(about)
    assert result.text("words").startswith("a sticker of embedding:my-sticker, happy, waving hello, full body")
    assert shown(comfy, result, *of_type(sent, "SaveImage")) == [(64, 64)]


def test_tailor(comfy: ComfyServer, graph, trained):
    """A saved look, and a learned character drawn by the model that has it."""
    for file in EXAMPLES.glob("seal-watercolor-*"):
        (comfy.base / "input" / file.name).write_bytes(file.read_bytes())
    sent = changed(graph(TAILOR), {"SEALTailorStyle": {"steps": 2, "resolution": 64, "content_captions": "a cat"}})
    (tailor,) = of_type(sent, "SEALTailorStyle")
    sent["report"] = {"class_type": "PreviewAny", "inputs": {"source": [tailor, 3]}}
    result = comfy.run(sent).ok()
    assert result.json("report")["pictures"] == {"style": 4, "content": 1}
    assert (comfy.base / "models/loras/my-style.safetensors").is_file()
    (saved,) = of_type(sent, "SaveImage")
    assert shown(comfy, result, saved) == [(64, 64)]
    looked = comfy.pixels(result, saved)
    (apply,), (loader,) = of_type(sent, "SEALApplyEmbedding"), of_type(sent, "CheckpointLoaderSimple")
    sent[apply]["inputs"]["model"] = [loader, 0]
    assert comfy.pixels(comfy.run(sent).ok(), saved) != looked, "without the look"


def test_one_look(comfy: ComfyServer, graph, trained):
    """A pack of the learned character, which another look changes."""
    for file in EXAMPLES.glob("seal-*"):
        (comfy.base / "input" / file.name).write_bytes(file.read_bytes())
    few = {"SEALStickerAttributeSweep": {"values_1": "waving", "values_2": "happy\nsad\nangry"}}
    sent = changed(
        graph(ONE_LOOK), {**few, "LoadImage": {"image": "seal-look.jpg"}, "SEALStyleModel": {"resolution": 64}}
    )
    (decode,) = of_type(sent, "VAEDecode")
    sent["drawn"] = {"class_type": "PreviewImage", "inputs": {"images": [decode, 0]}}
    result = comfy.run(sent).ok()
    for pack in of_type(sent, "SEALSaveStickerPack"):
        assert len(result.outputs[pack]["images"]) >= 3
    first = comfy.pixels(result, "drawn")
    other = changed(sent, {"LoadImage": {"image": "seal-pixels.png"}})
    assert comfy.pixels(comfy.run(other).ok(), "drawn") != first


def test_three_looks(comfy: ComfyServer, graph):
    """The pairs name all regions, and another choice of looks gives another picture."""
    for file in EXAMPLES.iterdir():
        (comfy.base / "input" / file.name).write_bytes(file.read_bytes())
    few = {"SEALStyleRegions": {"steps": 2, "resolution": 128}, "SEALRestyle": {"steps": 2}}
    sent = changed(graph(LOOKS), few)
    for key, shipped in to_api(read(LOOKS), comfy.object_info()).items():
        if shipped["class_type"] == "LoadImage":
            sent[key]["inputs"]["image"] = shipped["inputs"]["image"]
    (match,), (saved,) = of_type(sent, "SEALStyleMatch"), of_type(sent, "SaveImage")
    sent["table"] = {"class_type": "PreviewAny", "inputs": {"source": [match, 2]}}
    first = comfy.run(sent).ok()
    table = first.text("table").splitlines()
    assert [line.split(" <- ")[0] for line in table] == [str(i + 1) for i in range(len(table))]
    sent[match]["inputs"]["override"] = "\n".join(f"{i + 1} <- style {i % 3 + 1} region 1" for i in range(len(table)))
    other = comfy.run(sent).ok()
    assert other.text("table").splitlines() == sent[match]["inputs"]["override"].splitlines()
    assert comfy.pixels(first, saved) != comfy.pixels(other, saved)


def test_compare(comfy: ComfyServer, graph, trained):
    sent = graph(COMPARE)
    trainings = of_type(sent, "SEALTrainEmbedding")
    for node in trainings:
        sent[f"report {node}"] = {"class_type": "PreviewAny", "inputs": {"source": [node, 4]}}
    decoded = of_type(sent, "VAEDecode")
    for node in decoded:
        sent[f"drawn {node}"] = {"class_type": "PreviewImage", "inputs": {"images": [node, 0]}}
    result = comfy.run(sent).ok()
    reports = [result.json(f"report {node}") for node in trainings]
    assert [r["config"]["carrier"] for r in reports] == ["input", "tail", "input"]
    assert [r["config"]["attention_loss"] for r in reports] == ["none", "none", "leak"]
    assert {r["config"]["tokens"]["class_word"] for r in reports} == {"cat"}
    assert len({comfy.pixels(result, f"drawn {node}")[0] for node in decoded}) == 3, "three methods, three pictures"
    ((wide, high),) = shown(comfy, result, *of_type(sent, "SaveImage"))
    assert wide > 640 and high > 640, "the sticker and three pictures, two by two"
    saved = comfy.files()
    assert "models/seal_tails/my-sticker-hiper.safetensors" in saved
    assert {"models/embeddings/my-sticker-ti.safetensors", "models/embeddings/my-sticker-seal.safetensors"} <= saved


@pytest.mark.parametrize(
    ("name", "files", "title", "endings"),
    [(PICTURES, "seal-picture-*.jpg", "My_Pictures", {".png", ".webp"}), (GIFS, "*.gif", "My_GIFs", {".webm"})],
)
def test_own_files_become_packs(comfy: ComfyServer, graph, name: str, files: str, title: str, endings: set[str]):
    examples = [*EXAMPLES.glob(files)]
    for file in examples:
        (comfy.base / "input" / file.name).write_bytes(file.read_bytes())
    comfy.run(graph(name)).ok()
    for platform in ("telegram", "whatsapp", "signal"):
        folder = comfy.base / f"output/stickers/{title}-{platform}"
        assert len(check_pack(folder)) == len(examples)
        stickers = json.loads((folder / "pack.json").read_text(encoding="utf-8"))["stickers"]
        assert {sticker["name"] for sticker in stickers} == {file.stem for file in examples}
        assert platform != "telegram" or {Path(sticker["file"]).suffix for sticker in stickers} <= endings


def packs_of(comfy: ComfyServer, sent: dict[str, Any], result: Result) -> dict[str, dict[str, Any]]:
    """Platform -> report of each pack of twelve, its files read back against the platform's limits."""
    found = {}
    for node in of_type(sent, "SEALSaveStickerPack"):
        images = result.outputs[node]["images"]
        (folder,) = {comfy.base / "output" / image["subfolder"] for image in images}
        assert len(check_pack(folder)) == len(images) == 12
        report = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
        assert report["platform"] in folder.name
        found[report["platform"]] = report
    assert list(found) == ["telegram", "whatsapp", "signal"]
    return found


def test_sticker_pack(comfy: ComfyServer, graph):
    """From the drawn pictures on, with substitutes of which one is empty; drawing itself: test_sweep."""
    whole = graph(TINY)
    (sweep,), (decode,), (cut,) = (
        of_type(whole, t) for t in ("SEALStickerAttributeSweep", "VAEDecode", "SEALStickerCutout")
    )
    sent = {key: node for key, node in whole.items() if int(key) > int(decode) or key == sweep}
    sent[sweep]["inputs"]["concept"] = "<my-cat>"  # wired to the training, which is left out
    comfy.upload_image("sticker.png", pictures.sticker())
    sent["101"] = {"class_type": "LoadImage", "inputs": {"image": "sticker.png"}}
    blank = {"image": ["101", 0], "label": [sweep, 1], "blank": "waving, sleepy"}
    sent["102"] = {"class_type": "SEALProbeDraw", "inputs": blank}
    assert sent[cut]["inputs"]["image"] == [decode, 0]
    sent[cut]["inputs"]["image"] = ["102", 0]
    sent["report"] = {"class_type": "PreviewAny", "inputs": {"source": [cut, 2]}}
    result = comfy.run(sent).ok()
    first, second, *_ = result.text("report").splitlines()
    assert first == "11 of 12 pictures cut out" and second.startswith("picture 5 kept whole: image: the learned method")
    packs = packs_of(comfy, sent, result)
    for platform, emoji in (("telegram", ["😀", "👋"]), ("whatsapp", ["😀", "👋"]), ("signal", ["😀"])):
        sticker = packs[platform]["stickers"][0]
        assert sticker["name"] == "waving, happy" and sticker["emoji"] == emoji
        assert packs[platform]["title"] == "My Cat" and packs[platform]["author"] == "Me"
    sent[cut]["inputs"]["if_not_found"] = "stop"
    stopped = comfy.run(sent)
    assert stopped.status == "error" and stopped.executed == {cut}, "all before it came from the cache"
    assert stopped.message.startswith("image: 1 of 12 pictures could not be cut out. Picture 5: image: the learned")


def test_sticker_pack_out_of_the_box(comfy: ComfyServer, graph):
    """As it opens but with fewer steps: the shipped model's pictures can be cut out and packed."""
    sent = changed(graph(TINY), {
        "SEALTrainEmbedding": {"steps": 10, "resolution": 0, "name": "out-of-the-box"},
        "EmptyLatentImage": {"width": 128, "height": 128}, "KSampler": {"steps": 8},
    })  # fmt: skip
    (cut,) = of_type(sent, "SEALStickerCutout")
    sent["report"] = {"class_type": "PreviewAny", "inputs": {"source": [cut, 2]}}
    result = comfy.run(sent).ok()
    assert result.text("report").splitlines()[0] == "12 of 12 pictures cut out"
    packs_of(comfy, sent, result)


def test_moving_out_of_the_box(comfy: ComfyServer, graph):
    """As it opens but with fewer steps: three clips of eight frames, which stand still without the motion."""
    sent = changed(graph(MOVING), {
        "SEALTrainEmbedding": {"steps": 10, "resolution": 0, "name": "out-of-the-box"},
        "EmptyLatentImage": {"width": 128, "height": 128, "batch_size": 8}, "KSampler": {"steps": 8},
    })  # fmt: skip
    (decode,), (apply,) = (of_type(sent, kind) for kind in ("VAEDecode", "SEALApplyMotion"))
    sent["drawn"] = {"class_type": "PreviewImage", "inputs": {"images": [decode, 0]}}
    result = comfy.run(sent).ok()
    assert len(check_pack(comfy.base / "output/stickers/My_Moving_Cat-telegram")) == 3
    moving = frame_changes(comfy, result)
    sent[apply]["inputs"]["strength"] = 0.0
    assert frame_changes(comfy, comfy.run(sent).ok()) < 0.8 * moving, "frames that share noise alone"


def frame_changes(comfy: ComfyServer, result: Result) -> float:
    """Mean difference of neighbouring frames of the clips that "drawn" shows, of 255."""
    frames = [np.asarray(comfy.view(i).convert("L"), float) for i in result.outputs["drawn"]["images"]]
    assert len(frames) == 3 * 8
    return float(np.mean([np.abs(np.diff(frames[i : i + 8], axis=0)).mean() for i in (0, 8, 16)]))


def test_template_browser_lists_them(comfy: ComfyServer):
    listed = comfy.get("/api/workflow_templates")
    assert set(listed["seal-stickers"]) == set(NAMES)
    for name in NAMES:
        for ending in ("json", "jpg"):
            assert comfy._open(f"/api/workflow_templates/seal-stickers/{quote(name)}.{ending}")


def test_fresh_install_says_what_is_missing(comfy: ComfyServer, graph):
    """Without a trained concept the graph is refused with the remedy, not with a crash."""
    sent = changed(graph(DRAW), {"SEALLoadEmbedding": {"name": "never-trained.safetensors"}})
    with pytest.raises(PromptRejected, match="press R"):
        comfy.queue(sent)
