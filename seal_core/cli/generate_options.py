"""Options of the generate command. Imports no torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from .shared_options import add_model_option, add_run_options


def add_options(command: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core generate`."""
    add_model_option(command)
    add = command.add_argument
    add("--embedding", type=Path, required=True, metavar="FILE", help="trained by SEAL, or any Textual Inversion file")
    add("--prompt", required=True, help='the concept\'s name stands for the subject: "a sticker of <my-cat> jumping"')
    add("--negative", default="", metavar="TEXT", help="what pictures should not show")
    add("--steps", type=int, default=25, help="sampling steps (default 25)")
    add("--cfg", type=float, help="guidance scale, 1 = none (default 7, with the included model 4)")
    add("--count", type=int, default=1, help="how many pictures, with seeds counting up from --seed (default 1)")
    add("--size", default="", metavar="WxH", help="pixels, e.g. 512 or 768x512 (default: the model's own)")
    add("--strength", type=float, default=1.0, help="0 = class word, 1 = as learned (default)")
    add("--class-word", default="", metavar="WORD", help="for third-party files, which do not say what they show")
    add_run_options(command)
