"""The pack command: a folder of pictures into a sticker pack."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..messages import SealError
from ..stickers.platforms import PLATFORMS

FORMATS = ("auto", "png", "webp", "apng", "gif", "webm")


def add_options(command: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core pack`."""
    add = command.add_argument
    add(
        "input",
        metavar="IN",
        help="folder of pictures; animated WebP, GIF and APNG files become animated stickers, and so do sub-folders, "
        "whose still pictures are the frames",
    )
    add("--platform", choices=tuple(PLATFORMS), required=True, help="whose limits to keep; plain has none")
    add("--out", required=True, metavar="DIR", help="the pack becomes a new folder in here")
    add("--title", required=True, metavar="T", help="the pack's title")
    add("--author", required=True, metavar="A", help="who made it")
    add(
        "--emoji",
        nargs="+",
        default=[],
        metavar="E",
        help="emoji for all stickers, or one text for each, in order; or texts such as 'sad=😢', which go by the words "
        "in the files' names",
    )
    add("--name", default="", help="the new folder's name (default: made of the title); the platform is added")
    add(
        "--fps",
        type=float,
        default=12.0,
        help="frames a second of sub-folders (default 12); files bring their own times",
    )
    add("--format", choices=FORMATS, default="auto", help="for platforms that leave a choice (default: the best one)")
    add("--size", type=int, default=0, metavar="PIXELS", help="imessage: 300, 408 or 618; plain: the longer side")
    add("--cut", action="store_true", help="end animations that are too long early (default: play them faster)")


def run(options: argparse.Namespace) -> None:
    """Write the pack and print where. Raises SealError."""
    from ..files.whole_folder import unfinished_folders
    from ..stickers.pack.pack_request import PackRequest, with_emoji
    from ..stickers.pack.read_folder import stickers_in, unreadable_files
    from ..stickers.pack.save_pack import save_pack

    for name, text in (("in", options.input), ("out", options.out)):
        if not text.strip():  # an unset shell variable; Path("") would be the current folder
            raise SealError(f"{name}: empty; give a folder (. is the current one).")
    source, out = Path(options.input), Path(options.out)
    stickers = with_emoji(stickers_in(source, options.fps), options.emoji, options.platform)
    others = unreadable_files(source)
    request = PackRequest(
        options.platform,
        options.title,
        options.author,
        name=options.name,
        form=options.format,
        cut=options.cut,
        size=options.size,
    )
    pack = save_pack(stickers, request, out, _progress if sys.stderr.isatty() else None)
    notes = list(pack.report["notes"])
    if others:
        notes.append(f"not packed, since it cannot be read: {', '.join(others)}; save it as PNG, or as animated WebP")
    if unfinished := unfinished_folders(out):
        notes.append(f"{', '.join(unfinished)} in {out}: from a pack that is being written; otherwise safe to delete")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    total = sum(sticker["bytes"] for sticker in pack.report["stickers"])
    print(f"{pack.folder}: {len(pack.stickers)} stickers, {total:,} bytes")


def _progress(done: int, total: int) -> None:
    print(f"\rsticker {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)
