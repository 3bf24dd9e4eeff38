"""Options of the batch command. Imports no torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..stickers.platforms import PLATFORMS
from .shared_options import add_model_option, add_run_options
from .train_options import POLARITIES, add_training_options


def add_options(command: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core batch`."""
    add = command.add_argument
    add(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="pictures, also in sub-folders; masks beside them as NAME.mask.png (white = subject), else they are found",
    )
    add_model_option(command)
    add("--tags", type=Path, metavar="FILE", help="JSON, JSON lines or CSV (default: the one in FOLDER, if any)")
    add(
        "--class-word",
        default="",
        metavar="WORD",
        help="what the pictures show, where the tags do not say (default: the name of their sub-folder)",
    )
    add("--mask-polarity", choices=POLARITIES, default="auto", help="what white means in masks")
    add("--check", action="store_true", help="only look at tags and pictures, and list what cannot be used")
    _where_options(command.add_argument_group("where it is done"))
    _draw_options(command.add_argument_group("what is drawn with each concept"))
    add_training_options(command)
    add("--training-prompts", nargs="+", default=(), metavar="TEXT", help="{} for the concept (default: preset's)")
    add_run_options(command)


def _where_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--jobs", type=int, default=0, metavar="N", help="processes (default 1; with --ray: one for each device)")
    add(
        "--ray",
        default="",
        metavar="ADDRESS",
        help="a Ray cluster: auto, HOST:PORT or ray://HOST:PORT; local = one on this machine alone. Needs "
        'pip install "seal-stickers[cluster]"',
    )
    learned = (
        "pictures that a process learns in one pass of the model (default 1; on a card quicker, takes more memory)"
    )
    add("--together", type=int, default=1, metavar="K", help=learned)
    add("--threads", type=int, default=1, metavar="N", help="of each process on the CPU (default 1; they change bits)")


def _draw_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--prompts", type=Path, metavar="FILE", help="a prompt a line, {} for the concept: each is drawn")
    add("--negative", default="", metavar="TEXT", help="what pictures should not show")
    add("--sampling-steps", type=int, default=25, metavar="N", help="default 25")
    add("--cfg", type=float, help="guidance scale, 1 = none (default 7, with the included model 4)")
    add("--pack", choices=tuple(PLATFORMS), help="cut the pictures out and pack them for this platform")
    add("--author", default="SEAL", metavar="A", help="who made the packs (default SEAL)")
    add("--emoji", nargs="+", default=[], metavar="E", help="as in the pack command, such as 'sad=😢'")
