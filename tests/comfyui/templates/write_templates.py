"""Writes workflows/*.json: lays each out, and lets ComfyUI's front end fill in the rest and save it; subgraphs/*.json.

    python write_templates.py [COMFYUI_FOLDER] [--only PART_OF_A_NAME]

Needs the oldest ComfyUI that is supported (0.8) and a Chromium.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import tomllib

sys.path.extend(str(Path(__file__).resolve().parents[2] / f) for f in ("comfyui", "comfyui/browser", "support", ".."))

import learning_templates as learning
import motion_templates as motions
import pack_templates as packs
import style_templates as styles
from blueprints import BLUEPRINTS
from frontend import FrontEnd
from installed import PACK, find_comfyuis, version_of
from layout_builder import Page
from saved_workflows import (
    COMPARE,
    DRAW,
    GIFS,
    LEARN,
    LIKE_A_GIF,
    LOOKS,
    MOVE,
    MOVING,
    ONE_LOOK,
    PICTURES,
    RESTYLE,
    TAILOR,
    TINY,
    TWELVE,
)
from server import ComfyServer

from seal_core.messages import SealError

PICTURE_FILES = [f"seal-picture-{name}.jpg" for name in ("happy", "sad", "angry", "surprised", "sleepy", "in-love")]
GIF_FILES = [f"seal-{name}.gif" for name in ("wave", "hop", "love")]
LAID_OUT = {
    LEARN: (learning.learn, [learning.STICKER]),
    TWELVE: (lambda info: packs.twelve(info, tiny=False), [learning.STICKER]),
    TINY: (lambda info: packs.twelve(info, tiny=True), []),
    PICTURES: (packs.pictures, PICTURE_FILES),
    GIFS: (packs.gifs, GIF_FILES),
    MOVE: (motions.moved, [learning.STICKER]),
    LIKE_A_GIF: (motions.like_a_gif, [motions.GIF]),
    MOVING: (motions.learned_and_moving, []),
    RESTYLE: (styles.restyled, [learning.STICKER, styles.LOOK]),
    LOOKS: (styles.in_three_looks, [learning.STICKER, *styles.LOOKS]),
    ONE_LOOK: (packs.in_one_look, [packs.LOOK]),
    TAILOR: (styles.tailored, list(styles.HANDFUL)),
    COMPARE: (learning.compare, [learning.STICKER]),
    DRAW: (learning.draw, []),
}
"""Workflow -> what lays it out, and which example pictures it loads."""


def tidy(workflow: dict[str, Any], info: dict[str, Any], core: str) -> dict[str, Any]:
    """The saved file with where its nodes come from, and nothing that only this machine knows."""
    project = tomllib.loads((PACK / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    subgraphs = workflow.get("definitions", {}).get("subgraphs", [])
    for node in [*workflow["nodes"], *(node for subgraph in subgraphs for node in subgraph["nodes"])]:
        ours = info.get(node["type"], {}).get("category", "SEAL").startswith("SEAL")
        if node["type"] != "MarkdownNote":
            source = (project["name"], project["version"]) if ours else ("comfy-core", core)
            node["properties"] |= {"cnr_id": source[0], "ver": source[1]}
        node.pop("localized_name", None)
        for slot in [*node["inputs"], *node["outputs"]]:
            slot.pop("localized_name", None)
    workflow["extra"].pop("frontendVersion", None)
    return workflow


def write_json(file: Path, content: dict[str, Any]) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("comfyui", nargs="?", type=Path)
    parser.add_argument("--only", default="", metavar="TEXT", help="only workflows with this text in their name")
    options = parser.parse_args()
    comfyui = options.comfyui or next(iter(find_comfyuis()), None)
    if comfyui is None:
        raise SealError("comfyui: none was found; name its folder.")
    with tempfile.TemporaryDirectory() as base:
        server = ComfyServer(comfyui, Path(base)).start()
        try:
            info, core = server.object_info(), version_of(comfyui)
            for made in (draw(info) for draw in BLUEPRINTS):
                if options.only in made.name:
                    write_json(PACK / f"subgraphs/{made.name}.json", tidy(made.file(), info, core))
            with FrontEnd(f"http://127.0.0.1:{server.port}/") as front:
                for name, (lay_out, examples) in LAID_OUT.items():
                    if options.only in name:
                        page: Page = lay_out(info)
                        wrong = front.load(page.finished(name, examples))
                        write_json(PACK / f"workflows/{name}.json", tidy(front.saved(), info, core))
                        print(f"{name}: {'; '.join(wrong) or 'nothing wrong'}", flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
