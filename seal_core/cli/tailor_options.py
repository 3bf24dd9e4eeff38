"""Options of the tailor command. Imports no torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from .shared_options import add_model_option, add_run_options


def add_options(command: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core tailor`."""
    add_model_option(command)
    add = command.add_argument
    add("style", nargs="+", metavar="STYLE", help="pictures in the wanted look, about a dozen")
    add(
        "--style-captions",
        type=Path,
        metavar="FILE",
        help="what they show: one line for all, or one each, in order; best twice, briefly and in full: "
        "a cat | a grey cat in a red hat",
    )
    one_way = "see the style pictures one way round only: for letters"
    add("--not-mirrored", dest="mirrored", action="store_false", help=one_way)
    add("--content", nargs="+", default=(), metavar="IMAGE", help="content pictures (default: the model draws them)")
    add(
        "--content-captions",
        type=Path,
        metavar="FILE",
        help="with --content what it shows; else prompts, of each of which the model draws a picture (default: none: "
        "everything is learned from the style pictures)",
    )
    add("--name", default="my-style", help="the LoRA's file name (default my-style)")
    add("--split", type=float, default=0.95, help="share of the noise levels that learns the look (default 0.95)")
    add("--steps", type=int, default=400, help="training steps (default 400)")
    add("--learning-rate", type=float, default=1e-3, help="pace at the start (default 0.001)")
    add("--rank", type=int, default=8, help="size of the LoRA (default 8)")
    add("--batch-size", type=int, default=1, help="pictures a step (default 1)")
    add("--resolution", type=int, default=0, help="longer side in pixels (default: the model's own)")
    add_run_options(command)
