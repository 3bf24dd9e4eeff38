"""Batches of pictures and lists of lines, as nodes get them -> the stickers of a pack."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from ...callbacks import StopCheck, stoppable
from ...messages import SealError
from ..canvas import rgba8
from ..layers import layers_of
from .clip import Clip
from .pack_request import Sticker


def stickers_of(
    images: Sequence[torch.Tensor],
    masks: Sequence[torch.Tensor],
    animated: bool,
    fps: Sequence[float],
    names: Sequence[str],
    check: StopCheck,
) -> list[Sticker]:
    """Every picture as a sticker, or every batch (B, H, W, C) as an animated one.

    masks: none, one for all batches or one each. fps: frames a second, one number for all or one for each batch. names:
    none, or one a sticker. check: called before each batch.
    Raises SealError for other numbers of masks, rates and names, and for an animation of one frame.
    """
    if len(masks) not in (0, 1, len(images)):
        raise SealError(f"mask: {len(masks)} masks for {len(images)} batches; give one for all, or one each.")
    if animated and len(fps) not in (1, len(images)):
        raise SealError(f"fps: {len(fps)} numbers for {len(images)} batches; give one for all, or one each.")
    found: list[Clip] = []
    for i, batch in enumerate(stoppable(images, check)):
        frames = rgba8(layers_of(batch, masks[i if len(masks) > 1 else 0] if masks else None, "images"))
        if not animated:
            found += [Clip.still(frame) for frame in frames]
        elif len(frames) > 1:
            found.append(Clip.at_rate(frames, fps[i if len(fps) > 1 else 0]))
        else:
            raise SealError(
                f"images: batch {i + 1} has one picture, and an animated sticker needs frames; put each animation's "
                "frames into one batch, or switch animated off."
            )
    if names and len(names) != len(found):
        raise SealError(f"names: {len(names)} for {len(found)} stickers; give one each, or none.")
    return [Sticker(names[i] if names else "", animated, partial(_same, clip)) for i, clip in enumerate(found)]


def lines_of(texts: Sequence[str]) -> list[str]:
    """The lines of one text, or the texts of a list; none where all are empty."""
    lines = texts[0].strip("\n").splitlines() if len(texts) == 1 else list(texts)
    return [line.strip() for line in lines] if any(line.strip() for line in lines) else []


def _same(clip: Clip) -> Clip:
    return clip
