"""Makes the README's first picture: runs the template without a checkpoint in a real ComfyUI and lays out its output.

    python docs/lead_picture.py [COMFYUI_FOLDER]

Needs `pip install .[dev]` and a ComfyUI (COMFYUI_PATH, ~/comfy/ComfyUI* or ../ComfyUI); about four minutes on a CPU.
Nothing is retouched: the stickers are the files of the pack, in their order.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

sys.path.extend(str(Path(__file__).resolve().parents[1] / "tests" / folder) for folder in ("comfyui", "support"))

from installed import PACK as ROOT
from installed import find_comfyuis
from saved_workflows import TINY
from server import ComfyServer
from workflow_api import of_type, to_api

FONT = ROOT / "seal_core/stickers/fonts/MPLUSRounded1c-ExtraBold-subset.ttf"
OUT = ROOT / "docs/one-sticker-twelve.jpg"
EMOTIONS = ("happy", "sad", "angry", "surprised", "sleepy", "in love")
ACTIONS = ("waving", "jumping")
CELL, GAP, TOP, LEFT = 190, 12, 48, 424
"""Pixels: a sticker's cell, the gap, and the margins above and to the left, where the one sticker stands."""
PAPER, INK, QUIET = "#d5e0f2", "#20202a", "#7d8aa5"


def made(comfyui: Path) -> tuple[Image.Image, list[Image.Image]]:
    """The one sticker, and the twelve of the workflow's first pack."""
    with tempfile.TemporaryDirectory() as folder:
        server = ComfyServer(comfyui, Path(folder)).start()
        try:
            graph = to_api(
                json.loads((ROOT / f"workflows/{TINY}.json").read_text(encoding="utf-8")),
                server.object_info(),
            )
            outputs = server.run(graph, timeout=1800).ok().outputs
            model = of_type(graph, "SEALDemoModel")[0]  # also gives the sticker
            first = next(n for n in of_type(graph, "PreviewImage") if graph[n]["inputs"]["images"][0] == model)
            packs = [outputs[n]["images"] for n in of_type(graph, "SEALSaveStickerPack")]
            whole = next(images for images in packs if len(images) == len(EMOTIONS) * len(ACTIONS))
            return server.view(outputs[first]["images"][0]), [server.view(image) for image in whole]
        finally:
            server.stop()


def laid_out(sticker: Image.Image, stickers: list[Image.Image]) -> Image.Image:
    """The one at the left, an arrow, the others as a grid of emotions and actions."""
    size = (LEFT + len(EMOTIONS) * (CELL + GAP), TOP + len(ACTIONS) * (CELL + GAP) + GAP)
    page = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    font = ImageFont.truetype(str(FONT), 20)
    side = 2 * CELL - 80
    middle = TOP + (size[1] - TOP) // 2 - GAP // 2
    page.paste(sticker.convert("RGB").resize((side, side), Image.Resampling.LANCZOS), (20, middle - side // 2))
    draw.text((20 + side // 2, 24), "one sticker in", INK, font, anchor="mm")
    tip = LEFT - 22
    draw.line([(20 + side + 18, middle), (tip - 10, middle)], QUIET, 5)
    draw.polygon([(tip, middle), (tip - 16, middle - 11), (tip - 16, middle + 11)], QUIET)
    for column, emotion in enumerate(EMOTIONS):
        draw.text((LEFT + column * (CELL + GAP) + CELL // 2, 24), emotion, INK, font, anchor="mm")
        for row in range(len(ACTIONS)):
            small = (
                stickers[row * len(EMOTIONS) + column].convert("RGBA").resize((CELL, CELL), Image.Resampling.LANCZOS)
            )
            page.paste(small, (LEFT + column * (CELL + GAP), TOP + row * (CELL + GAP)), small)
    return page


def main() -> None:
    comfyui = Path(sys.argv[1]) if len(sys.argv) > 1 else find_comfyuis()[-1]
    laid_out(*made(comfyui)).save(OUT, quality=90, optimize=True)
    print(OUT)


if __name__ == "__main__":
    main()
