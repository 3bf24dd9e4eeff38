"""`python -m seal_core.world render`: a folder of stickers with masks and tags, as `seal_core.tagged` reads it."""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from ...files.whole_file import write_output
from ...messages import SealError
from ...pictures.png import png_bytes
from . import seeds
from .characters import character
from .render import render
from .scenes import random_scene

SPLITS = {"train": seeds.TRAIN, "judge": seeds.JUDGE, "validation": seeds.VALIDATION, "test": seeds.TEST}


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="NAME.png, NAME.mask.png and stickers.jsonl go here")
    add("--characters", type=int, default=8, metavar="N", help="how many characters (default 8)")
    add("--contexts", type=int, default=4, metavar="M", help="pictures of each (default 4)")
    add("--split", choices=tuple(SPLITS), default="train", help="whose seeds (default train)")
    add("--seed-offset", type=int, default=0, metavar="K", help="start at the K-th of the split")
    add("--size", type=int, default=128, metavar="PIXELS", help="side, a multiple of 8 (default 128)")


def run(options: argparse.Namespace) -> None:
    """Write the pictures, then the tags; SealError for bad input."""
    for name in ("characters", "contexts"):
        if getattr(options, name) < 1:
            raise SealError(f"{name}: {getattr(options, name)} is too few; use 1 or more.")
    every = SPLITS[options.split]
    if not 0 <= options.seed_offset <= len(every) - options.characters:
        most = len(every) - options.characters
        raise SealError(f"seed-offset: {options.seed_offset} is out of range; use 0 to {most}.")
    chosen, lines = every[options.seed_offset : options.seed_offset + options.characters], []
    for seed in tqdm(chosen, unit="character", leave=False):
        who, rng = character(seed), random.Random(f"folder {seed}")
        for i in range(options.contexts):
            sticker, name = render(who, random_scene(rng), rng.getrandbits(31), options.size), f"{seed}-{i}"
            write_output(options.out / f"{name}.png", png_bytes(Image.fromarray(sticker.image)))
            write_output(options.out / f"{name}.mask.png", png_bytes(Image.fromarray(sticker.mask)))
            row = {"image": f"{name}.png", "mask": f"{name}.mask.png", "concept": str(seed), "class": who.species}
            lines.append(json.dumps(row | sticker.attributes) + "\n")
    write_output(options.out / "stickers.jsonl", "".join(lines).encode())
    print(json.dumps({"folder": str(options.out), "stickers": len(lines)}))
