"""Options of the demo command; the demo itself is `seal_core.demo.run`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..demo.examples import EXAMPLES
from ..world.renderer.characters import SPECIES


def demo_options(command: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core demo`."""
    add = command.add_argument
    choice = command.add_mutually_exclusive_group()
    choice.add_argument("--image", type=Path, metavar="PNG", help="your own sticker (default: a built-in one)")
    choice.add_argument("--example", choices=tuple(EXAMPLES), metavar="NAME", help=f"one of: {'; '.join(EXAMPLES)}")
    known = ", ".join(SPECIES)
    add(
        "--class-word",
        default="",
        metavar="WORD",
        help=f"what it shows; the tiny model knows {known} (default: guessed)",
    )
    add("--attributes", default="", metavar="JSON", help='what words can say of it: \'{"background": "beach"}\'')
    add("--out", default="seal-demo", metavar="DIR", help="where files go (default: seal-demo)")
    add("--steps", type=int, default=0, help="training steps of both methods (default: the presets')")
    add("--seed", type=int, default=0, help="same seed, same result on one machine (default 0)")
