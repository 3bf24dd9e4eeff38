"""Options of the restyle command. Imports no torch."""

from __future__ import annotations

import argparse

from .shared_options import add_model_option, add_run_options


def add_options(command: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core restyle`."""
    add_model_option(command)
    add = command.add_argument
    add("image", nargs="+", metavar="IMAGE", help="pictures that take the look; their subjects are found")
    add("--style", action="append", required=True, metavar="FILE", help="a picture with the look; can be repeated")
    add("--override", default="", metavar="TEXT", help='own choices of regions: "2 <- style 1 region 3; 4 <- none"')
    add("--colours", choices=("style", "own"), default="style", help="whose colours (default: the style's)")
    add(
        "--anywhere", action="store_true", help="look at all of the style, not by region; use with --content-weight 0.5"
    )
    add("--steps", type=int, default=150, help="more steps, more of the style (default 150)")
    add("--strength", type=float, default=1.0, help="0 = own look, 1 = the style's (default)")
    add("--content-weight", type=float, default=0.26, help="how firmly shapes stay (default 0.26)")
    add("--regions", type=int, default=6, help="regions of subject and ground, at most (default 6)")
    add("--resolution", type=int, default=0, help="longer side in pixels (default: the model's own)")
    add_run_options(command)
