"""The mask methods: alpha, border, learned, attention, and `auto`, which tries them in turn.

Masks are (H, W) float32 in [0, 1], foreground = 1. Images are (H, W, C) float32 in [0, 1] with C = 1 (grey), 3 (RGB) or
4 (RGB and alpha), as `pictures.inputs` returns them. Batches have one more dimension in front.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..callbacks import OnProgress
from ..messages import SealError
from ..pictures.inputs import images_of, masks_for, resize_mask, rgb_and_alpha
from ..pictures.polarity import fix_inverted_alpha, foreground_from_mask
from .flood import flood_mask
from .grow_and_feather import feather_mask, grow_mask
from .learned_mask import better_than_flood, learned_mask

METHODS = ("auto", "alpha", "border", "attention", "learned")
MIN_COVERAGE, MAX_COVERAGE = 1e-4, 0.9999
"""Share of foreground at which a mask counts as empty, and as full."""

AttentionMask = Callable[[Tensor], Tensor]
"""(H, W, 3) image -> (H, W) mask, e.g. `functools.partial(attention_mask, host, class_word=...)`."""
Outline = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(H, W, 3) image, (H, W) mask -> (H, W) mask."""


def border_mask(image: Tensor) -> Tensor:
    """Soft foreground mask (H, W) of an image (H, W, C), by a colour flood from the frame (ours).

    Gradients, drop shadows and repeated patterns count as ground, and so does enclosed ground such as the inside of a
    handle. Above 512 px the flood runs on a smaller copy, and the outline is refined at full size. All zero if nothing
    differs from the frame.
    """
    rgb, _ = rgb_and_alpha(images_of(image)[0])
    return torch.from_numpy(flood_mask(rgb.numpy()))


def semantic_mask(
    image: Tensor,
    mask: Tensor | None = None,
    method: str = "auto",
    *,
    mask_polarity: str = "auto",
    grow: int = 0,
    feather: float = 0.0,
    attention: AttentionMask | None = None,
    progress: OnProgress | None = None,
) -> Tensor:
    """Foreground masks (B, H, W) float32 in [0, 1] of an IMAGE and perhaps a MASK (see `pictures.inputs`).

    Without a mask the image's own alpha is used. method: "alpha" reads that, "border" floods from the frame, "learned"
    asks the segmenter, "attention" calls `attention`. "auto" takes the first usable mask in the order alpha; border or
    learned, whichever `learned_mask` prefers; attention. progress: called as (done, all) for each picture.
    Raises SealError for bad shapes and values, unknown methods, and results that are empty or full.
    """
    images, masks = pictures_and_masks(image, mask)
    shaped = []
    for one, given in zip(images, masks):
        found, _ = found_mask(one, given, method, mask_polarity, attention)
        shaped.append(_usable(feather_mask(grow_mask(found, grow), feather), "grow", "use a smaller value"))
        if progress:
            progress(len(shaped), len(images))
    return torch.stack(shaped)


def pictures_and_masks(image: Tensor, mask: Tensor | None) -> tuple[Tensor, Sequence[Tensor | None]]:
    """Pictures (B, H, W, C) of an IMAGE with alpha the right way round, and for each a mask (H, W) or None."""
    images = fix_inverted_alpha(images_of(image))
    return images, [None] * len(images) if mask is None else list(
        masks_for(mask, len(images), images.shape[1], images.shape[2])
    )


def found_mask(
    image: Tensor,
    mask: Tensor | None,
    method: str,
    polarity: str = "auto",
    attention: AttentionMask | None = None,
    outline: Outline | None = None,
) -> tuple[Tensor, str]:
    """The mask (H, W) of one picture (H, W, C) as `semantic_mask` finds it, and the method that gave it.

    image, mask: one pair from `pictures_and_masks`. outline: improves the border method's mask before `auto` compares
    it with the segmenter's.
    """
    if method not in METHODS:
        raise SealError(f"method: {method!r} is not known; choose one of {', '.join(METHODS)}.")
    rgb, alpha = rgb_and_alpha(image)

    def from_alpha() -> Tensor:
        # Polarity is an input about the mask. An image's own alpha has been through `fix_inverted_alpha`.
        found = alpha if mask is None else foreground_from_mask(mask, polarity)
        if found is None:
            raise SealError("mask: nothing is wired and the image has no alpha; wire a MASK or choose method border.")
        return _usable(found, "mask", "wire another one or choose method border")

    def from_border() -> Tensor:
        remedy = "give the sticker a margin, wire a mask, or choose method attention"
        found = _usable(torch.from_numpy(flood_mask(rgb.numpy())), "image: the border method found", remedy)
        return found if outline is None else torch.from_numpy(outline(rgb.numpy(), found.numpy()))

    def from_learned() -> Tensor:
        remedy = "give the sticker a margin, wire a mask, or choose another method"
        return _usable(torch.from_numpy(learned_mask(rgb.numpy())), "image: the learned method found", remedy)

    def from_attention() -> Tensor:
        if attention is None:
            raise SealError("model: method attention needs model, clip, vae and class_word; wire and fill in all four.")
        remedy = "check class_word, wire a mask, or choose method border"
        return _usable(resize_mask(attention(rgb), *rgb.shape[:2]), "class_word: its attention gives", remedy)

    ways = {"alpha": from_alpha, "border": from_border, "learned": from_learned, "attention": from_attention}
    if method != "auto":
        return ways[method](), method
    possible = {"alpha": mask is not None or alpha is not None, "border": True, "attention": attention is not None}
    problems = []
    for way in (name for name, can in possible.items() if can):
        found = None
        try:
            found = ways[way]()
        except SealError as error:
            problems.append(str(error))
        better = better_than_flood(rgb.numpy(), None if found is None else found.numpy()) if way == "border" else None
        if better is not None:
            return torch.from_numpy(better), "learned"
        if found is not None:
            return found, way
    raise SealError(" ".join(problems))


def _usable(mask: Tensor, source: str, remedy: str) -> Tensor:
    share = float((mask > 0.5).float().mean())
    if share <= MIN_COVERAGE or share >= MAX_COVERAGE:
        what = "an empty mask (no foreground)" if share <= MIN_COVERAGE else "a full mask (no background)"
        raise SealError(f"{source} {what}; {remedy}." if ":" in source else f"{source}: {what}; {remedy}.")
    return mask
