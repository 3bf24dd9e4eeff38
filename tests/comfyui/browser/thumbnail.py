"""Makes the pictures of the template browser: what each workflow draws on the included tiny model, full-bleed.

    python thumbnail.py [--base DIR] [PART_OF_A_NAME...]

writes workflows/NAME.jpg, or those whose names have a part. Needs a ComfyUI; a quarter of an hour on two cores.
Nothing is retouched.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("comfyui", "support", ".."))

from installed import find_comfyuis
from PIL import Image, ImageOps, ImageSequence
from saved_workflows import (
    COMPARE,
    DRAW,
    EXAMPLES,
    FOLDER,
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
    nodes_of,
    read,
    widgets,
)
from server import ComfyServer, Result
from workflow_api import changed, of_type, to_api

from seal_core.demo.sticker_files import FOLDER as STICKERS
from seal_core.demo.sticker_files import file_name

SIDE, FILLED = 640, 0.88
PAPERS = {"mint": "#bfe9d6", "sky": "#cfe0f7", "peach": "#fbdcc4", "lavender": "#ded3f5"}
CAT = "orange cat, running on a beach"
ON_TINY = {
    "EmptyLatentImage": {"width": 128, "height": 128}, "KSampler": {"cfg": 4.0},
    "SEALTrainEmbedding": {"steps": 150, "batch_size": 8},
    "SEALTailorStyle": {
        "steps": 120, "batch_size": 8, "content_cfg": 4.0,
        "content_captions": "\n".join(f"a sticker of a {a}, {e}" for a in ("cat", "pig") for e in ("sad", "angry")),
    },
}  # fmt: skip
"""What a workflow for a checkpoint needs on the tiny model."""
SHEET_ROWS, SHEET_COLUMNS, SHEET_CELL = (286, 528), (376, 1108), 168
"""Pixels in docs/contact_sheet.jpg."""
LEAD_X, LEAD_Y, LEAD_PITCH, LEAD_CELL = 424, 48, 202, 190
"""Pixels in docs/one-sticker-twelve.jpg."""
LEARNED = (
    {"emotion": "angry", "action": "waving", "background": "plain mint"},
    {"emotion": "in love", "action": "sitting", "background": "plain lavender"},
    {"emotion": "sad", "action": "jumping", "background": "plain peach"},
)
DRAWN = (
    {"emotion": "surprised", "action": "jumping", "background": "beach"},
    {"emotion": "happy", "action": "waving", "background": "forest"},
    {"emotion": "sleepy", "action": "sitting", "background": "night city"},
    {"emotion": "in love", "action": "standing", "background": "snowy"},
)


def tiled(pictures: list[Image.Image], columns: int, paper: str = "#ffffff") -> Image.Image:
    """columns x columns pictures that fill the square; cut-outs without the clear margins around them."""
    page, side = Image.new("RGB", (SIDE, SIDE), paper), SIDE // columns
    for i, picture in enumerate(pictures[: columns**2]):
        cell = picture.convert("RGBA")
        seen = cell.crop(cell.getchannel("A").getbbox())
        full = side if seen.size == cell.size else round(side * FILLED)
        seen = ImageOps.contain(seen, (full, full), Image.Resampling.LANCZOS)
        x, y = i % columns * side + (side - seen.width) // 2, i // columns * side + (side - seen.height) // 2
        page.paste(seen, (x, y), seen)
    return page


class Studio:
    """Runs shipped workflows on one server, on the tiny model."""

    def __init__(self, server: ComfyServer) -> None:
        self.server, self.info = server, server.object_info()
        for file in EXAMPLES.iterdir():
            (server.base / "input" / file.name).write_bytes(file.read_bytes())

    def run(self, name: str, changes: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], Result]:
        """The workflow with its checkpoint, if it has one, exchanged for the tiny model, and what came out."""
        graph = to_api(read(name), self.info)
        learns = bool(of_type(graph, "CheckpointLoaderSimple"))
        for node in graph.values():
            if node["class_type"] == "CheckpointLoaderSimple":  # the first three outputs are the same
                node["class_type"], node["inputs"] = "SEALDemoModel", {"example": CAT}
            if learns and node["class_type"] == "LoadImage" and node["inputs"]["image"] == "seal-orange-cat.png":
                (self.server.base / "input/sticker.png").write_bytes((STICKERS / file_name(CAT)).read_bytes())
                node["inputs"]["image"] = "sticker.png"
        graph = changed(graph, changes)
        return graph, self.server.run(graph, timeout=1800).ok()

    def saved(self, name: str, changes: dict[str, dict[str, Any]]) -> list[Image.Image]:
        """The pictures that the workflow's Save Image shows."""
        graph, result = self.run(name, changes)
        return [self.server.view(image) for image in result.outputs[of_type(graph, "SaveImage")[0]]["images"]]

    def packed(self, name: str, changes: dict[str, dict[str, Any]], pack: int = 0) -> list[Image.Image]:
        """The stickers of one of the workflow's packs, by default the first."""
        graph, result = self.run(name, changes)
        found = result.outputs[of_type(graph, "SEALSaveStickerPack")[pack]]["images"]
        return [self.server.view(image) for image in found]

    def scene(self, name: str, scene: dict[str, str]) -> Image.Image:
        words = {"style": "flat vector", "camera": "full body", "extra": "", **scene}
        return self.saved(name, {**ON_TINY, "StickerAttributePrompt": words})[0]


