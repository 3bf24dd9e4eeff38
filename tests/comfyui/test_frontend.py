"""The shipped workflows in ComfyUI's own front end, in a headless Chromium."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from server import ComfyServer
from workflow_api import to_api

sys.path.insert(0, str(Path(__file__).parent / "browser"))

from chromium import find_chromium
from frontend import FrontEnd
from saved_workflows import EXAMPLES, GIFS, LEARN, NAMES, TINY, read, shipped_subgraphs, widgets


@pytest.fixture(scope="module")
def page(comfy: ComfyServer) -> Iterator[FrontEnd]:
    """The front end of a ComfyUI that has the files which the workflows name."""
    if find_chromium() is None:
        pytest.skip("no Chromium found: install it or set CHROMIUM")
    nodes = [node for name in NAMES for node in read(name)["nodes"]]
    named = {node["widgets_values"][0] for node in nodes if node["type"] == "CheckpointLoaderSimple"}
    for name in named:
        comfy._link(comfy.base / "models/checkpoints/sd15-small.safetensors", f"models/checkpoints/{name}")
    concept = comfy.embeddings / "my-sticker.safetensors"
    made = not concept.exists()
    if made:
        concept.write_bytes(b"only its name is looked at")
    # Other tests queue NaN on purpose; it stays in ComfyUI's history, which the front end cannot read then.
    comfy.post("/history", {"clear": True})
    with FrontEnd(f"http://127.0.0.1:{comfy.port}/") as front:
        yield front
    if made:
        concept.unlink()
    for name in named:
        (comfy.base / f"models/checkpoints/{name}").unlink()


@dataclass(frozen=True)
class Opened:
    """One shipped workflow, and what the front end makes of it."""

    shipped: dict[str, Any]
    wrong: list[str]
    saved: dict[str, Any]
    api: dict[str, Any]
    boxes: list[tuple[str, float, float, float, float]]


@pytest.fixture(scope="module", params=NAMES)
def opened(page: FrontEnd, request: pytest.FixtureRequest) -> Opened:
    """Opened once for the four tests below: a second each."""
    shipped = read(request.param)
    return Opened(shipped, page.load(shipped), page.saved(), page.api(), page.boxes())


def test_opens_clean(opened: Opened):
    assert opened.wrong == []


def test_saves_what_it_opened(opened: Opened):
    """Otherwise a node's widgets have changed, and saved values land in the wrong ones."""
    saved, shipped = opened.saved, opened.shipped
    assert saved["links"] == shipped["links"]
    for now, before in zip(saved["groups"], shipped["groups"], strict=True):
        assert all(now[key] == before[key] for key in ("title", "bounding", "color"))  # newer ones drop font_size
    for now, before in zip(saved["nodes"], shipped["nodes"], strict=True):
        assert now["id"] == before["id"], now["type"]
        # Newer front ends drop empty lists of values.
        assert now.get("widgets_values", []) == before.get("widgets_values", []), now["type"]
        assert [slot["name"] for slot in now["inputs"]] == [slot["name"] for slot in before["inputs"]], now["type"]


def test_front_end_sends_what_the_tests_queue(opened: Opened, comfy: ComfyServer):
    sent, ours = opened.api, to_api(opened.shipped, comfy.object_info())
    assert set(sent) == set(ours)
    for key, node in ours.items():
        assert sent[key]["class_type"] == node["class_type"]
        given = dict(sent[key]["inputs"])
        if node["class_type"] == "PreviewAny":  # older front ends send its two boxes along
            given = {name: value for name, value in given.items() if name not in ("preview", "previewMode")}
        assert given == node["inputs"], node["class_type"]


def test_nodes_do_not_overlap_as_drawn(opened: Opened):
    for i, (who, x, y, width, height) in enumerate(opened.boxes):
        for other, x2, y2, width2, height2 in opened.boxes[:i]:
            apart = x >= x2 + width2 or x2 >= x + width or y >= y2 + height2 or y2 >= y + height
            assert apart, f"{who} over {other}"


def test_is_not_blank(page: FrontEnd):
    page.load(read(LEARN))
    picture = Image.open(io.BytesIO(page.picture())).convert("RGB")
    assert picture.width > 900 and len(picture.getcolors(1 << 24)) > 500


def test_an_old_file_with_fewer_values_opens(page: FrontEnd):
    """New optional inputs come last: an older file has fewer values and keeps them."""
    workflow = read(LEARN)
    (train,) = (node for node in workflow["nodes"] if node["type"] == "SEALTrainEmbedding")
    names = list(widgets(train))
    kept = train["widgets_values"][: names.index("preview_every")]
    train["widgets_values"] = list(kept)
    train["inputs"] = [slot for slot in train["inputs"] if slot["name"] not in ("preview_every", "run_id", "quality")]
    assert page.load(workflow) == []
    (now,) = (node for node in page.saved()["nodes"] if node["type"] == "SEALTrainEmbedding")
    assert now["widgets_values"] == [*kept, -1, 0, "normal"]


def test_the_check_sees_what_is_wrong(page: FrontEnd):
    workflow = read(LEARN)
    (mask,) = (node for node in workflow["nodes"] if node["type"] == "SemanticMask")
    (words,) = (node for node in workflow["nodes"] if node["type"] == "StickerAttributePrompt")
    mask["widgets_values"][0] = "no such method"
    words["type"] = words["properties"]["Node name for S&R"] = "NoSuchNode"
    wrong = "\n".join(page.load(workflow))
    assert "method = no such method is not on offer" in wrong
    assert "NoSuchNode: no such node" in wrong  # older front ends open a dialog besides
    assert page.load(read(LEARN)) == [], "and forgets it"


