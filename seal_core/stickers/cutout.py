"""Cut-outs: the subject of one picture or of many on a transparent ground, free of the old ground's colour (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ..callbacks import OnProgress
from ..masks.grow_and_feather import feather_mask, grow_mask
from ..masks.methods import AttentionMask, FoundSubject, find, pictures_and_masks, tell_doubts
from ..masks.outline import TOUCHED, matte
from ..messages import SealError
from ..pictures.inputs import rgb_and_alpha
from ..pictures.matting import (
    decontaminated,
    has_hard_edge,
    is_feathered,
    is_hard,
    is_opacity,
    is_straight,
    nearest,
)
from .cutout_parts import KEEP, without_specks

STOP, CARD = "stop", "keep the picture"
FAILING = (STOP, CARD)
"""What happens to a picture in which no subject is found: an error, or the whole picture becomes a card."""
BLEED = 3
"""Pixels around the edge whose hidden colours are the subject's, so that scaling mixes in no other colour."""
_CORNER, _RIM = 0.14, 0.02  # a card's corner radius and transparent rim, as shares of the picture's shorter side


def cutout(
    image: Tensor,
    mask: Tensor | None = None,
    method: str = "auto",
    *,
    progress: OnProgress | None = None,
    **options: Any,
) -> tuple[Tensor, Tensor]:
    """Cut-outs (B, H, W, 4), straight alpha, and masks (B, H, W) with foreground = 1; float32 in [0, 1].

    image, mask: an IMAGE and a MASK (see `pictures.inputs`). method, options: as for `cut_picture`. progress: called as
    (done, all) for each picture.
    Raises SealError for bad shapes, values and choices, and for a picture without a subject, naming its number.
    """
    given = () if mask is None else (mask,)
    cuts, _, _ = cut_all([image], given, method, progress=progress, **options)
    return cuts[0], cuts[0][..., 3].clone()


def cut_all(
    batches: Sequence[Tensor],
    masks: Sequence[Tensor] = (),
    method: str = "auto",
    *,
    failing: str = STOP,
    progress: OnProgress | None = None,
    **options: Any,
) -> tuple[list[Tensor], str, float]:
    """Cut-outs (B, H, W, 4), straight alpha, for each batch; a report: a summary, and a line for each failure; and the
    lowest confidence, 0 to 1 (`masks.methods.FoundSubject`). Doubts are notices, which the node adds to the report.

    batches: IMAGEs of any sizes. masks: none, one MASK for all batches, or one each. method, options: as for
    `cut_picture`. failing: one of FAILING. progress: called as (done, all) for each picture.
    All pictures are tried. Raises SealError naming every one without a subject if `failing` is STOP or all fail.
    """
    if failing not in FAILING:
        raise SealError(f"if_not_found: {failing!r} is not known; choose one of {', '.join(FAILING)}.")
    if len(masks) not in (0, 1, len(batches)):
        raise SealError(f"mask: {len(masks)} masks for {len(batches)} batches; give one for all, or one each.")
    given = [masks[i if len(masks) > 1 else 0] if len(masks) else None for i in range(len(batches))]
    pairs = [pictures_and_masks(*pair) for pair in zip(batches, given)]
    total, done = sum(len(images) for images, _ in pairs), 0
    cuts, failed, sure = [], {}, 1.0
    for images, own in pairs:
        made = []
        for picture, mask in zip(images, own):
            done += 1
            try:
                cut, found = cut_picture(picture, mask, method, **options)
                tell_doubts(found, done - 1, total)
                sure = min(sure, found.confidence)
            except SealError as error:
                failed[done], cut, sure = str(error), whole_card(picture), 0.0
            made.append(cut)
            if progress:
                progress(done, total)
        cuts.append(torch.stack(made))
    if failed and (failing == STOP or len(failed) == total):
        raise SealError(_refusal(failed, total))
    lines = [f"{total - len(failed)} of {total} pictures cut out"]
    return cuts, "\n".join(lines + [f"picture {i} kept whole: {reason}" for i, reason in failed.items()]), sure


def whole_card(picture: Tensor) -> Tensor:
    """A whole picture (H, W, 1, 3 or 4) as a card (H, W, 4) with round corners and a narrow transparent rim."""
    high, wide = picture.shape[:2]
    rgb, _ = rgb_and_alpha(picture)
    radius, rim = _CORNER * min(high, wide), _RIM * min(high, wide)
    y, x = np.ogrid[0.5:high, 0.5:wide]
    # Distance from a rectangle that is inset by the radius.
    x, y = np.abs(x - wide / 2) - (wide / 2 - rim - radius), np.abs(y - high / 2) - (high / 2 - rim - radius)
    away = np.hypot(np.maximum(x, 0), np.maximum(y, 0)) + np.minimum(np.maximum(x, y), 0)
    alpha = np.clip(radius - away + 0.5, 0, 1).astype(np.float32)
    return torch.cat([rgb, torch.from_numpy(alpha)[..., None]], dim=2)


