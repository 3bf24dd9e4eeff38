"""The shipped workflows as files: whole, tidy, and in step with the presets. What runs them: tests/comfyui."""

from __future__ import annotations

import ast
import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from saved_workflows import FOLDER, NAMES, nodes_of, read, widgets

from seal_core.demo.attribute_values import VALUES
from seal_core.demo.sticker_files import BUILT_IN, animal_of
from seal_core.method.configure import TokenChoices
from seal_core.method.presets import PRESETS
from seal_core.prompts.attribute_sweep import sweep_prompts
from seal_core.prompts.attributes import ATTRIBUTES
from seal_core.stickers.pack.clip import Clip
from seal_core.stickers.pack.pack_request import Sticker, with_emoji
from seal_core.stickers.platforms import PLATFORMS

ROOT = Path(__file__).parents[2]
NOTES = {"MarkdownNote"}
CORE = {  # all of them are in ComfyUI 0.8
    "CLIPTextEncode", "CheckpointLoaderSimple", "EmptyLatentImage", "ImageGrid", "ImageStitch", "KSampler",
    "LoadImage", "PreviewAny", "PreviewImage", "PrimitiveInt", "PrimitiveString", "PrimitiveStringMultiline",
    "SaveImage", "StringConcatenate", "VAEDecode",
}  # fmt: skip


def our_nodes() -> set[str]:
    """The node_id of every schema in nodes/, read without importing ComfyUI."""
    found = set()
    for file in (ROOT / "nodes").glob("*.py"):
        for part in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(part, ast.keyword) and part.arg == "node_id" and isinstance(part.value, ast.Constant):
                found.add(part.value.value)
    return found