def learn(studio: Studio) -> Image.Image:
    """The one sticker, and three pictures of what was learned."""
    with Image.open(STICKERS / file_name(CAT)) as sticker:
        return tiled([sticker.convert("RGB"), *(studio.scene(LEARN, scene) for scene in LEARNED)], 2)


def draw(studio: Studio) -> Image.Image:
    studio.scene(LEARN, LEARNED[0])
    return tiled([studio.scene(DRAW, scene) for scene in DRAWN], 2)


def twelve(studio: Studio) -> Image.Image:
    changes = {**ON_TINY, "SEALStickerCutout": {"grow": -2}}
    return tiled(studio.packed(TWELVE, changes), 3, PAPERS["peach"])


def tiny(_: Studio) -> Image.Image:
    """Out of the README's first picture, which is this workflow's own output."""
    with Image.open(FOLDER.parent / "docs/one-sticker-twelve.jpg") as page:
        corners = [(LEAD_X + i % 6 * LEAD_PITCH, LEAD_Y + i // 6 * LEAD_PITCH) for i in range(9)]
        return tiled([page.crop((x, y, x + LEAD_CELL, y + LEAD_CELL)) for x, y in corners], 3)


def own_pictures(studio: Studio) -> Image.Image:
    return tiled(studio.packed(PICTURES, {}), 2, PAPERS["lavender"])


def moving(studio: Studio) -> Image.Image:
    """A row for each animation of the WhatsApp pack."""
    return in_rows(studio.packed(GIFS, {}, pack=1), PAPERS["mint"])


def learned_and_moving(studio: Studio) -> Image.Image:
    """A row for each animation of the learned character; WhatsApp's files are pictures that show in a browser."""
    return in_rows(studio.packed(MOVING, {"SEALSaveStickerPack": {"platform": "whatsapp"}}), PAPERS["peach"])


def in_rows(packed: list[Image.Image], paper: str) -> Image.Image:
    """Three moments of each of the last three; before them a pack's node shows all at once."""
    rows = []
    for animation in packed[-3:]:
        moments = [frame.convert("RGBA") for frame in ImageSequence.Iterator(animation)]
        rows += [moments[len(moments) * i // 4] for i in (0, 1, 3)]
    return tiled(rows, 3, paper)


def moved(studio: Studio) -> Image.Image:
    """Nine moments of the Signal pack's animation."""
    animation = next(p for p in studio.packed(MOVE, {}, pack=1) if getattr(p, "n_frames", 1) > 1)
    moments = [frame.convert("RGBA") for frame in ImageSequence.Iterator(animation)]
    return tiled([moments[len(moments) * i // 9] for i in range(9)], 3, PAPERS["sky"])


def like_a_gif(studio: Studio) -> Image.Image:
    """Three moments of the GIF, and six of the learned character that moves like it."""
    studio.scene(LEARN, LEARNED[0])
    animation = studio.packed(LIKE_A_GIF, {**ON_TINY, "EmptyLatentImage": {"width": 128, "height": 128}})[0]
    rows = []
    with Image.open(EXAMPLES / "seal-wave.gif") as gif:
        for one, count in ((gif, 3), (animation, 6)):
            moments = [frame.convert("RGBA") for frame in ImageSequence.Iterator(one)]
            rows += [moments[len(moments) * i // count] for i in range(count)]
    return tiled(rows, 3, PAPERS["sky"])


def restyled(studio: Studio) -> Image.Image:
    """The sticker, the look, the sticker in that look, and in its own colours."""
    few = {"SEALStyleRegions": {"steps": 15}, "SEALRestyle": {"steps": 100}}
    own = {**few, "SEALRestyle": {"steps": 100, "colours": "own"}}
    made = [studio.saved(RESTYLE, changes)[0] for changes in (few, own)]
    with Image.open(STICKERS / file_name(CAT)) as sticker, Image.open(EXAMPLES / "seal-look.jpg") as look:
        return tiled([sticker.convert("RGB"), look.convert("RGB"), *made], 2)


def in_three_looks(studio: Studio) -> Image.Image:
    """The three looks, and the sticker in them."""
    few = {"SEALStyleRegions": {"steps": 15}, "SEALRestyle": {"steps": 60}}
    made = studio.saved(LOOKS, few)[0]
    looks = [widgets(node)["image"] for node in nodes_of(read(LOOKS), "LoadImage")[1:]]
    return tiled([*map(example, looks), made], 2)


def in_one_look(studio: Studio) -> Image.Image:
    """The look, and the pack of a learned character in it."""
    studio.scene(LEARN, LEARNED[0])
    made = studio.packed(ONE_LOOK, {**ON_TINY, "SEALStickerCutout": {"grow": -2}, "SEALStyleModel": {"strength": 0.8}})
    return tiled([example("seal-look.jpg"), *made], 3, PAPERS["sky"])


def tailored(studio: Studio) -> Image.Image:
    """Two of the pictures in the look, and the learned character in it, twice."""
    studio.scene(LEARN, LEARNED[0])
    six = {**ON_TINY, "EmptyLatentImage": {"width": 128, "height": 128, "batch_size": 6}}
    six["KSampler"] = {**ON_TINY["KSampler"], "seed": 20}
    made = []
    for scene, chosen in ((LEARNED[0], 2), (DRAWN[1], 3)):
        words = {"camera": "full body", "extra": "", **scene, "style": ""}
        made.append(studio.saved(TAILOR, {**six, "StickerAttributePrompt": words})[chosen])
    (looks,) = nodes_of(read(TAILOR), "SEALLoadStickers")
    return tiled([*map(example, widgets(looks)["files"].splitlines()[2:]), *made], 2)


def example(name: str) -> Image.Image:
    """A picture that comes with the workflows."""
    with Image.open(EXAMPLES / name) as picture:
        return picture.convert("RGB")


def compare(_: Studio) -> Image.Image:
    """Out of the README's sheet, whose trainings take hours: Textual Inversion above, SEAL below; angry, night city."""
    with Image.open(FOLDER.parent / "docs/contact_sheet.jpg") as sheet:
        places = [(x, y) for y in SHEET_ROWS for x in SHEET_COLUMNS]
        return tiled([sheet.crop((x, y, x + SHEET_CELL, y + SHEET_CELL)) for x, y in places], 2)


MADE = {
    PICTURES: own_pictures, GIFS: moving, LEARN: learn, DRAW: draw, TINY: tiny, TWELVE: twelve, COMPARE: compare,
    MOVE: moved, LIKE_A_GIF: like_a_gif, RESTYLE: restyled, LOOKS: in_three_looks, ONE_LOOK: in_one_look,
    TAILOR: tailored, MOVING: learned_and_moving,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=[""], help="parts of the workflows' names (default: all of them)")
    parser.add_argument("--base", type=Path, metavar="DIR", help="keep ComfyUI's folder, and what it learned, there")
    options = parser.parse_args()
    comfyui = next(iter(find_comfyuis()), None)
    assert comfyui is not None, "no ComfyUI found"
    with tempfile.TemporaryDirectory() as spare:
        server = ComfyServer(comfyui, options.base or Path(spare)).start()
        try:
            studio = Studio(server)
            for name, make in MADE.items():
                if any(part in name for part in options.parts):
                    picture = io.BytesIO()
                    make(studio).save(picture, "JPEG", quality=80)
                    (FOLDER / f"{name}.jpg").write_bytes(picture.getvalue())
                    print(f"{name}: {len(picture.getvalue()) // 1000} kB", flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
