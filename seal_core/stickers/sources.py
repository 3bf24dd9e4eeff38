"""A folder of pictures as stickers: PNG, WebP, GIF, APNG, JPEG files, and sub-folders of frames."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..errors import SealError
from .clip import Clip
from .pack import Sticker

ENDINGS = (".png", ".apng", ".webp", ".gif", ".jpg", ".jpeg")
_NO_TIME_MS = 100.0
"""What browsers take for GIF frames that give no time."""


def stickers_in(folder: Path, fps: float = 12.0) -> list[Sticker]:
    """The stickers of a folder, or of one file, in the natural order of their names (2 before 10).

    Every picture is one, animated if the file is; every sub-folder of pictures is an animated one at `fps`. Pictures
    are read when they are needed. SealError for a missing or empty folder.
    """
    if folder.is_file():
        return [_of_file(folder)]
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise SealError(f"in: cannot read the folder {folder} ({error.strerror}); give a folder of pictures.") from None
    found = []
    for entry in sorted(entries, key=_natural):
        if entry.is_dir() and _pictures(entry):
            found.append(_of_frames(entry, fps))
        elif entry.suffix.lower() in ENDINGS and entry.is_file():
            found.append(_of_file(entry))
    if not found:
        raise SealError(f"in: no pictures in {folder}; it should hold {', '.join(ENDINGS)} files or folders of frames.")
    return found


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part]


def _pictures(folder: Path) -> list[Path]:
    try:
        return sorted((p for p in folder.iterdir() if p.suffix.lower() in ENDINGS and p.is_file()), key=_natural)
    except OSError:
        return []


def _of_file(path: Path) -> Sticker:
    with _opened(path) as image:
        animated = getattr(image, "n_frames", 1) > 1
    return Sticker(path.stem, animated, partial(_read, path))


def _of_frames(folder: Path, fps: float) -> Sticker:
    paths = _pictures(folder)
    return Sticker(folder.name, len(paths) > 1, partial(_read_frames, folder.name, paths, fps))


def _read(path: Path) -> Clip:
    frames, durations = [], []
    with _opened(path) as image:
        count = getattr(image, "n_frames", 1)
        try:
            for i in range(count):
                image.seek(i)
                image.load()
                shown = image if count > 1 else ImageOps.exif_transpose(image)
                frames.append(np.asarray(shown.convert("RGBA")))
                durations.append(float(image.info.get("duration") or _NO_TIME_MS))
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise SealError(f"in: {path.name} is damaged ({error}); leave it out or save it again.") from None
    return Clip(np.stack(frames), tuple(durations)) if count > 1 else Clip.still(frames[0])


def _read_frames(name: str, paths: list[Path], fps: float) -> Clip:
    frames = [_read(path).frames[0] for path in paths]
    sizes = {frame.shape[1::-1] for frame in frames}
    if len(sizes) > 1:
        shown = ", ".join(f"{width}x{height}" for width, height in sorted(sizes))
        raise SealError(f"in: the frames in {name} have several sizes ({shown}); an animation needs one.")
    return Clip.at_rate(np.stack(frames), fps) if len(frames) > 1 else Clip.still(frames[0])


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SealError(f"in: cannot read {path.name} as a picture ({error}); leave it out.") from None
