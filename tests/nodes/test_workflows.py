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
from saved_workflows import (
    COMPARE,
    DRAW,
    EXAMPLES,
    FOLDER,
    GIFS,
    LEARN,
    LOOKS,
    MOVING,
    NAMES,
    PICTURES,
    TAILOR,
    TINY,
    TWELVE,
    nodes_of,
    read,
    shipped_subgraphs,
    widgets,
)

from seal_core.demo.attribute_values import VALUES
from seal_core.demo.sticker_files import animal_of
from seal_core.method.presets import PRESETS
from seal_core.prompts.attribute_sweep import sweep_prompts
from seal_core.stickers.pack.clip import Clip
from seal_core.stickers.pack.load_files import load_stickers
from seal_core.stickers.pack.pack_request import Sticker, with_emoji
from seal_core.stickers.platforms import PLATFORMS

ROOT = Path(__file__).parents[2]
NOTES = {"MarkdownNote"}
CORE = {  # all of them are in ComfyUI 0.8
    "CLIPTextEncode", "CheckpointLoaderSimple", "EmptyLatentImage", "ImageBatch", "KSampler", "LoadImage", "PreviewAny",
    "PreviewImage", "PrimitiveInt", "PrimitiveString", "PrimitiveStringMultiline", "SaveImage", "VAEDecode",
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


def test_nodes_say_where_they_come_from(workflow: dict[str, Any]):
    """ComfyUI's Manager then offers to install what is missing."""
    ours, version = our_nodes(), re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    for node in workflow["nodes"]:
        if node["type"] not in NOTES:
            source = node["properties"]["cnr_id"], node["properties"]["ver"]
            assert source == (("seal-stickers", version[1]) if node["type"] in ours else ("comfy-core", "0.8.0"))


def test_checkpoints_can_be_downloaded(workflow: dict[str, Any]):
    """SD 1.5, SDXL and an anime SDXL; the front end offers the one that is chosen."""
    for loader in nodes_of(workflow, "CheckpointLoaderSimple"):
        models = loader["properties"]["models"]
        assert widgets(loader)["ckpt_name"] == models[0]["name"] and len(models) == 3
        for model in models:
            assert model["url"].startswith("https://huggingface.co/") and model["url"].endswith(f"/{model['name']}")
            assert model["directory"] == "checkpoints"


def test_layout(workflow: dict[str, Any]):
    """What needs a browser, such as overlaps as drawn and after a run: tests/comfyui/test_template_layout.py."""
    groups = [tuple(group["bounding"]) for group in workflow["groups"]]
    for a, b in combinations(groups, 2):
        assert not _overlap(a, b), (a, b)
    titles = [group["title"] for group in workflow["groups"] if group["title"] != "Result"]
    assert all(re.match(r"\d · \w", title) for title in titles) and len(set(titles)) == len(titles)
    (note,) = (node for node in workflow["nodes"] if node["type"] in NOTES)
    assert note["pos"][0] == min(node["pos"][0] for node in workflow["nodes"]), "what is read first stands first"
    results = [g["bounding"] for g in workflow["groups"] if g["title"] == "Result"]
    for x, y, *_ in results:
        assert 0 < x - note["pos"][0] - note["size"][0] < 60 and y < note["pos"][1], "beside the note"
    boxes = [*groups, (*note["pos"], *note["size"])]
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, bottom = max(b[0] + b[2] for b in boxes), max(b[1] + b[3] for b in boxes)
    view = workflow["extra"]["ds"]
    assert view["scale"] >= 0.6, "below, ComfyUI draws no text"
    seen = [(at + move) * view["scale"] for at, move in zip((left, top, right, bottom), [*view["offset"]] * 2)]
    assert seen[0] >= 60 and seen[1] >= 80 and seen[2] <= 1600 and seen[3] <= 1000, "opens whole on 1600 x 1000"


def test_example_pictures_are_there(workflow: dict[str, Any]):
    """js/examples.js puts them into ComfyUI's input folder."""
    named = workflow["extra"].get("seal_examples", [])
    assert set(named) <= {file.name for file in EXAMPLES.iterdir()}
    loaded = {widgets(node)["image"] for node in nodes_of(workflow, "LoadImage")}
    assert loaded <= set(named)
    for node in nodes_of(workflow, "SEALLoadStickers"):
        assert named and set(named) == {
            file.name for pattern in widgets(node)["files"].splitlines() for file in EXAMPLES.glob(pattern)
        }


def test_example_pictures_are_small_and_ours():
    files = [*EXAMPLES.iterdir()]
    assert {file.name for file in files} == {name for w in NAMES for name in read(w)["extra"].get("seal_examples", [])}
    assert sum(file.stat().st_size for file in files) < 500_000
    for file in files:
        with Image.open(file) as picture:
            assert min(picture.size) >= 256 and getattr(picture, "is_animated", False) == (file.suffix == ".gif")


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@pytest.mark.parametrize("name", [LEARN, TWELVE, TINY, MOVING])
def test_training_shows_the_best_preset_as_it_is(name: str):
    (train,) = nodes_of(read(name), "SEALTrainEmbedding")
    wired = {slot["name"] for slot in train["inputs"] if slot["link"] is not None}
    assert widgets(train)["preset"] == "best" and not wired & {"tokens", "layers", "weights"}


@pytest.mark.parametrize("name", [LEARN, TWELVE, TINY, MOVING, TAILOR, DRAW])
def test_prompts_follow_the_learned_name(name: str):
    """Wired, so that another `name` needs no second change."""
    workflow = read(name)
    source = {link[0]: link[1:3] for link in workflow["links"]}
    nodes = {node["id"]: node for node in workflow["nodes"]}
    (words,) = nodes_of(workflow, "StickerAttributePrompt") or nodes_of(workflow, "SEALStickerAttributeSweep")
    (slot,) = (slot for slot in words["inputs"] if slot["name"] == "concept")
    origin, output = source[slot["link"]]
    assert nodes[origin]["type"] in ("SEALTrainEmbedding", "SEALLoadEmbedding")
    assert nodes[origin]["outputs"][output]["name"] == "name"


def test_sticker_pack_gives_every_sticker_its_emoji():
    """Six emotions and two actions that the tiny model knows; a number of stickers that each platform takes."""
    workflow = read(TINY)
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
    _, labels = sweep_prompts(shown["concept"], {}, values)
    stickers = [Sticker(label, False, lambda: Clip.still(None)) for label in labels]
    packs = {widgets(node)["platform"]: node for node in nodes_of(workflow, "SEALSaveStickerPack")}
    assert set(packs) == {"telegram", "whatsapp", "signal"}
    for platform in packs:
        found = [s.emoji for s in with_emoji(stickers, widgets(emoji)["value"].splitlines(), platform)]
        least, most = PLATFORMS[platform].emoji
        assert all(least <= len(each) <= most for each in found)
        assert len(set(found)) == (6 if most == 1 else 12), "of one emoji, it is the emotion's"


@pytest.mark.parametrize("name", [TWELVE, TINY, PICTURES, GIFS])
def test_every_pack_is_wired_alike(name: str):
    workflow = read(name)
    origin = {link[0]: tuple(link[1:3]) for link in workflow["links"]}
    kinds = {node["id"]: node["type"] for node in workflow["nodes"]}
    packs = nodes_of(workflow, "SEALSaveStickerPack")
    assert [widgets(pack)["platform"] for pack in packs] == ["telegram", "whatsapp", "signal"]
    wires = [{s["name"]: origin[s["link"]] for s in pack["inputs"] if s["link"] is not None} for pack in packs]
    assert wires[0] == wires[1] == wires[2] and wires[0].keys() >= {"images", "names", "title", "author", "emoji"}
    animated = name == GIFS
    last = "SEALLoadStickers" if animated else "SEALStickerText" if name == PICTURES else "SEALStickerBorder"
    assert kinds[wires[0]["images"][0]] == last
    assert all(widgets(pack)["animated"] == animated for pack in packs) and ("fps" in wires[0]) == animated
    assert not any(widgets(pack)["embed_workflow"] for pack in packs), "they go to other people"
    for cut in nodes_of(workflow, "SEALStickerCutout"):
        assert widgets(cut)["if_not_found"] == "keep the picture"


@pytest.mark.parametrize(("name", "files"), [(PICTURES, "seal-picture-*.jpg"), (GIFS, "*.gif")])
def test_emoji_of_the_examples_go_by_their_names(name: str, files: str):
    (lines,) = (n for n in nodes_of(read(name), "PrimitiveStringMultiline") if n["title"] == "Emoji by word")
    examples = sorted(file.stem for file in EXAMPLES.glob(files))
    stickers = [Sticker(stem, False, lambda: Clip.still(None)) for stem in examples]
    found = [s.emoji[0] for s in with_emoji(stickers, widgets(lines)["value"].splitlines(), "signal")]
    assert len(set(found)) == len(examples)
    users = [Sticker("IMG_0001", False, lambda: Clip.still(None))]
    assert with_emoji(users, widgets(lines)["value"].splitlines(), "signal")[0].emoji, "and the user's own have one"


def test_compared_methods_are_their_presets():
    workflow = read(COMPARE)
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
    (note,) = nodes_of(read(COMPARE), "MarkdownNote")
    steps = [PRESETS[name].steps for name in ("textual_inversion", "hiper", "best")]
    assert "({}, {} and {} steps)".format(*steps) in note["widgets_values"][0]


def origins(workflow: dict[str, Any], node: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Input name -> the node that it is wired to."""
    nodes = {one["id"]: one for one in workflow["nodes"]}
    source = {link[0]: nodes[link[1]] for link in workflow["links"]}
    return {slot["name"]: source[slot["link"]] for slot in node["inputs"] if slot["link"] is not None}


def test_three_looks_meet_in_one_match():
    """Each picture by its own regions, so that the numbers in the preview are those of `override`."""
    workflow = read(LOOKS)
    (match,) = nodes_of(workflow, "SEALStyleMatch")
    found = origins(workflow, match)
    assert list(found) == ["content", "style", "style_2", "style_3"]
    pictures = [widgets(origins(workflow, found[name])["image"])["image"] for name in found]
    assert len(set(pictures)) == 4 and sorted(pictures) == sorted(workflow["extra"]["seal_examples"])
    for regions in found.values():
        wired = origins(workflow, regions)
        assert origins(workflow, wired["mask"])["image"] is wired["image"], "its own mask"


def test_tailored_look_is_in_what_is_drawn():
    """Every picture has its caption, none names the look, and the character is drawn by the model with the look."""
    workflow = read(TAILOR)
    (tailor,), (apply,) = nodes_of(workflow, "SEALTailorStyle"), nodes_of(workflow, "SEALApplyEmbedding")
    assert origins(workflow, apply)["model"] is tailor
    captions, given = widgets(tailor)["style_captions"].splitlines(), widgets(origins(workflow, tailor)["style"])
    files = [sticker.name for sticker in load_stickers(EXAMPLES, given["files"].splitlines(), given["kind"])]
    assert len(captions) == len(files) == 4
    for caption, file in zip(captions, files, strict=True):
        assert Path(file).stem.split("-")[-1] in caption, "in the order of the pictures"
        assert caption.count(" | ") == 1, "briefly and in full"
        assert not any(style in caption for style in VALUES["style"])
    (words,) = nodes_of(workflow, "StickerAttributePrompt")
    assert widgets(words)["style"] == "", "the LoRA tells it"


@pytest.mark.parametrize("name", [DRAW, TAILOR])
def test_one_workflow_takes_up_what_another_made(name: str):
    (train,) = nodes_of(read(LEARN), "SEALTrainEmbedding")
    (load,) = nodes_of(read(name), "SEALLoadEmbedding")
    assert widgets(load)["name"] == f"{widgets(train)['name']}.safetensors"


def test_concept_is_in_the_compared_prompt():
    workflow = read(COMPARE)
    (concept,) = {widgets(node)["concept"] for node in nodes_of(workflow, "SEALTrainEmbedding")}
    prompt = next(node for node in workflow["nodes"] if node.get("title") == "Prompt")
    assert concept in widgets(prompt)["value"]


@pytest.mark.parametrize("name", ["Learn a character", "Character prompt", "Cut, border, pack"])
def test_subgraph_blueprint(name: str):
    """One node that stands for several of ours; its few widgets are inputs of the whole."""
    files = shipped_subgraphs()
    assert len(files) == 3 and len(files[name]["nodes"]) == 1
    (face,), (whole,) = files[name]["nodes"], files[name]["definitions"]["subgraphs"]
    assert face["type"] == whole["id"] and face["title"] == whole["name"] == name and whole["description"]
    assert {node["type"] for node in whole["nodes"]} <= our_nodes() | CORE
    nodes = {node["id"]: node for node in whole["nodes"]}
    for link in whole["links"]:
        source = whole["inputs"] if link["origin_id"] == -10 else nodes[link["origin_id"]]["outputs"]
        sink = whole["outputs"] if link["target_id"] == -20 else nodes[link["target_id"]]["inputs"]
        assert source[link["origin_slot"]]["type"] == link["type"]
        assert sink[link["target_slot"]]["type"] in (link["type"], "*")
    shown = [slot["name"] for slot in face["inputs"] if "widget" in slot]
    assert 3 <= len(shown) <= 7
    assert [slot["name"] for slot in face["inputs"]] == [port["name"] for port in whole["inputs"]]
    assert all(port["linkIds"] for port in [*whole["inputs"], *whole["outputs"]])


def test_nothing_private_in_the_files(workflow: dict[str, Any]):
    text = json.dumps(workflow)
    assert not re.search(r"/root|/home|/work|/tmp|[A-Z]:\\\\|127\.0\.0\.1|http://|https://(?!huggingface\.co/)", text)
