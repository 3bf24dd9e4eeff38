"""A folder of pictures as stickers: PNG, WebP, GIF, APNG, JPEG, BMP and AVIF files, and sub-folders of frames."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ...messages import SealError
from ...pictures.picture_file import open_picture, rgba_pixels
from .clip import Clip
from .pack_names import name_from_file
from .pack_request import Sticker

ENDINGS = (".png", ".apng", ".webp", ".gif", ".jpg", ".jpeg", ".jfif", ".bmp", ".avif")
OTHERS = (".tif", ".tiff", ".heic", ".heif", ".jxl", ".svg", ".psd", ".tga", ".tgs", ".webm", ".mp4", ".mov", ".mkv")
"""Pictures and videos that are not read, and get a note that says so."""
_NO_TIME_MS = 100.0
"""The time that browsers give GIF frames without one."""
_MOST_FRAMES, _MOST_PIXELS, _MOST_BYTES = 1000, 1 << 28, 64 << 20
"""Limits for one sticker: frames, pixels in all frames (1 GiB of memory), bytes of its file."""


def any_name(name: str) -> bool:
    return True


def stickers_in(folder: Path, fps: float = 12.0, wanted: Callable[[str], bool] = any_name) -> list[Sticker]:
    """The stickers of a folder, or of one file, in the natural order of their names (2 before 10).

    Every picture is one sticker, animated if the file is. Every sub-folder of still pictures is an animated one at
    `fps`, with the files as its frames. Hidden files, macOS's additions to archives, and packs (folders with a
    pack.json) are skipped, and so are names in `folder` that are not wanted. Pictures are read when needed.
    Raises SealError for a missing or empty folder, files that are no pictures, and animated files among frames.
    """
    if folder.is_file():
        return [_of_file(folder)]
    found = []
    for entry in _entries(folder):
        if not wanted(entry.name):
            continue
        if entry.is_dir() and _pictures(entry):
            found.append(_of_frames(entry, fps))
        elif entry.suffix.lower() in ENDINGS and entry.is_file():
            found.append(_of_file(entry))
    if not found:
        fitting = "no pictures" if wanted is any_name else "no pictures with these names"
        raise SealError(f"in: {fitting} in {folder}; it should hold {', '.join(ENDINGS)} files or folders of frames.")
    return found


def unreadable_files(folder: Path) -> list[str]:
    """Names of the pictures and videos in a folder, and in its sub-folders of frames, that are not read."""
    if folder.is_file():
        return []
    inside = (path for entry in _entries(folder) for path in ([entry] if entry.is_file() else _listed(entry)))
    return [str(path.relative_to(folder)) for path in inside if path.suffix.lower() in OTHERS]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(_visible(folder), key=_natural)
    except OSError as error:
        raise SealError(f"in: cannot read the folder {folder} ({error.strerror}); give a folder of pictures.") from None


def _visible(folder: Path) -> Iterator[Path]:
    return (entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry.name != "__MACOSX")


def _listed(folder: Path) -> list[Path]:
    """The files of a sub-folder in order; none if it is a pack or unreadable."""
    try:
        files = sorted((entry for entry in _visible(folder) if entry.is_file()), key=_natural)
    except OSError:
        return []
    return [] if any(file.name == "pack.json" for file in files) else files


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _pictures(folder: Path) -> list[Path]:
    return [path for path in _listed(folder) if path.suffix.lower() in ENDINGS]


def _of_file(path: Path) -> Sticker:
    return Sticker(name_from_file(path.stem), _moves(path), partial(_read, path))


def _of_frames(folder: Path, fps: float) -> Sticker:
    paths = _pictures(folder)
    animated = next((path.name for path in paths if _moves(path)), None)
    if animated is not None:
        raise SealError(
            f"in: {folder.name} is a folder of frames, and {animated} in it is animated; move it up, where every file "
            "is a sticker."
        )
    return Sticker(name_from_file(folder.name), len(paths) > 1, partial(_read_frames, folder.name, paths, fps))


def _moves(path: Path) -> bool:
    """Whether a file has several frames. Raises SealError if it is no picture."""
    with open_picture(path, "in", path.name) as image:
        if path.stat().st_size > _MOST_BYTES:
            raise SealError(f"in: {path.name} has over {_MOST_BYTES >> 20} MiB; save it smaller, or animated as WebP.")
        return len(_shown(image)) > 1


def _shown(image: Image.Image) -> range:
    """The numbers of its frames, without an APNG's default image (a fallback for viewers without animation) and without
    the second pictures that phones put into JPEG files."""
    count = getattr(image, "n_frames", 1) if image.format != "MPO" else 1
    return range(1 if count > 1 and image.info.get("default_image") else 0, count)


def _room(name: str, count: int, width: int, height: int) -> np.ndarray:
    """An array for the frames of one sticker, uint8 (count, height, width, 4).

    Raises SealError if it would take too much memory: a small file can claim a million frames.
    """
    if count > _MOST_FRAMES or count * width * height > _MOST_PIXELS:
        raise SealError(
            f"in: {name} has {count:,} frames of {width}x{height} pixels; a sticker may have {_MOST_FRAMES:,} frames "
            f"and {_MOST_PIXELS // 10**6} million pixels in all: leave out frames, or make them smaller."
        )
    return np.empty((count, height, width, 4), np.uint8)


def _read(path: Path) -> Clip:
    durations = []
    with open_picture(path, "in", path.name) as image:
        shown = _shown(image)
        frames = _room(path.name, len(shown), *image.size)
        for i, number in enumerate(shown):
            image.seek(number)
            if len(shown) == 1:  # a still may be turned upright, so its shape may differ
                return Clip.still(rgba_pixels(image))
            frames[i] = rgba_pixels(image)
            durations.append(float(image.info.get("duration") or _NO_TIME_MS))
    return Clip(frames, tuple(durations))


def _read_frames(name: str, paths: list[Path], fps: float) -> Clip:
    first = _read(paths[0]).frames[0]
    frames = _room(name, len(paths), first.shape[1], first.shape[0])
    for i, path in enumerate(paths):
        frame = _read(path).frames[0]
        if frame.shape != first.shape:
            shown = ", ".join(f"{width}x{height}" for width, height in sorted(f.shape[1::-1] for f in (first, frame)))
            raise SealError(f"in: the frames in {name} have several sizes ({shown}); an animation needs one.")
        frames[i] = frame
    return Clip.at_rate(frames, fps) if len(frames) > 1 else Clip.still(frames[0])
