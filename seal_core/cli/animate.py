"""The animate command: stickers that move, without a model. Its options import no torch."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

FORMATS = ("webp", "apng", "gif", "webm")


def add_options(command: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core animate`."""
    from ..motion.motion_laws import MOTIONS
    from ..motion.overlay_laws import NONE, OVERLAYS

    add = command.add_argument
    add(
        "input",
        nargs="*",
        metavar="IN",
        help="stickers, each of which becomes an animation (default: a built-in one); for --motion poses the 2 to 8 "
        "key poses of one",
    )
    add("--motion", choices=tuple(MOTIONS), default="bounce", help="how it moves (default bounce)")
    add("--strength", type=float, default=1.0, help="how far it goes, 0 to 2 (default 1)")
    add("--frames", type=int, default=16, help="frames of one loop (default 16); for poses best 8 for each")
    add("--fps", type=float, default=0.0, help="frames a second (default 0: the motion's own pace)")
    add("--overlay", choices=OVERLAYS, default=NONE, help="what moves around the subject (default none)")
    add("--shadow", type=float, default=0.35, help="opacity of the shadow on the ground (default 0.35, 0 = none)")
    add("--format", choices=FORMATS, default="webp", help="of the files (default webp); pack makes platforms' own")
    add("--out", default=".", metavar="DIR", help="where files go (default: here)")


def run(options: argparse.Namespace) -> None:
    """Write an animation for each sticker and print where. Raises SealError."""
    from ..files.whole_file import ready_folder, write_new_files
    from ..motion.motion_laws import POSES
    from ..motion.moving_stickers import MotionSettings, moving_stickers
    from ..stickers.canvas import rgba8
    from ..stickers.pack.animation_encoder import SUFFIX, encode_animation
    from ..stickers.pack.clip import Clip
    from ..stickers.platforms import platform_of

    settings = MotionSettings(
        options.motion, options.strength, options.frames, options.fps, options.shadow, options.overlay
    )
    names, pictures, masks = _stickers(options.input)
    out = ready_folder(options.out, "out")
    made = moving_stickers(pictures, masks, settings, _progress if sys.stderr.isatty() else None)
    suffix = f".{SUFFIX.get(options.format, options.format)}"
    for name, sticker in zip(names, made):  # key poses become one animation, which has the first one's name
        clip = Clip.at_rate(rgba8(sticker.images.numpy()), sticker.fps)
        file = encode_animation(clip, platform_of("plain").motion, options.format).found.data
        stem = f"{name}-{options.motion}"
        path = write_new_files(out, stem, {suffix: file}, "out")[suffix]
        count = f"{len(names)} poses, " if options.motion == POSES else ""
        print(f"{path}: {count}{len(clip.frames)} frames, {clip.total / 1000:.2f} s, {len(file):,} bytes")


def _stickers(files: list[str]) -> tuple[list[str], list[Tensor], list[Tensor]]:
    """Names, pictures (1, H, W, 3 or 4), and masks (1, H, W) where they need any."""
    from ..pictures.picture_file import read_picture

    if files:
        return [Path(file).stem for file in files], [read_picture(Path(file), "in")[None] for file in files], []
    from ..demo.sticker_files import BUILT_IN, file_name
    from .included import built_in_pictures

    name = next(iter(BUILT_IN))
    print(f"sticker: {name}, a built-in one (give picture files for yours)")
    (picture,), (mask,) = built_in_pictures()
    return [Path(file_name(name)).stem], [picture[None]], [mask[None]]


def _progress(done: int, total: int) -> None:
    print(f"\rframe {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)
