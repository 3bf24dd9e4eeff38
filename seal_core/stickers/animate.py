"""An animation as WebP, APNG, GIF or WebM (VP9 with alpha), in the best quality that a platform's limits allow."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from PIL import Image

from ..errors import SealError
from .apng import animated_png
from .clip import Clip, count_of, timed, whole
from .encode import canvas_size, exif, placed, with_tags
from .palette import quantise
from .platforms import Motion
from .search import Found, Rung, best_fit
from .webm import webm

SUFFIX = {"apng": "png"}
"""File name endings where they differ from the format's name."""

GIF_UNIT = 10
"""GIF times are hundredths of a second; browsers slow down anything below two of them."""

_LADDERS: dict[str, tuple[tuple[float, float, tuple[int, ...]], ...]] = {
    # share of the frames, scale, and qualities / crf / colours; every step is smaller than the one before
    "webp": (
        (1, 1, (90, 82, 75, 68, 60, 52, 45, 38, 30)),
        (2 / 3, 1, (38, 28)),
        (1 / 2, 1, (38, 26, 16)),
        (1 / 3, 1, (28, 14)),
        (1 / 3, 0.75, (25, 10)),
        (1 / 4, 0.5, (25, 8)),
        (1 / 6, 0.35, (15, 4)),
        (1 / 8, 0.2, (4,)),
    ),
    "apng": (
        (1, 1, (0, 256, 160, 96, 64, 40, 28)),
        (2 / 3, 1, (48, 24)),
        (1 / 2, 1, (32, 16)),
        (1 / 3, 1, (24, 12)),
        (1 / 3, 0.75, (20, 10)),
        (1 / 4, 0.5, (20, 10)),
        (1 / 6, 0.35, (16, 8)),
        (1 / 8, 0.2, (8,)),
    ),
    "webm": (
        (1, 1, (8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48)),
        (2 / 3, 1, (44, 50)),
        (1 / 2, 1, (46, 52)),
        (1 / 3, 1, (48, 54)),
        (1 / 3, 0.75, (50, 58)),
        (1 / 4, 0.5, (50, 60)),
        (1 / 6, 0.35, (54, 63)),
        (1 / 8, 0.2, (63,)),
    ),
}
_LADDERS["gif"] = tuple((share, scale, tuple(n or 255 for n in colours)) for share, scale, colours in _LADDERS["apng"])
_FIELD = {"webp": "quality", "webm": "crf", "apng": "colours", "gif": "colours"}


@dataclass(frozen=True)
class Animation:
    """A finished file: bytes, setting, canvas (width, height), frames, milliseconds of one play, plays, notes."""

    found: Found
    size: tuple[int, int]
    frames: int
    milliseconds: float
    plays: int
    notes: list[str]


def rungs(form: str, count: int, least: int) -> Iterator[Rung]:
    """The settings for an animation of `count` frames that has to keep `least`, from best to smallest."""
    seen = set()
    for share, scale, values in _LADDERS[form]:
        frames = count_of(count, share, least)
        if (frames, scale) in seen:
            continue  # fewer frames than that are not allowed
        seen.add((frames, scale))
        for value in values:
            yield Rung(**{_FIELD[form]: value}, frames=frames / count, scale=scale)


