"""A picture as PNG or WebP, on the canvas that a platform wants, in the best quality that its limit allows."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache

import numpy as np
from PIL import Image

from ...messages import SealError
from ...progress import Check, checked, never
from ..canvas import content_box, fit_into, fitted_size
from ..platforms import Motion, Still
from .apng import animated_png
from .best_setting import FittingFile, Setting, best_fit

FAINT = 8
"""A picture whose alpha stays below this everywhere shows nothing."""

_SMALLER = (0.75, 0.5, 0.35, 0.2)
STILL_RUNGS: dict[str, tuple[Setting, ...]] = {
    "png": (
        Setting(),
        *(Setting(colours=n) for n in (256, 192, 128, 96, 64, 48, 32, 24, 16)),
        *(Setting(colours=n, scale=scale) for scale in _SMALLER for n in (32, 12)),
    ),
    "webp": (
        Setting(),
        *(Setting(quality=q) for q in (97, 94, 90, 85, 80, 75, 70, 65, 60, 54, 48, 42, 36, 30, 22, 14)),
        *(Setting(quality=q, scale=scale) for scale in _SMALLER for q in (20, 8)),
    ),
}


def canvas_size(spec: Still | Motion, width: int, height: int, even: bool = False) -> tuple[int, int]:
    """The canvas (width, height) in pixels for a picture of this size. even: both sides are."""
    if spec.canvas == "exact":
        return spec.width, spec.height
    if spec.canvas == "own":
        return (width + width % 2, height + height % 2) if even else (width, height)
    around = 2 * spec.margin
    wide, high = fitted_size(width, height, spec.width - around, spec.height - around)
    if even or spec.canvas == "within":
        wide, high = max(2, wide - wide % 2), max(2, high - high % 2)
    return wide + around, high + around


def crop_to_content(frames: np.ndarray, spec: Still | Motion) -> np.ndarray:
    """Frames (N, H, W, 4) without what is empty around all of them, where the platform asks for a margin of its own."""
    box = content_box(frames) if spec.margin else None
    return frames if box is None else frames[:, box[1] : box[3], box[0] : box[2]]


def place_frames(
    frames: np.ndarray, size: tuple[int, int], scale: float = 1.0, margin: int = 0, check: Check = never
) -> np.ndarray:
    """uint8 (N, H, W, 4) centred in canvases of `size` (width, height); (N, height, width, 4).

    They fill `scale` of what `margin` pixels on every side leave free. SealError for a frame that shows nothing.
    """
    width, height = size
    inner = max(1, round((width - 2 * margin) * scale)), max(1, round((height - 2 * margin) * scale))
    top, left = (height - inner[1]) // 2, (width - inner[0]) // 2
    canvas = np.zeros((len(frames), height, width, 4), np.uint8)
    slack = inner[0] - frames.shape[2], inner[1] - frames.shape[1]
    own = min(slack) >= 0 and max(slack) < 2  # only rounded up to even sides: no resampling
    for i, frame in enumerate(checked(frames, check)):
        if own:
            canvas[i, top : top + frame.shape[0], left : left + frame.shape[1]] = frame
        else:
            canvas[i, top : top + inner[1], left : left + inner[0]] = fit_into(frame, *inner)
        if scale == 1.0 and canvas[i, ..., 3].max() < FAINT:
            of = f"frame {i + 1}" if len(frames) > 1 else "the picture"
            faint = "is fully transparent" if frame[..., 3].max() < FAINT else "shows too little once it is scaled"
            raise SealError(f"{of} {faint}; leave it out or crop it to its subject.")
    return canvas


def encode_still(
    picture: np.ndarray, spec: Still, form: str, tags: Mapping[str, str] | None = None, check: Check = never
) -> tuple[FittingFile, tuple[int, int]]:
    """The best file of a picture uint8 (H, W, 4) within the limit, and its canvas (width, height).

    form: png or webp. tags: texts (workflow, prompt) that go into the file where they fit too. check: called before
    each try; may raise. SealError with numbers.
    """
    frames = crop_to_content(picture[None], spec)
    size = canvas_size(spec, frames.shape[2], frames.shape[1])

    @cache
    def at(scale: float) -> np.ndarray:
        return place_frames(frames, size, scale, spec.margin)[0]

    def encode(rung: Setting, texts: Mapping[str, str] | None = None) -> bytes:
        check()
        return still_bytes(at(rung.scale), form, rung, texts)

    found = best_fit(STILL_RUNGS[form], encode, spec.max_bytes)
    return with_tags(found, encode, spec.max_bytes, tags), size


def with_tags(found: FittingFile, encode, limit: int, tags: Mapping[str, str] | None) -> FittingFile:
    """The same setting encoded with `tags`, where that stays within the limit; else as it was found."""
    if not tags or len(found.data) + sum(len(k) + len(v) for k, v in tags.items()) > limit:
        return found
    data = encode(found.rung, tags)
    return FittingFile(data, found.rung, found.probes + 1) if len(data) <= limit else found


def still_bytes(picture: np.ndarray, form: str, rung: Setting, tags: Mapping[str, str] | None = None) -> bytes:
    """uint8 (H, W, 4) in one setting."""
    if form == "png":
        return animated_png(picture[None], [0], colours=rung.colours, texts=tags)
    image = Image.fromarray(np.ascontiguousarray(picture))
    buffer = io.BytesIO()
    how = {"lossless": True, "quality": 80} if rung.quality is None else {"quality": rung.quality, "alpha_quality": 95}
    image.save(buffer, "WEBP", method=4, tags_as_exif=tags_as_exif(tags), **how)
    return buffer.getvalue()


def tags_as_exif(tags: Mapping[str, str] | None) -> bytes:
    """Texts as EXIF, in the two fields where ComfyUI looks for them in WebP files (Make and Model)."""
    if not tags:
        return b""
    fields = Image.Exif()
    for field, (key, text) in zip((0x010F, 0x0110, 0x010E), tags.items()):
        fields[field] = f"{key}:{text}"
    return fields.tobytes()
