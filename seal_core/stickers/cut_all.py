"""Cutting out many pictures, of which some may show no subject: all are tried, and it is told which failed (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..masks.methods import pictures_and_masks
from ..messages import SealError
from ..pictures.inputs import rgb_and_alpha
from ..progress import Progress
from .cutout import cut_picture

STOP, CARD = "stop", "keep the picture"
FAILING = (STOP, CARD)
"""What becomes of a picture in which no subject is found: an error, or the whole picture as a card."""
_CORNER, _RIM = 0.14, 0.02  # a card's round corners and what is cut off all round it, of the picture's shorter side


def cut_all(
    batches: Sequence[Tensor],
    masks: Sequence[Tensor] = (),
    method: str = "auto",
    *,
    failing: str = STOP,
    progress: Progress | None = None,
    **options: Any,
) -> tuple[list[Tensor], str]:
    """(cut-outs (B, H, W, 4) for each batch, straight alpha; a report of a line and one for each failed picture).

    batches: IMAGEs of any sizes. masks: none, one MASK for all batches or one for each. method, options: as
    `cutout.cut_picture`. failing: one of FAILING. progress: called as (done, all) for each picture.
    Raises SealError that names every picture in which no subject was found, if these are to stop it or there is no
    other picture.
    """
    if failing not in FAILING:
        raise SealError(f"if_not_found: {failing!r} is not known; choose one of {', '.join(FAILING)}.")
    if len(masks) not in (0, 1, len(batches)):
        raise SealError(f"mask: {len(masks)} masks for {len(batches)} batches; give one for all, or one each.")
    given = [masks[i if len(masks) > 1 else 0] if len(masks) else None for i in range(len(batches))]
    pairs = [pictures_and_masks(*pair) for pair in zip(batches, given)]
    total, done = sum(len(images) for images, _ in pairs), 0
    cuts, failed = [], {}
    for images, own in pairs:
        made = []
        for picture, mask in zip(images, own):
            done += 1
            try:
                made.append(cut_picture(picture, mask, method, **options))
            except SealError as error:
                failed[done] = str(error)
                made.append(whole_card(picture))
            if progress:
                progress(done, total)
        cuts.append(torch.stack(made))
    if failed and (failing == STOP or len(failed) == total):
        raise SealError(_refusal(failed, total))
    lines = [f"{total - len(failed)} of {total} pictures cut out"]
    return cuts, "\n".join(lines + [f"picture {i} kept whole: {reason}" for i, reason in failed.items()])


def whole_card(picture: Tensor) -> Tensor:
    """A whole picture (H, W, 1, 3 or 4) with round corners and a narrow transparent rim: (H, W, 4)."""
    high, wide = picture.shape[:2]
    rgb, _ = rgb_and_alpha(picture)
    radius, rim = _CORNER * min(high, wide), _RIM * min(high, wide)
    y, x = np.ogrid[0.5:high, 0.5:wide]
    # Distance from a rectangle that is smaller by the radius, all round.
    x, y = np.abs(x - wide / 2) - (wide / 2 - rim - radius), np.abs(y - high / 2) - (high / 2 - rim - radius)
    away = np.hypot(np.maximum(x, 0), np.maximum(y, 0)) + np.minimum(np.maximum(x, y), 0)
    alpha = np.clip(radius - away + 0.5, 0, 1).astype(np.float32)
    return torch.cat([rgb, torch.from_numpy(alpha)[..., None]], dim=2)


def _refusal(failed: dict[int, str], total: int) -> str:
    """The message: pictures that failed for the same reason together."""
    if total == 1:
        return failed[1]
    numbers: dict[str, list[str]] = {}
    for number, reason in failed.items():
        numbers.setdefault(reason, []).append(str(number))
    said = " ".join(f"Picture {', '.join(which)}: {reason}" for reason, which in numbers.items())
    if len(failed) == total:
        return f"image: none of the {total} pictures could be cut out. {said}"
    return f"image: {len(failed)} of {total} pictures could not be cut out. {said} Or set if_not_found to {CARD!r}."
