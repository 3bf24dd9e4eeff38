"""The mask methods: alpha, border, learned, attention, and `auto`, which tries them in turn.

Masks are (H, W) float32 in [0, 1], foreground = 1. Images are (H, W, C) float32 in [0, 1] with C = 1 (grey), 3 (RGB) or
4 (RGB and alpha), as `pictures.inputs` returns them. Batches have one more dimension in front.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..callbacks import OnProgress
from ..messages import SealError, notify_user
from ..pictures.inputs import images_of, masks_for, rgb_and_alpha
from ..pictures.polarity import fix_inverted_alpha, foreground_from_mask
from ..pictures.resize import fitted_to, resize
from .doubts import doubts, overlap
from .grow_and_feather import feather_mask, grow_mask
from .holes import with_holes, without_doubtful_holes
from .outline import matte
from .plain_ground import flood_mask, plain_ground, proven
from .segmenter import coarse_mask

METHODS = ("auto", "alpha", "border", "attention", "learned")
MIN_COVERAGE, MAX_COVERAGE = 1e-4, 0.9999
"""Share of foreground at which a mask counts as empty, and as full."""

FLOOD_SIDE = 512
"""Longest side at which method border floods, in pixels: fine enough for hairlines."""

AttentionMask = Callable[[Tensor], Tensor]
"""(H, W, 3) image -> (H, W) mask, e.g. `functools.partial(attention_mask, host, class_word=...)`."""


@dataclass(frozen=True)
class FoundSubject:
    """Where the subject of one picture is.

    mask: (h, w) float32; the picture's size, or smaller and right to about three of its pixels (see `outline`). method:
    one of METHODS, never "auto". confidence: expected intersection over union with the truth, 0 to 1. doubts: what a
    person should look at. other: another reading (h, w), or None.
    """

    mask: np.ndarray
    method: str
    confidence: float = 1.0
    doubts: tuple[str, ...] = ()
    other: np.ndarray | None = None


def semantic_mask(
    image: Tensor,
    mask: Tensor | None = None,
    method: str = "auto",
    *,
    mask_polarity: str = "auto",
    holes: str = "auto",
    grow: int = 0,
    feather: float = 0.0,
    attention: AttentionMask | None = None,
    progress: OnProgress | None = None,
    look: Callable[[FoundSubject], None] | None = None,
) -> Tensor:
    """Foreground masks (B, H, W) float32 in [0, 1] of an IMAGE and perhaps a MASK (see `pictures.inputs`).

    Without a mask the image's own alpha is used. method: "alpha" reads that, "border" floods a plain ground, "learned"
    asks the segmenter, "attention" calls `attention`. "auto" takes alpha if there is one, else the segmenter's mask,
    else `attention`. holes: one of `holes.HOLES`. progress: called as (done, all) for each picture. look: called with
    what was found in each.
    Raises SealError for bad shapes and values, unknown methods, and results that are empty or full.
    """
    images, masks = pictures_and_masks(image, mask)
    shaped = []
    for i, (one, given) in enumerate(zip(images, masks)):
        found = find(one, given, method, mask_polarity, holes, attention)
        tell_doubts(found, i, len(images))
        if look:
            look(found)
        whole = found.mask
        if found.method != "alpha":
            whole = matte(rgb_and_alpha(one)[0].numpy(), whole)[1]
        soft = feather_mask(grow_mask(torch.from_numpy(whole), grow), feather)
        shaped.append(torch.from_numpy(_usable(soft.numpy(), "grow", "use a smaller value")))
        if progress:
            progress(len(shaped), len(images))
    return torch.stack(shaped)


def tell_doubts(found: FoundSubject, number: int, count: int) -> None:
    """Notices of what a person should look at in picture `number` (from 0) of `count`."""
    where = f"picture {number + 1}" if count > 1 else "image"
    for doubt in found.doubts:
        notify_user(f"{where}: {doubt}.")


def pictures_and_masks(image: Tensor, mask: Tensor | None) -> tuple[Tensor, Sequence[Tensor | None]]:
    """Pictures (B, H, W, C) of an IMAGE with alpha the right way round, and for each a mask (H, W) or None."""
    images = fix_inverted_alpha(images_of(image))
    return images, [None] * len(images) if mask is None else list(
        masks_for(mask, len(images), images.shape[1], images.shape[2])
    )


def find(
    image: Tensor,
    mask: Tensor | None = None,
    method: str = "auto",
    polarity: str = "auto",
    holes: str = "auto",
    attention: AttentionMask | None = None,
) -> FoundSubject:
    """The subject of one picture (H, W, C), as `semantic_mask` finds it.

    image, mask: a pair from `pictures_and_masks`. polarity: `semantic_mask`'s `mask_polarity`.
    """
    if method not in METHODS:
        raise SealError(f"method: {method!r} is not known; choose one of {', '.join(METHODS)}.")
    rgb, alpha = rgb_and_alpha(image)
    pixels = rgb.numpy()
    if method == "alpha" or (method == "auto" and (mask is not None or alpha is not None)):
        try:
            return FoundSubject(with_holes(pixels, _given(mask, alpha, polarity), holes), "alpha")
        except SealError as error:
            if method == "alpha":
                raise
            problem = f"{error} "
    else:
        problem = ""
    likely = coarse_mask(pixels)
    ground, sure = plain_ground(resize(pixels, *likely.shape)), likely
    if ground is not None:
        likely, sure = proven(ground, likely)
    likely = without_doubtful_holes(likely)
    if method == "border":  # a subject may sit in a corner
        ground = plain_ground(fitted_to(pixels, FLOOD_SIDE), sides_needed=2)
    by_colour = None if ground is None else flood_mask(ground).astype(np.float32)
    remedy = "give the sticker a margin, wire a mask, or choose another method"
    if method == "attention" or (method == "auto" and attention is not None and not _is_usable(likely)):
        found, other = _by_attention(rgb, attention), None
        method = "attention"
    elif method == "border":
        if by_colour is None:
            raise SealError("image: its frame shows no plain ground, as method border needs; choose auto or learned.")
        found, other = _usable(by_colour, "image: the border method found", remedy), likely
    else:
        found, other = _usable(likely, f"{problem}image: the learned method found", remedy), by_colour
        method = "learned"
    found = with_holes(pixels, found, holes)
    other = other if other is not None and _is_usable(other) else None
    promised = overlap(resize(sure, *found.shape), (found > 0.5).astype(np.float32))
    return FoundSubject(found, method, promised, tuple(doubts(pixels, found, other)), other)


def _given(mask: Tensor | None, alpha: Tensor | None, polarity: str) -> np.ndarray:
    # Polarity is an input about the mask. An image's own alpha has been through `fix_inverted_alpha`.
    found = alpha if mask is None else foreground_from_mask(mask, polarity)
    if found is None:
        raise SealError("mask: nothing is wired and the image has no alpha; wire a MASK or choose method auto.")
    return _usable(found.numpy(), "mask", "wire another one or choose method learned")


def _by_attention(rgb: Tensor, attention: AttentionMask | None) -> np.ndarray:
    if attention is None:
        raise SealError("model: method attention needs model, clip, vae and class_word; wire and fill in all four.")
    remedy = "check class_word, wire a mask, or choose method learned"
    return _usable(attention(rgb).numpy(), "class_word: its attention gives", remedy)


def _is_usable(mask: np.ndarray) -> bool:
    return MIN_COVERAGE < float((mask > 0.5).mean()) < MAX_COVERAGE


def _usable(mask: np.ndarray, source: str, remedy: str) -> np.ndarray:
    if not _is_usable(mask):
        what = "an empty mask (no foreground)" if (mask > 0.5).mean() < 0.5 else "a full mask (no background)"
        raise SealError(f"{source} {what}; {remedy}." if ":" in source else f"{source}: {what}; {remedy}.")
    return mask
