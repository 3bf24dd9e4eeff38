"""Picture and animation files of a folder as IMAGE batches: one for each sticker, animations at an even rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...callbacks import OnProgress, reporting
from ...messages import SealError
from .clip import Clip
from .read_folder import stickers_in

KINDS = ("animated", "still")
_MOST_STICKERS = 200
_MOST_LISTED = 8


@dataclass(frozen=True)
class LoadedSticker:
    """images: (N, H, W, 4) float32 in [0, 1], straight alpha. fps: frames a second; 0 for a picture."""

    name: str
    images: Tensor
    fps: float


def load_stickers(
    folder: Path, patterns: Sequence[str], kind: str, fps: float = 12.0, progress: OnProgress | None = None
) -> list[LoadedSticker]:
    """The stickers of a folder's files whose names match one of the patterns (cat.gif, *.gif; none = all), in natural
    order.

    kind: animated or still; files of the other kind are left out. fps: for sub-folders, whose pictures are the frames
    of one animation. Files bring their own times, which `even_rate` keeps. progress: called as (done, all).
    Raises SealError naming `files` where nothing matches and for files that cannot be read.
    """
    if kind not in KINDS:
        raise SealError(f"kind: {kind!r} is not known; choose one of {', '.join(KINDS)}.")
    if not (math.isfinite(fps) and 0 < fps <= 1000):
        raise SealError(f"fps: {fps} is no frame rate; give 1 to 60 frames a second.")
    wanted = [pattern.strip().lower() for pattern in patterns if pattern.strip()]

    def matches(name: str) -> bool:
        name = name.lower()  # by itself too: [1] in a name is a pattern to fnmatch
        return not wanted or name in wanted or any(fnmatch(name, pattern) for pattern in wanted)

    try:
        found = [sticker for sticker in stickers_in(folder, fps, matches) if sticker.animated == (kind == "animated")]
        if not 1 <= len(found) <= _MOST_STICKERS:
            raise SealError(_none_or_too_many(folder, len(found), kind))
        return [_loaded(sticker.name, sticker.read()) for sticker in reporting(found, progress)]
    except SealError as error:
        raise SealError(f"files: {str(error).removeprefix('in: ')}") from None


def even_rate(clip: Clip) -> tuple[np.ndarray, float]:
    """A clip's frames (N, H, W, 4) uint8 for a constant rate, and the rate in frames a second.

    Frames that last longer are repeated. Times are kept exactly where that takes at most twice the frames, else to half
    of the shortest frame's time.
    """
    times = [max(1, round(duration)) for duration in clip.durations]
    step = math.gcd(*times)
    if sum(times) > 2 * step * len(times):
        step = min(times)
    return clip.frames.repeat([max(1, round(time / step)) for time in times], axis=0), 1000.0 / step


def _loaded(name: str, clip: Clip) -> LoadedSticker:
    frames, fps = even_rate(clip) if clip.animated else (clip.frames, 0.0)
    return LoadedSticker(name, torch.from_numpy(frames.astype(np.float32) / 255), fps)


def _none_or_too_many(folder: Path, count: int, kind: str) -> str:
    if count:
        return f"{count} match in {folder}; a pack holds at most {_MOST_STICKERS}: name fewer."
    there = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    shown = ", ".join(there[:_MOST_LISTED]) + (", ..." if len(there) > _MOST_LISTED else "")
    other = KINDS[1 - KINDS.index(kind)]
    return f"none that matches in {folder} is {kind}; choose kind {other}, or other names. There are: {shown}."
