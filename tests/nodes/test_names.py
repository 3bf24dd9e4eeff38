"""Names: of nodes, of their files and help pages, and how texts that users read call them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MISSION = {
    "SemanticMask", "SplitMergeTokenizer", "LayerRestrictionSpec", "SEALTrainEmbedding", "StickerAttributePrompt",
}  # fmt: skip
CORE = {
    "CLIPLoader", "CLIPSetLastLayer", "CLIPTextEncode", "CheckpointLoaderSimple", "ConditioningAverage",
    "ConditioningCombine", "ConditioningConcat", "ConditioningSetMask", "JoinImageWithAlpha", "LoadImage", "LoraLoader",
    "SaveImage", "VAEDecode", "VAELoader",
}  # fmt: skip
"""Ids of ComfyUI's own nodes that our texts have to do with."""


def schemas() -> dict[Path, dict[str, ast.expr]]:
    """File in nodes/ -> the arguments of its `schema(...)` call, read without ComfyUI."""
    found = {}
    for path in sorted((ROOT / "nodes").glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and any(k.arg == "node_id" for k in call.keywords):
                assert path not in found, f"{path.name}: two nodes"
                found[path] = {k.arg: k.value for k in call.keywords if k.arg}
    return found


def text_of(value: ast.expr) -> str:
    return ast.literal_eval(value)


SCHEMAS = schemas()
IDS = {text_of(schema["node_id"]): path for path, schema in SCHEMAS.items()}


def words(node_id: str) -> list[str]:
    """SEALStickerCutout -> sticker, cutout."""
    return [word.lower() for word in re.findall(r"[A-Z][a-z]+", node_id.removeprefix("SEAL"))]


def test_every_id_is_one_of_the_missions_or_carries_seal() -> None:
    assert len(IDS) >= 17 and set(IDS) >= MISSION
    assert not [name for name in IDS if name not in MISSION and not name.startswith("SEAL")]


@pytest.mark.parametrize("node_id", sorted(IDS))
def test_a_nodes_file_page_and_display_name_follow_its_id(node_id: str) -> None:
    path = IDS[node_id]
    display = text_of(SCHEMAS[path]["display_name"])
    assert path.stem == "_".join(words(node_id))
    assert display.startswith("SEAL "), "told apart from other packs' nodes in a search"
    page = ROOT / f"js/docs/{node_id}.md"
    assert page.read_text(encoding="utf-8").startswith(f"# {display}\n")


@pytest.mark.parametrize("node_id", sorted(IDS))
def test_a_search_for_the_words_of_an_id_finds_the_node(node_id: str) -> None:
    schema = SCHEMAS[IDS[node_id]]
    aliases = [n.value for n in ast.walk(schema["search_aliases"]) if isinstance(n, ast.Constant)]
    assert any(" ".join(words(node_id)) in each.lower() for each in [text_of(schema["display_name"]), *aliases])


def shown(path: Path) -> Iterator[str]:
    """A module's string constants, without docstrings and node ids themselves."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    left_out = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    left_out |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "node_id"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            yield node.value


def test_texts_call_nodes_by_their_display_names() -> None:
    """An id is nothing that a user sees. Quoted members of ComfyUI such as "comfy.sd.CLIP" are no texts."""
    pages = {path: [path.read_text(encoding="utf-8")] for path in (ROOT / "js/docs").rglob("*.md")}
    sources = [*(ROOT / "nodes").rglob("*.py"), *(ROOT / "seal_core").rglob("*.py")]
    texts = pages | {path: list(shown(path)) for path in sources if "world" not in path.parts}
    id_in = re.compile(rf"\b({'|'.join(sorted({*IDS, *CORE}))})\b")
    found = {str(path.relative_to(ROOT)): id_in.findall("\n".join(said)) for path, said in texts.items()}
    wrong = {path: ids for path, ids in found.items() if ids}
    assert not wrong