def _refusal(failed: dict[int, str], total: int) -> str:
    """The error message, with pictures that failed for the same reason listed together."""
    if total == 1:
        return failed[1]
    numbers: dict[str, list[str]] = {}
    for number, reason in failed.items():
        numbers.setdefault(reason, []).append(str(number))
    said = " ".join(f"Picture {', '.join(which)}: {reason}" for reason, which in numbers.items())
    if len(failed) == total:
        return f"image: none of the {total} pictures could be cut out. {said}"
    return f"image: {len(failed)} of {total} pictures could not be cut out. {said} Or set if_not_found to {CARD!r}."


def cut_picture(
    image: Tensor,
    mask: Tensor | None = None,
    method: str = "auto",
    *,
    mask_polarity: str = "auto",
    holes: str = "auto",
    keep: str = "main",
    specks: float = 0.5,
    grow: int = 0,
    feather: float = 0.0,
    decontaminate: bool = True,
    attention: AttentionMask | None = None,
) -> tuple[Tensor, FoundSubject]:
    """The cut-out (H, W, 4), straight alpha, of one picture (H, W, C) and its mask (H, W) or None.

    image, mask: a pair from `masks.methods.pictures_and_masks`. method, mask_polarity, holes, attention: as for
    `semantic_mask`. keep: one of KEEP. specks: parts smaller than this percentage of the largest part are removed, and
    enclosed holes smaller than a fifth of it are filled. grow: pixels (-64..64). feather: pixels (0..64).
    decontaminate: remove the old ground's colour from the edge. Transparent pixels are white; near the edge they have
    the subject's colour.
    Raises SealError for bad choices and if no subject is found.
    """
    if keep not in KEEP:
        raise SealError(f"keep: {keep!r} is not known; choose one of {', '.join(KEEP)}.")
    if not 0 <= specks <= 100:
        raise SealError(f"specks: {specks:g} is out of range; use 0 to 100 percent.")
    if image.shape[-1] == 4 and mask is None and not bool((image[..., 3] > 1 / 255).any()):
        raise SealError("image: fully transparent, nothing to cut out; give a picture that shows something.")
    found = find(image, mask, method, mask_polarity, holes, attention)
    cut = _cut(image, mask, found, decontaminate)
    return torch.from_numpy(_shaped(cut, image, keep, specks, grow, feather)), found


def _cut(image: Tensor, mask: Tensor | None, found: FoundSubject, decontaminate: bool) -> np.ndarray:
    """One picture's colours and alpha (H, W, 4), before parts are dropped and the mask is grown or feathered."""
    rgb = np.ascontiguousarray(rgb_and_alpha(image)[0])
    alpha, own = found.mask, image.shape[-1] == 4 and mask is None
    if found.method != "alpha":
        colours, alpha = matte(rgb, alpha)
    elif own and not ((alpha > 0.1) & (alpha < 0.9)).any():
        colours = rgb  # a file's alpha and colours belong together, unless a node joined a mask to an opaque picture
    elif own or is_feathered(alpha) or is_opacity(rgb, alpha):
        colours = rgb if is_straight(rgb, alpha) else decontaminated(rgb, alpha)
    elif is_hard(alpha) and has_hard_edge(rgb, alpha > 0.5):
        colours = rgb
    else:  # a segmentation, or drawn by hand
        colours, alpha = matte(rgb, alpha)
    return np.dstack([rgb if colours is None or not decontaminate else colours, alpha])


def _shaped(cut: np.ndarray, image: Tensor, keep: str, specks: float, grow: int, feather: float) -> np.ndarray:
    """The cut-out with only the parts to keep, its mask grown and feathered, and its hidden colours set."""
    colours, before = cut[..., :3], cut[..., 3]
    alpha = without_specks(before, keep, specks / 100)
    if (alpha > before).any():  # a filled pinhole has no outline any more: what was touched for it is deep inside now
        deep = ndimage.distance_transform_edt(alpha > 0.5) > TOUCHED
        colours = np.where(deep[..., None], rgb_and_alpha(image)[0].numpy(), colours)
    if grow or feather:
        shown = alpha > 0
        soft = feather_mask(grow_mask(torch.from_numpy(alpha), grow), feather).numpy()
        if grow > 0:  # the user wants more of the picture: show it unchanged
            colours = rgb_and_alpha(image)[0].numpy()
        elif shown.any():
            colours = np.where(shown[..., None], colours, colours[nearest(shown)])
        alpha = soft
    if not (alpha > 0.5).any():
        raise SealError("grow: nothing of the subject is left; use a larger value.")
    return np.dstack([_bled(colours, alpha), alpha]).astype(np.float32)


def _bled(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours (H, W, 3) whose transparent pixels repeat the subject's near the edge, and are white elsewhere."""
    clear = alpha <= 0
    if not clear.any() or clear.all():
        return colours
    away, where = ndimage.distance_transform_edt(clear, return_indices=True)
    carried = np.where((away <= BLEED)[..., None], colours[tuple(where)], 1)
    return np.where(clear[..., None], carried, colours)