def encode_animation(
    clip: Clip, spec: Motion, form: str, tags: Mapping[str, str] | None = None, cut: bool = False
) -> Animation:
    """The best file of an animation within all limits. form: webp, apng, gif or webm; tags as for `encode_still`.

    SealError with the numbers where even the smallest setting is too large.
    """
    spec = _of_format(spec, form)
    least = max(2, spec.min_frames)
    clip, notes = timed(clip if form == "webm" else clip.merged(least), spec, cut)
    size = canvas_size(spec, clip.frames.shape[2], clip.frames.shape[1], even=form == "webm")
    if form == "webm":
        clip = _even_times(clip, spec)
    plays = max(1, min(spec.plays, int(spec.max_ms / clip.total + 1e-6))) if spec.plays else 0

    @cache
    def at(frames: float, scale: float) -> Clip:
        count = count_of(len(clip.frames), frames, least)
        chosen = clip.sampled(count) if count < len(clip.frames) else clip
        chosen = replace(chosen, frames=placed(chosen.frames, size, scale))
        return chosen if form == "webm" else chosen.merged(least)

    def encode(rung: Rung, texts: Mapping[str, str] | None = None, draft: bool = False) -> bytes:
        return clip_bytes(at(rung.frames, rung.scale), form, rung, plays, spec.max_ms, texts, draft)

    found = best_fit(
        list(rungs(form, len(clip.frames), least)),
        encode,
        spec.max_bytes,
        (lambda rung: encode(rung, draft=True)) if form in ("webm", "webp") else None,
    )
    kept = len(at(found.rung.frames, found.rung.scale).frames)
    if form == "webp":  # its encoder merges frames that a low quality makes equal
        with Image.open(io.BytesIO(found.data)) as file:
            kept = getattr(file, "n_frames", 1)
        if kept < least:
            raise SealError(
                f"animation: of the {len(clip.frames)} frames {kept} is left in {spec.max_bytes:,} bytes; it needs "
                f"{least}. Use calmer pictures, or fewer and larger changes."
            )
    found = with_tags(found, encode, spec.max_bytes, tags if form != "gif" else None)
    return Animation(found, size, kept, clip.total, plays, notes)


def clip_bytes(
    clip: Clip,
    form: str,
    rung: Rung,
    plays: int = 0,
    max_ms: float = 1 << 40,
    tags: Mapping[str, str] | None = None,
    draft: bool = False,
) -> bytes:
    """A clip in one setting; its frames lie on their canvas already."""
    if form == "webm":
        return webm(clip.frames, clip.total, rung.crf, draft, tags)
    if form == "apng":
        return animated_png(clip.frames, whole(clip.durations, 1, max_ms), plays, rung.colours, tags)
    if form == "gif":
        return _gif(clip, rung.colours, max_ms)
    return _webp(clip, rung.quality or 0, max_ms, tags, draft)


def _webp(clip: Clip, quality: int, max_ms: float, tags: Mapping[str, str] | None, draft: bool) -> bytes:
    images = [Image.fromarray(frame) for frame in clip.frames]
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=images[1:],
        duration=whole(clip.durations, 1, max_ms),
        loop=0,
        quality=quality,
        alpha_quality=90,
        method=2 if draft else 4,
        minimize_size=False,
        exif=exif(tags),
    )
    return buffer.getvalue()


def _gif(clip: Clip, colours: int, max_ms: float) -> bytes:
    """GIF knows no half transparency: alpha is cut at one half, and one colour means transparent."""
    frames = clip.frames.copy()
    frames[..., 3] = np.where(frames[..., 3] >= 128, 255, 0)
    indices, palette = quantise(frames, colours)
    images = []
    for frame in indices:
        image = Image.fromarray(frame, "P")
        image.putpalette(palette[:, :3].tobytes())
        images.append(image)
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=images[1:],
        duration=whole(clip.durations, GIF_UNIT, max_ms),
        loop=0,
        disposal=2,
        transparency=0,
        optimize=False,
    )
    return buffer.getvalue()


def _of_format(spec: Motion, form: str) -> Motion:
    """The limits with what the format itself adds to them."""
    if form == "gif":
        return replace(spec, min_frame_ms=max(spec.min_frame_ms, 2 * GIF_UNIT))
    return spec


def _even_times(clip: Clip, spec: Motion) -> Clip:
    """Video has one frame rate: the one of the shortest frame."""
    if max(clip.durations) - min(clip.durations) < 1e-3:
        return clip
    most = int(clip.total / spec.min_frame_ms + 1e-6)
    return clip.sampled(max(2, min(most, round(clip.total / min(clip.durations)))))
