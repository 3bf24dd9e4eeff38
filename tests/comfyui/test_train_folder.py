"""SEALTrainFolder in a real server: one file each, a bad picture, Cancel in the middle, and the index."""

from __future__ import annotations

import json
from pathlib import Path

import graphs
import pictures
from graphs import Graph
from PIL import Image
from server import ComfyServer, Result

STEPS = 6


def folder_of(server: ComfyServer) -> Path:
    folder = server.base / "input/mascots"
    for kind in ("cat", "dog"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        pictures.sticker().save(folder / kind / f"{kind}.png")
    (folder / "cat/broken.png").write_text("no picture")
    Image.new("RGBA", (64, 64), (255, 0, 0, 0)).save(folder / "dog/empty.png")
    return folder


def queued(**settings: object) -> Graph:
    graph = Graph()
    model, clip, vae = graphs.demo_model(graph)
    inputs = {
        "folder": "input/mascots", "class_word": "", "preset": "textual_inversion", "steps": STEPS,
        "learning_rate": 0.0, "batch_size": 0, "resolution": 64, "seed": 1,
    }  # fmt: skip
    node = graph.add("SEALTrainFolder", "folder", model=model, clip=clip, vae=vae, **{**inputs, **settings})
    for place, name in enumerate(("", "name", "index", "report")):
        if name:
            graph.add("PreviewAny", name, source=[node, place])
    return graph


def rows_of(result: Result) -> dict[str, dict]:
    return {row["picture"]: row for row in result.json("report")}


def test_a_folder_is_learned_and_goes_on_after_cancel(comfy: ComfyServer) -> None:
    folder_of(comfy)
    first = comfy.queue(queued(steps=200))
    while not (comfy.embeddings / "cat-cat.safetensors").exists():
        comfy.until_step(first, "folder", 1)
    comfy.interrupt()
    comfy.wait(first)
    index = comfy.base / "output/seal_folders/input-mascots"
    rows = [json.loads(line) for line in (index / "index.jsonl").read_text().splitlines()]
    assert [row["name"] for row in rows if row["state"] == "done"] == ["cat-cat"], "kept what was finished"
    content = (comfy.embeddings / "cat-cat.safetensors").read_bytes()

    result = comfy.run(queued(steps=200)).ok()
    rows = rows_of(result)
    assert list(rows) == ["cat/broken.png", "cat/cat.png", "dog/dog.png", "dog/empty.png"]
    assert {row["name"] for row in rows.values() if row["state"] == "done"} == {"cat-cat", "dog-dog"}
    assert "no picture that can be read" in rows["cat/broken.png"]["error"]
    assert "fully transparent" in rows["dog/empty.png"]["error"]
    assert rows["cat/cat.png"]["class_word"] == "cat" and rows["cat/cat.png"]["mask"]["method"] == "alpha"
    assert (comfy.embeddings / "cat-cat.safetensors").read_bytes() == content
    assert not (comfy.embeddings / "cat-cat-2.safetensors").exists(), "the first was not learned again"
    assert (index / rows["dog/dog.png"]["file"]).resolve() == (comfy.embeddings / "dog-dog.safetensors").resolve()
    assert (index / rows["dog/dog.png"]["preview"]).stat().st_size > 1000
    assert Path(result.text("index")) == index / "index.html"


def test_wired_pictures_are_learned_by_their_names(comfy: ComfyServer) -> None:
    folder_of(comfy)
    graph = queued(class_word="cat")
    name = comfy.upload_image("one.png", pictures.sticker())
    graph.add("LoadImage", "one", image=name)
    graph["folder"]["inputs"].update(images=["one", 0], masks=["one", 1], names=["words", 0])
    graph.add("PrimitiveString", "words", value="my mascot")
    result = comfy.run(graph).ok()
    assert [row["name"] for row in rows_of(result).values()] == ["my_mascot"]
    assert (comfy.embeddings / "my_mascot.safetensors").exists()
