"""A picture as PNG or WebP on a platform's canvas, at the best quality that its limit allows."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache

import numpy as np
from PIL import Image

from ...callbacks import StopCheck, never_stop
from ..platforms import Still
from .apng import animated_png
from .fit_byte_limit import FittingFile, Setting, best_fit, with_tags
from .fit_canvas import canvas_size, crop_to_content, place_frames

_SMALLER = (0.75, 0.5, 0.35, 0.2)
STILL_SETTINGS: dict[str, tuple[Setting, ...]] = {
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


def encode_still(
    picture: np.ndarray, spec: Still, form: str, tags: Mapping[str, str] | None = None, check: StopCheck = never_stop
) -> tuple[FittingFile, tuple[int, int]]:
    """The best file of a picture uint8 (H, W, 4) within the limit, and its canvas (width, height).

    form: png or webp. tags: texts (workflow, prompt) to embed if they fit too. check: called before each try; may
    raise. Raises SealError, with the numbers, if even the smallest setting is too large.
    """
    frames = crop_to_content(picture[None], spec)
    size = canvas_size(spec, frames.shape[2], frames.shape[1])

    @cache
    def at(scale: float) -> np.ndarray:
        return place_frames(frames, size, scale, spec.margin)[0]

    def encode(setting: Setting, texts: Mapping[str, str] | None = None) -> bytes:
        check()
        return still_bytes(at(setting.scale), form, setting, texts)

    found = best_fit(STILL_SETTINGS[form], encode, spec.max_bytes)
    return with_tags(found, encode, spec.max_bytes, tags), size


def still_bytes(picture: np.ndarray, form: str, setting: Setting, tags: Mapping[str, str] | None = None) -> bytes:
    """uint8 (H, W, 4) in one setting."""
    if form == "png":
        return animated_png(picture[None], [0], colours=setting.colours, texts=tags)
    image = Image.fromarray(np.ascontiguousarray(picture))
    buffer = io.BytesIO()
    how = (
        {"lossless": True, "quality": 80}
        if setting.quality is None
        else {"quality": setting.quality, "alpha_quality": 95}
    )
    image.save(buffer, "WEBP", method=4, exif=tags_as_exif(tags), **how)
    return buffer.getvalue()


def tags_as_exif(tags: Mapping[str, str] | None) -> bytes:
    """Texts as EXIF, in the fields (Make, Model) where ComfyUI looks for them in WebP files."""
    if not tags:
        return b""
    fields = Image.Exif()
    for field, (key, text) in zip((0x010F, 0x0110, 0x010E), tags.items()):
        fields[field] = f"{key}:{text}"
    return fields.tobytes()