def test_example_pictures_come_with_the_template(page: FrontEnd, comfy: ComfyServer):
    (name,) = read(LEARN)["extra"]["seal_examples"]
    file = comfy.base / "input" / name
    file.unlink(missing_ok=True)
    assert page.load(read(LEARN)) == []
    assert file.read_bytes() == (EXAMPLES / name).read_bytes()
    file.write_bytes(b"the user's own")
    page.load(read(LEARN))
    assert file.read_bytes() == b"the user's own"
    file.unlink()


@pytest.mark.parametrize("name", ["Learn a character", "Character prompt", "Cut, border, pack"])
def test_blueprint_opens_with_its_widgets(page: FrontEnd, comfy: ComfyServer, name: str):
    offered = [entry["name"] for entry in comfy.get("/global_subgraphs").values()]
    assert name in offered
    blueprint = shipped_subgraphs()[name]
    assert page.load(blueprint) == []
    shown = page.evaluate("app.graph._nodes[0].widgets.map((w) => w.name)")
    panel = ["seal_training"] if name == "Learn a character" else []
    assert shown == [slot["name"] for slot in blueprint["nodes"][0]["inputs"] if "widget" in slot] + panel


SUGGEST = """async (where, word) => {
    const outer = app.graph._nodes[0];
    const inner = outer.subgraph.nodes.find((n) => n.type === "StickerAttributePrompt");
    const extension = app.extensions.find((e) => e.name === "SEAL.Suggestions");
    extension.getNodeMenuItems(where === "outer" ? outer : inner)[0].callback();
    const dialog = document.querySelector("dialog[open]");
    [...dialog.querySelectorAll("button")].find((b) => b.textContent === word).click();
    dialog.close();
    const {output} = await app.graphToPrompt();
    return Object.values(output).map((n) => n.inputs.emotion).filter(Boolean);
}"""


@pytest.mark.parametrize(("where", "word"), [("outer", "angry"), ("inner", "sad")])
def test_suggestions_reach_widgets_that_a_subgraph_shows(page: FrontEnd, where: str, word: str):
    page.load(shipped_subgraphs()["Character prompt"])
    assert page.evaluate(SUGGEST, where, word) == [word]


FIND = "const node = app.graph._nodes.find((n) => n.type === type);"
ROOM = f"""async (type, name, wired) => {{
    {FIND}
    if (!wired) node.disconnectInput(node.inputs.findIndex((slot) => slot.name === name));
    app.canvas.draw(true, true);
    await new Promise((done) => setTimeout(done, 300));
    const place = node.widgets.findIndex((w) => w.name === name), top = (w) => w.y ?? w.last_y;
    return top(node.widgets[place + 1]) - top(node.widgets[place]);
}}"""


def test_a_wired_text_box_takes_one_line(page: FrontEnd):
    page.load(read(TINY))
    assert page.evaluate(ROOM, "SEALSaveStickerPack", "emoji", True) < 40
    assert page.evaluate(ROOM, "SEALSaveStickerPack", "emoji", False) > 60, "and its room once it is written in"


DROP = f"""async (type, names, files) => {{
    {FIND}
    node.widgets.find((w) => w.name === "files").value = files;
    const transfer = new DataTransfer();
    for (const name of names) transfer.items.add(new File(["GIF89a"], name, {{ type: "image/gif" }}));
    transfer.items.add(new File(["text"], "no picture.txt", {{ type: "text/plain" }}));
    const taken = node.onDragOver({{ dataTransfer: transfer }}) && node.onDragDrop({{ dataTransfer: transfer }});
    await new Promise((done) => setTimeout(done, 1500));
    return [taken, node.widgets.find((w) => w.name === "files").value];
}}"""


def test_files_dropped_on_load_stickers_are_uploaded_and_named(page: FrontEnd, comfy: ComfyServer):
    page.load(read(GIFS))
    taken, files = page.evaluate(DROP, "SEALLoadStickers", ["dropped 1.gif", "dropped 2.gif"], "seal-*.gif\nown.gif")
    assert taken and files.splitlines() == ["own.gif", "dropped 1.gif", "dropped 2.gif"]
    for name in files.splitlines()[1:]:
        assert (comfy.base / "input" / name).read_bytes() == b"GIF89a"
        (comfy.base / "input" / name).unlink()
    assert not (comfy.base / "input/no picture.txt").exists()
    (node,) = (node for node in page.saved()["nodes"] if node["type"] == "SEALLoadStickers")
    assert node["widgets_values"][:2] == ["input", files] and len(node["widgets_values"]) == 4, "the button saves none"


SAID = f"""async (type, settings) => {{
    {FIND}
    for (const [name, value] of Object.entries(settings)) node.widgets.find((w) => w.name === name).value = value;
    app.queuePrompt(0);
}}"""
REPORT = """app.graph._nodes.find((n) => n.type === "SEALLoadStickers")
    .widgets.find((w) => w.name === "seal_report")?.element.textContent"""


def test_a_node_that_fails_says_why_and_forgets_it(page: FrontEnd):
    page.load(read(GIFS))
    page.evaluate(SAID, "SEALLoadStickers", {"files": "nothing-*.gif"})
    assert page.wait_for(REPORT).startswith("files: no pictures with these names in ")
    page.press_escape()
    page.evaluate(SAID, "SEALLoadStickers", {"files": "seal-*.gif"})
    page.wait_for(f"{REPORT} === ''")
