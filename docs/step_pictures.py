"""Makes the README's picture of five steps: what training, drawing and cutting give, with the tiny model.

    python docs/step_pictures.py [FOLDER]

Needs `pip install .[cli]`; about three minutes on two cores. FOLDER: one in which `python -m seal_core train` has
written its files; without it that is done here. Nothing is retouched.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from seal_core.cli.included import built_in_pictures, open_included
from seal_core.cli.main import main as seal
from seal_core.cli.model_and_concept import read_concept
from seal_core.demo.generation import generate_pictures
from seal_core.masks.methods import semantic_mask
from seal_core.masks.preview import mask_overlay
from seal_core.stickers.border import Border, add_border
from seal_core.stickers.canvas import fit_into, rgba8
from seal_core.stickers.cutout import cutout

ROOT = Path(__file__).resolve().parents[1]
FONT = ROOT / "seal_core/stickers/fonts/MPLUSRounded1c-ExtraBold-subset.ttf"
OUT = ROOT / "docs/five-steps.jpg"
STEPS = ("1  your sticker", "2  what is the character", "3  where the new word looks", "4  new pictures", "5  stickers")
PROMPTS = (
    "happy, waving, full body, flat vector style, forest background",
    "sad, sitting, full body, flat vector style, snowy background",
    "angry, standing, full body, flat vector style, plain mint background",
    "in love, jumping, full body, flat vector style, plain lavender background",
)
CELL, GAP, TOP, EDGE = 256, 44, 52, 20
"""Pixels: a step's square, the gap with its arrow, and the margins above and around."""
AFTER = (416, 16, 800, 400)
"""Where the picture of the attention shows it after the training."""
PAPER, INK, QUIET = "#d5e0f2", "#20202a", "#7d8aa5"


def image_of(picture: Tensor) -> Image.Image:
    return Image.fromarray((picture.clamp(0, 1) * 255).round().byte().numpy())


def four(pictures: list[Image.Image]) -> Image.Image:
    """Two rows of two, on a transparent ground."""
    side = CELL // 2 - 4
    page = Image.new("RGBA", (CELL, CELL))
    for i, picture in enumerate(pictures):
        small = picture.convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)
        page.paste(small, ((i % 2) * (side + 8), (i // 2) * (side + 8)), small)
    return page


def steps(folder: Path) -> list[Image.Image]:
    """A picture of each step, from what `train` wrote into a folder."""
    (sticker,), _ = built_in_pictures()
    seen = mask_overlay(sticker[None], semantic_mask(sticker[None]))[0]
    with Image.open(folder / "my-sticker.attention.png") as attention:
        learned = attention.convert("RGB").crop(AFTER)
    host = open_included(None, None)
    concept = read_concept("embedding", folder / "my-sticker.safetensors", "")
    prompts = [f"a sticker of {concept.name}, {words}" for words in PROMPTS]
    drawn = generate_pictures(host, concept, prompts, 1, seed=0)
    cut, _ = add_border(cutout(drawn, failing="stop")[0], border=Border(width=4))
    stickers = [Image.fromarray(fit_into(one, CELL, CELL)) for one in rgba8(cut.numpy())]
    return [image_of(sticker), image_of(seen), learned, four([image_of(one) for one in drawn]), four(stickers)]


def laid_out(pictures: list[Image.Image]) -> Image.Image:
    """The steps in a row, with arrows between and words above."""
    page = Image.new("RGB", (2 * EDGE + len(STEPS) * (CELL + GAP) - GAP, TOP + CELL + EDGE), PAPER)
    draw, font, middle = ImageDraw.Draw(page), ImageFont.truetype(str(FONT), 19), TOP + CELL // 2
    for i, (words, picture) in enumerate(zip(STEPS, pictures, strict=True)):
        left = EDGE + i * (CELL + GAP)
        draw.text((left + CELL // 2, TOP // 2), words, INK, font, anchor="mm")
        scale = CELL / max(picture.size)
        small = picture.convert("RGBA").resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS
        )
        page.paste(small, (left + (CELL - small.width) // 2, middle - small.height // 2), small)
        if i:
            draw.line([(left - GAP + 9, middle), (left - 16, middle)], QUIET, 5)
            draw.polygon([(left - 8, middle), (left - 22, middle - 10), (left - 22, middle + 10)], QUIET)
    return page


def main() -> None:
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(made)
        if len(sys.argv) == 1 and seal(["train", "--out", made]):
            raise SystemExit("train failed; see the line above.")
        laid_out(steps(folder)).save(OUT, quality=90, optimize=True)
    print(OUT)


if __name__ == "__main__":
    main()
