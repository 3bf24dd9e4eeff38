"""Options of the move command. Imports no torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from .shared_options import add_model_option, add_run_options

LAYER_KINDS = ("sti", "attention", "conv3d")
FORMATS = ("webp", "apng", "gif", "webm")


def add_options(command: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core move`."""
    add_model_option(command)
    add = command.add_argument
    add(
        "example",
        type=Path,
        metavar="EXAMPLE",
        nargs="?",
        help="one animated sticker to learn from (GIF, WebP, APNG, a folder of frames); or a motion learned before "
        "(.safetensors), to draw with (default: what the included model knows of moving)",
    )
    add("--caption", default="", metavar="TEXT", help="what the example shows: who, doing what, in what style")
    add("--prompt", default="", metavar="TEXT", help="what is to move like it; drawn when the motion is learned")
    add("--embedding", type=Path, metavar="FILE", help="a learned concept, which the prompt names")
    add("--negative", default="", metavar="TEXT", help="what the frames should not show")
    add("--name", default="my-motion", help="the motion's file name (default my-motion)")
    add("--steps", type=int, default=600, help="training steps (default 600)")
    add("--learning-rate", type=float, default=2e-3, help="pace at the start (default 0.002)")
    add("--layer", choices=LAYER_KINDS, default=LAYER_KINDS[0], help="kind of the layers (default sti)")
    add("--width", type=int, default=64, help="channels that the layers work in (default 64, 0 = the model's)")
    add("--frames", type=int, default=8, help="frames of the loop (default 8)")
    add("--resolution", type=int, default=0, help="longer side in pixels (default: the model's own)")
    add("--strength", type=float, default=1.0, help="how far it moves when it is drawn (default 1)")
    add("--draw-steps", type=int, default=25, help="sampling steps (default 25)")
    add("--cfg", type=float, help="guidance scale, 1 = none (default 7, with the included model 4)")
    add("--fps", type=float, default=8.0, help="frames a second of what is drawn (default 8)")
    add("--format", choices=FORMATS, default="webp", help="of what is drawn (default webp)")
    add_run_options(command)
