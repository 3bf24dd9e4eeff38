"""The pictures beside a pack's stickers, made from its first sticker: tray, thumbnail, main and tab picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ...callbacks import StopCheck, never_stop
from ...messages import SealError
from ..canvas import content_box
from ..platforms import CoverPicture, Platform, Still
from .animation_encoder import encode_animation
from .clip import Clip
from .still_encoder import encode_still


def write_cover_pictures(
    folder: Path, cover: Clip, row: Platform, moving: bool, cut: bool, notes: list[str], check: StopCheck = never_stop
) -> list[dict[str, Any]]:
    """Write a platform's cover pictures into a pack's folder. Returns their names and sizes; adds to `notes`.

    moving: all stickers of the pack are animated. Raises SealError for a picture that is required and does not fit.
    """
    found = []
    for extra in row.extras:
        if extra.only_animated and not moving:
            continue
        try:
            data = cover_picture_bytes(cover, extra, row, moving, cut, check)
        except SealError as error:
            if extra.only_animated:  # the still picture beside it serves as well
                notes.append(f"{extra.file} is left out: {error}")
                continue
            raise SealError(f"images: {extra.file} (made of sticker 1): {error}") from None
        (folder / extra.file).write_bytes(data)
        found.append({"file": extra.file, "bytes": len(data)})
    return found


def cover_picture_bytes(
    cover: Clip, extra: CoverPicture, row: Platform, moving: bool, cut: bool = False, check: StopCheck = never_stop
) -> bytes:
    """The file of one cover picture, made from the pack's first sticker and cropped to its subject."""
    left, top, right, bottom = content_box(cover.frames) or (0, 0, *cover.frames.shape[2:0:-1])
    cropped = replace(cover, frames=cover.frames[:, top:bottom, left:right])
    if moving and extra.animated:
        form = "webm" if extra.file.endswith(".webm") else "apng"
        size = {"width": extra.width, "height": extra.height}
        spec = replace(row.motion, canvas="exact", **size, max_bytes=extra.max_bytes, margin=extra.margin)
        return encode_animation(cropped, spec, form, cut=cut, check=check).found.data
    spec_still = Still(("png",), "exact", extra.width, extra.height, extra.max_bytes, extra.margin)
    return encode_still(cropped.frames[0], spec_still, "png", check=check)[0].data
