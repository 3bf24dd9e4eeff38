"""`python -m seal_core.world built-in`: draw the demo's stickers again, as the PNG files that ship."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from ...demo.sticker_files import BUILT_IN, FOLDER, file_name
from ...files.whole_file import write_output
from ...pictures.png import png_bytes
from .characters import character
from .render import RenderedSticker, render
from .scenes import Scene
from .seeds import EXAMPLES

_PLACES = {
    "orange cat, running on a beach": 1,
    "pink dog, waving in a forest": 27,
    "teal rabbit, jumping in the snow": 17,
    "red penguin, sitting in a sunburst": 13,
    "purple fox, standing in a night city": 2,
    "brown bear, lying among hearts": 4,
}
"""Which character of `seeds.EXAMPLES` is on each sticker."""


def drawn(name: str) -> RenderedSticker:
    """A built-in sticker from the renderer, 128 px."""
    seed = EXAMPLES[_PLACES[name]]
    return render(character(seed), Scene(**BUILT_IN[name]), seed)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR", help="(default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    """Write one PNG for each sticker: the picture in RGB, its exact mask in alpha."""
    for name in BUILT_IN:
        sticker = drawn(name)
        rgba = np.dstack([sticker.image, sticker.mask])
        write_output(options.out / file_name(name), png_bytes(Image.fromarray(rgba)))
    print(f"{len(BUILT_IN)} stickers: {options.out}")
