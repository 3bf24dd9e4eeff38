"""An animation as WebP, APNG, GIF or WebM (VP9 with alpha), at the best quality that a platform's limits allow."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from PIL import Image

from ...callbacks import StopCheck, never_stop, stoppable
from ...messages import SealError
from ..platforms import Motion
from .apng import animated_png
from .clip import Clip, looks_same
from .fit_byte_limit import FittingFile, Setting, best_fit, with_tags
from .fit_canvas import canvas_size, crop_to_content, place_frames
from .frame_times import constant_rate_slots, fit_limits, frames_kept, whole_times
from .palette import quantise
from .still_encoder import tags_as_exif
from .webm import encode_webm, transparency_error

SUFFIX = {"apng": "png"}
"""File endings that differ from the format's name."""

GIF_UNIT = 10
"""Milliseconds of GIF's unit of time. Browsers slow down frames shorter than two units."""

_CLEAR_ENOUGH = 16.0
"""Largest mean error of a video's alpha, of 255. The coarsest setting (crf 63) makes about half of it on noise."""

HELD_MS = 1000
"""A video frame that lasts longer than this is repeated."""

_LADDERS: dict[str, tuple[tuple[float, float, tuple[int, ...]], ...]] = {
    # share of the frames, scale, and qualities / crf / colours; each step gives a smaller file than the one before
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
    """A finished file: bytes and setting, canvas (width, height), frames, milliseconds of one play, plays, notes."""

    found: FittingFile
    size: tuple[int, int]
    frames: int
    milliseconds: float
    plays: int
    notes: list[str]


def settings_for(form: str, count: int, least: int) -> Iterator[Setting]:
    """The settings for an animation of `count` frames that must keep `least`, from the best to the smallest file."""
    seen = set()
    for share, scale, values in _LADDERS[form]:
        frames = frames_kept(count, share, least)
        if (frames, scale) in seen:
            continue  # `least` allows no fewer frames
        seen.add((frames, scale))
        for value in values:
            yield Setting(**{_FIELD[form]: value}, frames=frames / count, scale=scale)


def encode_animation(
    clip: Clip,
    spec: Motion,
    form: str,
    tags: Mapping[str, str] | None = None,
    cut: bool = False,
    check: StopCheck = never_stop,
) -> Animation:
    """The best file of an animation within all limits. form: webp, apng, gif or webm. tags: as for `encode_still`.

    cut: end a clip that is too long early instead of playing it faster. check: called before each frame of each try;
    may raise. Raises SealError, with the numbers, if even the smallest setting is too large.
    """
    spec = _of_format(spec, form)
    clip, notes = fit_limits(clip.merged(), spec, cut)
    clip = replace(clip, frames=crop_to_content(clip.frames, spec))
    size = canvas_size(spec, clip.frames.shape[2], clip.frames.shape[1], even=form == "webm")
    plays = max(1, min(spec.plays, int(spec.max_ms / clip.total + 1e-6))) if spec.plays else 0
    count = len(clip.frames)
    least = min(count, max(2, spec.min_frames))

    @cache
    def at(frames: float, scale: float) -> Clip:
        chosen = clip.thinned(frames_kept(count, frames, least))
        return replace(chosen, frames=place_frames(chosen.frames, size, scale, spec.margin, check)).merged()

    def encode(setting: Setting, texts: Mapping[str, str] | None = None, draft: bool = False) -> bytes:
        shown = at(setting.frames, setting.scale).split(spec.min_frames)
        return clip_bytes(shown, form, setting, plays, spec.max_ms, texts, draft, _rate(spec, shown.total), check)

    if not at(1.0, 1.0).animated:
        raise SealError(f"nothing in it changes visibly at {size[0]}x{size[1]} pixels; use larger changes.")
    found = best_fit(
        list(settings_for(form, count, least)),
        encode,
        spec.max_bytes,
        (lambda setting: encode(setting, draft=True)) if form in ("webm", "webp") else None,
    )
    found = with_tags(found, encode, spec.max_bytes, tags if form != "gif" else None)
    best = at(found.setting.frames, found.setting.scale)
    if form == "webm":
        shows = _shows(best.durations, spec.max_ms, _rate(spec, best.total))
        if (error := transparency_error(found.data, best.frames, shows)) > _CLEAR_ENOUGH:
            raise SealError(
                f"the transparency in the written video is off by {error:.0f} of 255; this PyAV's libvpx-vp9 cannot be "
                "trusted: install the av wheel from PyPI."
            )
        kept = len(shows)
    else:
        kept = _moving_frames(found.data)
    if kept < 2:
        other = " or apng" if form == "gif" else ""
        raise SealError(
            f"what changes in its {count} frames is lost at {found.setting}, which {spec.max_bytes:,} bytes allow; use "
            f"larger changes, calmer pictures{other}."
        )
    left = min(len(best.frames), kept)
    if found.setting.frames < 1:
        found = replace(found, setting=replace(found.setting, frames=left / count))
    elif left < count:
        notes.append(f"{count} frames became {left}: the others look like the ones before at this size and quality")
    return Animation(found, size, kept, clip.total, plays, notes)


def clip_bytes(
    clip: Clip,
    form: str,
    setting: Setting,
    plays: int = 0,
    max_ms: float = 1 << 40,
    tags: Mapping[str, str] | None = None,
    draft: bool = False,
    rate: int = 0,
    check: StopCheck = never_stop,
) -> bytes:
    """A clip, already on its canvas, in one setting.

    rate: WebM gets a constant rate with at most this many frames in all (0: every frame has its own time). check:
    called before each frame; may raise.
    """
    check()
    if form == "webm":
        return encode_webm(clip.frames, _shows(clip.durations, max_ms, rate), setting.crf, draft, tags, check)
    if form == "apng":
        return animated_png(clip.frames, whole_times(clip.durations, 1, max_ms), plays, setting.colours, tags, check)
    if form == "gif":
        return _gif(clip, setting.colours, max_ms, check)
    return _webp(clip, setting.quality or 0, max_ms, tags, draft, check)


def _moving_frames(data: bytes) -> int:
    """How many frames a file has; 1 if all look alike. Encoders merge frames that low quality makes equal."""
    with Image.open(io.BytesIO(data), formats=("PNG", "GIF", "WEBP")) as file:
        count = getattr(file, "n_frames", 1)
        first = np.asarray(file.convert("RGBA"))
        for i in range(1, count):
            file.seek(i)
            if not looks_same(first, np.asarray(file.convert("RGBA"))):
                return count
    return 1


def _rate(spec: Motion, total: float) -> int:
    """How many frames a video of `total` milliseconds may have at a constant rate; 0 if its rate may vary."""
    return max(2, int(total / spec.min_frame_ms + 1e-6)) if spec.constant_rate else 0


def _shows(durations: Sequence[float], max_ms: float, rate: int) -> list[tuple[int, int]]:
    """What a video shows: (frame, whole milliseconds). Long frames repeat, for players that cap a frame's time."""
    if rate:
        parts = constant_rate_slots(durations, rate)
        times = [math.fsum(durations) / sum(parts)] * sum(parts)
    else:
        parts = [math.ceil(duration / HELD_MS) for duration in durations]
        times = [duration / part for duration, part in zip(durations, parts) for _ in range(part)]
    frames = [i for i, part in enumerate(parts) for _ in range(part)]
    return list(zip(frames, whole_times(times, 1, max_ms)))


def _webp(
    clip: Clip, quality: int, max_ms: float, tags: Mapping[str, str] | None, draft: bool, check: StopCheck
) -> bytes:
    images = [Image.fromarray(frame) for frame in clip.frames]
    for image in images:
        image.seek = lambda _: check()  # Pillow calls this before it encodes the image
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=images[1:],
        duration=whole_times(clip.durations, 1, max_ms),
        loop=0,
        quality=quality,
        alpha_quality=90,
        method=2 if draft else 4,
        minimize_size=False,
        exif=tags_as_exif(tags),
    )
    return buffer.getvalue()


def _gif(clip: Clip, colours: int, max_ms: float, check: StopCheck) -> bytes:
    """GIF has no partial transparency: alpha is cut at one half, and one colour means transparent."""
    frames = clip.frames.copy()
    frames[..., 3] = np.where(frames[..., 3] >= 128, 255, 0)
    indices, palette = quantise(frames, colours, check)
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
        append_images=stoppable(images[1:], check),
        duration=whole_times(clip.durations, GIF_UNIT, max_ms),
        loop=0,
        disposal=2,
        transparency=0,
        optimize=False,
    )
    return buffer.getvalue()


def _of_format(spec: Motion, form: str) -> Motion:
    """The platform's limits with the format's own."""
    if form == "gif":
        return replace(spec, min_frame_ms=max(spec.min_frame_ms, 2 * GIF_UNIT))
    return spec
