"""The best encoder setting whose file fits a limit, found with few encodings by bisection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from ...messages import SealError


@dataclass(frozen=True)
class Setting:
    """One setting. quality: of lossy WebP, 0-100 (None: lossless). crf: of VP9. colours: at most so many (0: all).

    frames: share of the frames to keep. scale: of the picture on its canvas.
    """

    quality: int | None = None
    crf: int = 0
    colours: int = 0
    frames: float = 1.0
    scale: float = 1.0

    def __str__(self) -> str:
        parts = [f"quality {self.quality}"] if self.quality is not None else []
        parts += [f"crf {self.crf}"] if self.crf else []
        parts += [f"{self.colours} colours"] if self.colours else []
        parts += [f"{self.frames:.0%} of the frames"] if self.frames < 1 else []
        parts += [f"at {self.scale:.0%} size"] if self.scale < 1 else []
        return ", ".join(parts) or "lossless"


@dataclass(frozen=True)
class FittingFile:
    """A file's bytes, its setting, and how many encodings it took to find."""

    data: bytes
    setting: Setting
    probes: int


def best_fit(
    settings: Sequence[Setting],
    encode: Callable[[Setting], bytes],
    limit: int,
    draft: Callable[[Setting], bytes] | None = None,
) -> FittingFile:
    """The first setting, of some that run from best to smallest, whose encoding has at most `limit` bytes.

    Takes 1 + log2(n) encodings, as sizes fall from setting to setting. If one does not, the result still fits but may
    not be the best. draft: a quicker encoder with larger files that does the bisection; the real one then tries up to
    two better settings. Raises SealError, with the numbers, if even the last setting is too large.
    """
    probes = 0
    measured = draft or encode

    @cache
    def size(index: int) -> int:
        nonlocal probes
        probes += 1
        data = measured(settings[index])
        if draft is None:
            kept[index] = data
        return len(data)

    kept: dict[int, bytes] = {}
    low, high = 0, len(settings) - 1  # the answer, if there is one, lies in low..high
    if size(0) <= limit:
        high = 0
    while low < high:
        middle = (low + high) // 2
        if middle == 0 or size(middle) > limit:
            low = middle + 1
        else:
            high = middle
    first = low if draft is None else max(0, low - 2)
    smallest = 0
    for index in range(first, len(settings)):
        if draft is None:
            size(index)
        else:
            probes += 1
            kept[index] = encode(settings[index])
        if len(kept[index]) <= limit:
            return FittingFile(kept[index], settings[index], probes)
        smallest = len(kept[index])
    raise SealError(f"{smallest:,} bytes at the smallest setting ({settings[-1]}), and {limit:,} are allowed")


def with_tags(
    found: FittingFile, encode: Callable[..., bytes], limit: int, tags: Mapping[str, str] | None
) -> FittingFile:
    """The same setting encoded with `tags` if that stays within the limit, else the file as it is."""
    if not tags or len(found.data) + sum(len(k) + len(v) for k, v in tags.items()) > limit:
        return found
    data = encode(found.setting, tags)
    return FittingFile(data, found.setting, found.probes + 1) if len(data) <= limit else found