@pytest.fixture(params=NAMES)
def workflow(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read(request.param)


def test_folder_holds_each_workflow_and_its_picture():
    assert sorted(file.name for file in FOLDER.iterdir()) == sorted(f"{n}.{e}" for n in NAMES for e in ("jpg", "json"))


@pytest.mark.parametrize("name", NAMES)
def test_thumbnail(name: str):
    file = FOLDER / f"{name}.jpg"
    assert file.stat().st_size <= 100_000
    with Image.open(file) as picture:
        assert picture.format == "JPEG" and picture.mode == "RGB"
        assert picture.width == picture.height >= 400  # the template browser shows squares
        assert len(picture.getcolors(1 << 20) or range(1 << 20)) > 1000  # not an empty page


def test_every_node_is_known(workflow: dict[str, Any]):
    assert workflow["version"] == 0.4
    ours = our_nodes()
    assert len(ours) >= 10 and not ours & CORE
    assert {node["type"] for node in workflow["nodes"]} <= CORE | NOTES | ours
    for node in workflow["nodes"]:
        assert node["mode"] == 0, "bypassed or muted"
        assert node["type"] in NOTES or node["properties"]["Node name for S&R"] == node["type"]


def test_links_join_what_they_say(workflow: dict[str, Any]):
    nodes = {node["id"]: node for node in workflow["nodes"]}
    links = {link[0]: link[1:] for link in workflow["links"]}
    assert len(nodes) == len(workflow["nodes"]) and len(links) == len(workflow["links"])
    assert workflow["last_node_id"] == max(nodes) and workflow["last_link_id"] == max(links)
    for key, (origin, output, target, slot, kind) in links.items():
        source, sink = nodes[origin]["outputs"][output], nodes[target]["inputs"][slot]
        assert key in source["links"] and sink["link"] == key
        assert source["type"] == kind and (sink["type"] in (kind, "*")), (source, sink)
    held = [key for node in nodes.values() for out in node["outputs"] for key in out["links"] or []]
    taken = [slot["link"] for node in nodes.values() for slot in node["inputs"] if slot["link"] is not None]
    assert sorted(held) == sorted(taken) == sorted(links)


def test_widget_values_fit_their_widgets(workflow: dict[str, Any]):
    for node in workflow["nodes"]:
        if node["type"] in NOTES | {"PreviewAny"}:
            continue
        values = widgets(node)
        assert None not in values.values(), (node["type"], values)
        assert values.get("control_after_generate", "fixed") == "fixed", "the same queue twice: the same pictures"


def test_layout(workflow: dict[str, Any]):
    title = 30
    boxes = [(n["pos"][0], n["pos"][1] - title, n["size"][0], n["size"][1] + title) for n in workflow["nodes"]]
    for a, b in combinations(boxes, 2):
        assert not _overlap(a, b), (a, b)
    groups = [tuple(group["bounding"]) for group in workflow["groups"]]
    for a, b in combinations(groups, 2):
        assert not _overlap(a, b), (a, b)
    for node, box in zip(workflow["nodes"], boxes, strict=True):
        if node["type"] not in NOTES:
            assert sum(_inside(box, group) for group in groups) == 1, node["type"]
    assert all(re.match(r"\d · \w", group["title"]) for group in workflow["groups"])
    in_order = sorted(workflow["groups"], key=lambda g: (g["bounding"][0], g["bounding"][1]))
    assert [g["title"][0] for g in in_order] == sorted(g["title"][0] for g in in_order), "steps run left to right"
    notes = [node for node in workflow["nodes"] if node["type"] in NOTES]
    assert len(notes) == 1 and notes[0]["pos"][0] == min(node["pos"][0] for node in workflow["nodes"])
    view, (x, y) = workflow["extra"]["ds"], notes[0]["pos"]
    assert 0.7 <= view["scale"] <= 1, "opens large enough to read"
    left, top = (x + view["offset"][0]) * view["scale"], (y + view["offset"][1]) * view["scale"]
    assert 60 < left < 200 and 100 < top < 300, "opens at the note, clear of the menus"


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def _inside(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] >= b[0] and a[1] >= b[1] and a[0] + a[2] <= b[0] + b[2] and a[1] + a[3] <= b[1] + b[3]


def test_training_shows_the_best_preset_as_it_is():
    """The tokens node is wired untouched; wired layers replace the preset's, so they must say what the preset does."""
    workflow, best = read("seal_train"), PRESETS["best"]
    (tokens,), (layers,) = nodes_of(workflow, "SplitMergeTokenizer"), nodes_of(workflow, "LayerRestrictionSpec")
    assert TokenChoices(**widgets(tokens)) == TokenChoices()
    shown = widgets(layers)
    assert (shown["preset"], shown["start_percent"], shown["end_percent"]) == (
        best.layers.sites, best.layers.start_percent, best.layers.end_percent
    )  # fmt: skip
    (train,) = nodes_of(workflow, "SEALTrainEmbedding")
    assert widgets(train)["preset"] == "best"


def test_demo_shows_the_best_preset_and_the_examples_animal():
    workflow = read("seal_demo")
    (model,), (train,) = nodes_of(workflow, "SEALDemoModel"), nodes_of(workflow, "SEALTrainEmbedding")
    (prompt,) = nodes_of(workflow, "StickerAttributePrompt")
    assert not nodes_of(workflow, "SplitMergeTokenizer"), "whatever preset is chosen is that preset"
    shown = widgets(train)
    sticker = widgets(model)["example"]
    assert shown["class_word"] == animal_of(sticker)
    assert shown["preset"] == "best" and widgets(prompt)["concept"] == shown["concept"]
    for name, values in VALUES.items():
        assert widgets(prompt)[name] in values, "words that the tiny model knows"
    assert all(widgets(prompt)[asked] != BUILT_IN[sticker][asked] for asked in ("emotion", "background"))


def test_sticker_pack_gives_every_sticker_its_emoji():
    """Six emotions and two actions that the tiny model knows; a number of stickers that each platform takes."""
    workflow = read("sticker_pack_telegram_whatsapp_signal")
    (model,), (train,), (axes,), (emoji,) = (
        nodes_of(workflow, kind)
        for kind in ("SEALDemoModel", "SEALTrainEmbedding", "SEALStickerAttributeSweep", "PrimitiveStringMultiline")
    )
    shown = widgets(axes)
    values = {shown[f"attribute_{i}"]: shown[f"values_{i}"].splitlines() for i in (1, 2)}
    assert set(values["emotion"]) == set(VALUES["emotion"]) and len(values["action"]) == 2
    assert set(values["action"]) <= set(VALUES["action"])
    assert all(shown[name] in VALUES[name] for name in ("camera", "style", "background"))
    assert widgets(train)["class_word"] == animal_of(widgets(model)["example"])
    assert widgets(train)["concept"] == shown["concept"]
    _, labels = sweep_prompts(shown["concept"], {}, values)
    stickers = [Sticker(label, False, lambda: Clip.still(None)) for label in labels]
    packs = {widgets(node)["platform"]: node for node in nodes_of(workflow, "SEALSaveStickerPack")}
    assert set(packs) == {"telegram", "whatsapp", "signal"}
    for platform in packs:
        found = [s.emoji for s in with_emoji(stickers, widgets(emoji)["value"].splitlines(), platform)]
        least, most = PLATFORMS[platform].emoji
        assert all(least <= len(each) <= most for each in found)
        assert len(set(found)) == (6 if most == 1 else 12), "of one emoji, it is the emotion's"


def test_sticker_pack_wires_every_pack_alike():
    workflow = read("sticker_pack_telegram_whatsapp_signal")
    origin = {link[0]: tuple(link[1:3]) for link in workflow["links"]}
    kinds = {node["id"]: node["type"] for node in workflow["nodes"]}
    packs = nodes_of(workflow, "SEALSaveStickerPack")
    wires = [{s["name"]: origin[s["link"]] for s in pack["inputs"] if s["link"] is not None} for pack in packs]
    assert wires[0] == wires[1] == wires[2] and wires[0].keys() == {"images", "names", "title", "author", "emoji"}
    assert (
        kinds[wires[0]["images"][0]] == "SEALStickerBorder"
        and kinds[wires[0]["names"][0]] == "SEALStickerAttributeSweep"
    )
    assert [widgets(pack)["name"] for pack in packs] == [f"my-cat-{widgets(pack)['platform']}" for pack in packs]
    assert not any(widgets(pack)["embed_workflow"] for pack in packs), "they go to other people"
    (sheet,) = nodes_of(workflow, "SEALContactSheet")
    shown = {slot["name"]: origin.get(slot["link"]) for slot in sheet["inputs"]}
    assert shown["labels"] == wires[0]["names"] and shown["images"] == wires[0]["images"]
    (cut,) = nodes_of(workflow, "SEALStickerCutout")
    assert widgets(cut)["if_not_found"] == "keep the picture"


def test_compared_methods_are_their_presets():
    workflow = read("seal_compare")
    links = {link[0]: link[1] for link in workflow["links"]}
    nodes = {node["id"]: node for node in workflow["nodes"]}
    trainings = nodes_of(workflow, "SEALTrainEmbedding")
    assert [widgets(node)["preset"] for node in trainings] == ["textual_inversion", "hiper", "best"]
    assert len({widgets(node)["name"] for node in trainings}) == 3
    assert len({widgets(node)["seed"] for node in trainings}) == 1
    for node in trainings:
        slots = {slot["name"]: slot["link"] for slot in node["inputs"]}
        assert slots["layers"] is None and slots["tokens"] is None, "the preset's own"
        assert nodes[links[slots["class_word"]]]["title"] == "Class word", "one for all three"


def test_note_tells_the_presets_steps():
    (note,) = nodes_of(read("seal_compare"), "MarkdownNote")
    steps = [PRESETS[name].steps for name in ("textual_inversion", "hiper", "best")]
    assert "({}, {} and {} steps)".format(*steps) in note["widgets_values"][0]


def test_one_workflow_takes_up_what_another_made():
    (train,) = nodes_of(read("seal_train"), "SEALTrainEmbedding")
    for name in ("seal_generate", "seal_sweep"):
        (load,) = nodes_of(read(name), "SEALLoadEmbedding")
        assert widgets(load)["name"] == f"{widgets(train)['name']}.safetensors"


def test_concept_is_in_the_prompts():
    for name in ("seal_train", "seal_compare"):
        workflow = read(name)
        trainings = map(widgets, nodes_of(workflow, "SEALTrainEmbedding"))
        concepts = {shown["concept"] or f"<{shown['name']}>" for shown in trainings}
        kind, field = ("SEALTextEncode", "text") if name == "seal_train" else ("PrimitiveStringMultiline", "value")
        (prompt,) = nodes_of(workflow, kind)
        (concept,) = concepts
        assert concept in widgets(prompt)[field]


def test_sweep_fills_the_columns_of_the_grid():
    workflow = read("seal_sweep")
    (sweep,), (grid,) = nodes_of(workflow, "SEALStickerAttributeSweep"), nodes_of(workflow, "ImageGrid")
    shown = widgets(sweep)
    assert {shown["attribute_1"], shown["attribute_2"]} <= set(ATTRIBUTES)
    assert len(shown["values_2"].splitlines()) == widgets(grid)["columns"]


def test_nothing_private_in_the_files(workflow: dict[str, Any]):
    text = json.dumps(workflow)
    assert not re.search(r"/root|/home|/work|/tmp|[A-Z]:\\\\|127\.0\.0\.1|https?://", text)
