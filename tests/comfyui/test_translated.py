"""The front end in other languages shows our names, and finds our help pages."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from installed import PACK
from server import ComfyServer

sys.path.insert(0, str(Path(__file__).parent / "browser"))

from chromium import find_chromium
from frontend import FrontEnd

LANGUAGES = ("ja", "ko", "zh")

NODE = """(id) => {
    const node = LiteGraph.createNode(id), label = (slot) => [slot.name, slot.label ?? slot.localized_name];
    return {
        title: node.title,
        category: LiteGraph.registered_node_types[id].nodeData.category,
        inputs: Object.fromEntries([...node.inputs.map(label), ...node.widgets.map(label)]),
        outputs: node.outputs.map((slot) => slot.label ?? slot.localized_name),
    };
}"""


def told(language: str, file: str) -> dict[str, Any]:
    return json.loads((PACK / "locales" / language / file).read_text(encoding="utf-8"))


def test_comfyui_hands_on_every_text(comfy: ComfyServer) -> None:
    given = comfy.get("/i18n")
    assert {language: given[language]["nodeDefs"] for language in LANGUAGES} == {
        language: told(language, "nodeDefs.json") for language in LANGUAGES
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_node_is_shown_in_the_language_of_the_front_end(comfy: ComfyServer, language: str) -> None:
    if find_chromium() is None:
        pytest.skip("no Chromium found: install it or set CHROMIUM")
    texts, node_id = told(language, "nodeDefs.json")["SEALStickerText"], "SEALStickerText"
    comfy.post("/settings", {"Comfy.Locale": language})
    try:
        with FrontEnd(f"http://127.0.0.1:{comfy.port}/") as page:
            page.wait_for(f"LiteGraph.createNode('{node_id}').title === {json.dumps(texts['display_name'])}")
            node = page.evaluate(NODE, node_id)
            help_page = page.evaluate(
                f"fetch('/extensions/seal-stickers/docs/{node_id}/{language}.md').then(_ => _.text())"
            )
    finally:
        comfy.post("/settings", {"Comfy.Locale": "en"})
    assert node["category"] == f"SEAL/{told(language, 'main.json')['nodeCategories']['stickers']}"
    assert node["inputs"].items() >= {id: text["name"] for id, text in texts["inputs"].items()}.items()
    assert node["outputs"] == [text["name"] for text in texts["outputs"].values()]
    assert help_page.startswith(f"# {texts['display_name']}\n")
