"""The shipped workflows, and what their nodes hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER, EXAMPLES = ROOT / "workflows", ROOT / "js/examples"
LEARN = "Learn a character from one sticker"
TWELVE = "Telegram, WhatsApp and Signal stickers of my character"
TINY = "Try it without a checkpoint, from one sticker to a pack"
PICTURES = "Make a sticker pack of my pictures"
GIFS = "Make an animated sticker pack of GIFs or frames"
COMPARE = "Compare methods of learning a character"
DRAW = "Draw a character that I have learned"
MOVE = "Make a sticker move, and pack it"
LIKE_A_GIF = "GIF in, my character moves"
MOVING = "Try it without a checkpoint, a character that moves"
RESTYLE = "Redraw a picture in the look of another"
LOOKS = "Redraw a picture in three looks, region by region"
ONE_LOOK = "Sticker pack of my character in the look of a picture"
TAILOR = "Learn a look, and draw my character in it"
NAMES = (
    *(LEARN, TWELVE, TINY, PICTURES, GIFS, MOVE, LIKE_A_GIF, MOVING),
    *(RESTYLE, LOOKS, ONE_LOOK, TAILOR, COMPARE, DRAW),
)
"""All that ship."""
CONTROLLED = {"KSampler": "seed", "PrimitiveInt": "value"}  # followed by "control after generate"


def read(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def shipped_subgraphs() -> dict[str, dict[str, Any]]:
    """Name -> file of each subgraph blueprint."""
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (ROOT / "subgraphs").glob("*.json")}


def nodes_of(workflow: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [node for node in workflow["nodes"] if node["type"] == kind]


def widgets(node: dict[str, Any]) -> dict[str, Any]:
    """Widget name -> value of a node in the order that the front end saved; every value has its widget."""
    names: list[str] = []
    for slot in node["inputs"]:
        if "widget" in slot:
            names.append(slot["widget"]["name"])
            if CONTROLLED.get(node["type"]) == names[-1]:
                names.append("control_after_generate")
    assert len(names) == len(node["widgets_values"]), (node["type"], names, node["widgets_values"])
    return dict(zip(names, node["widgets_values"], strict=True))
