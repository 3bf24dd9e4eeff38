"""A folder of animated stickers with captions, as clips of F frames.

FOLDER/wave.gif          GIF, WebP, APNG, or a sub-folder of frames
FOLDER/wave.txt          its caption; or
FOLDER/captions.csv      file,caption: a row for each (CSV, TSV, JSON or JSON lines)
Stills count as clips of one frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...messages import SealError, require_whole_number
from ...stickers.pack.clip import Clip
from ...stickers.pack.fit_canvas import place_frames
from ...stickers.pack.pack_request import Sticker
from ...stickers.pack.read_folder import ENDINGS, stickers_in
from ...tagged_stickers.sticker_folder import tags_file
from ...tagged_stickers.tag_rows import RowError, read_tag_rows

_FILE_COLUMNS, _CAPTION_COLUMNS = ("file", "file_name", "filename", "image", "name"), ("caption", "text", "prompt")


@dataclass(frozen=True)
class CaptionedSticker:
    """A sticker of a folder and what it shows, in words; empty where nobody said. `sticker.read()` reads its frames."""

    file: str
    caption: str
    sticker: Sticker


@dataclass(frozen=True, eq=False)
class SampledClip:
    """images (F, side, side, 3) and masks (F, side, side) uint8 of one play. frames: how many are real; the rest repeat
    the last."""

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    frames: int


def captioned_stickers(folder: Path, fps: float = 12.0) -> list[CaptionedSticker]:
    """The stickers of a folder in the order of their names. fps: of sub-folders of frames.

    Raises SealError for a missing or empty folder, unreadable pictures, and rows that name no sticker.
    """
    if not folder.is_dir():
        raise SealError(f"folder: {folder} is not a folder; give one with GIF, WebP or APNG files.")
    told = _table(folder)
    found = []
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith(".") and _holds_pictures(p)):
        beside = path.with_suffix(".txt") if path.is_file() else path.with_name(path.name + ".txt")
        caption = told.pop(path.name, None) or told.pop(path.stem, None) or _read_text(beside)
        named = stickers_in(path) if path.is_file() else stickers_in(folder, fps, path.name.__eq__)
        found += [CaptionedSticker(path.name, caption, sticker) for sticker in named]
    if told:
        raise SealError(f"tags: they name {next(iter(told))}, which is not in {folder}; correct or remove the row.")
    if not found:
        raise SealError(f"folder: {folder} holds no stickers; give one with {', '.join(ENDINGS)} files.")
    return found


def sampled_clip(clip: Clip, frames: int, side: int, ground: tuple[int, int, int] = (255, 255, 255)) -> SampledClip:
    """One play of a clip at `frames` moments of equal distance, fitted into a square of `side` pixels on a ground.

    The last moment lies one step before the end, where a loop begins again. Frames without a time share it evenly.
    """
    require_whole_number("frames", frames, 1, 64, "use 2 to 64; 8 is usual.")
    shown = shown_at(clip.durations, frames)
    real = frames if clip.animated else 1
    canvas = place_frames(clip.frames[shown[:real]], (side, side)).astype(np.float32)
    cover = canvas[..., 3:] / 255
    images = np.rint(canvas[..., :3] * cover + np.array(ground, np.float32) * (1 - cover)).astype(np.uint8)
    last = [min(i, real - 1) for i in range(frames)]
    return SampledClip(images[last], canvas[..., 3].astype(np.uint8)[last], real)


def shown_at(durations: Sequence[float], count: int) -> NDArray[np.intp]:
    """(count,) the frames that show at so many moments of equal distance. durations: of the frames; all 0 = equal."""
    ends = np.cumsum(durations if sum(durations) > 0 else np.ones(len(durations)))
    moments = np.arange(count) / count * ends[-1]
    return np.minimum(np.searchsorted(ends, moments + 1e-6, side="right"), len(ends) - 1)


def _holds_pictures(path: Path) -> bool:
    return any(p.suffix.lower() in ENDINGS for p in (path.iterdir() if path.is_dir() else (path,)))


def _table(folder: Path) -> dict[str, str]:
    """File -> caption, of the folder's file of tags."""
    path = tags_file(folder)
    found: dict[str, str] = {}
    for line, row in read_tag_rows(path) if path else ():
        if isinstance(row, RowError) or not isinstance(row, dict):
            raise SealError(f"tags: {path}: line {line}: {row}; correct it.")
        file, caption = _cell(row, _FILE_COLUMNS), _cell(row, _CAPTION_COLUMNS)
        if not file or caption is None:
            raise SealError(f"tags: {path}: line {line}: give a file and a caption (columns file, caption).")
        found[file] = caption
    return found


def _cell(row: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    cells = {key.strip().lower(): value for key, value in row.items()}
    return next((str(cells[name]).strip() for name in names if cells.get(name) is not None), None)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").strip() if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SealError(f"tags: {path} cannot be read ({error}); save it as UTF-8 text.") from None
