"""The one animated sticker that a motion is learned from, as a model takes it (ours)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...messages import SealError
from ...method.fit_references import fit_captioned, fit_references
from ...method.references import shrunk_mask
from ...pictures.inputs import images_of

STILL = 2 / 255
"""Greatest difference of frames that do not move."""


@dataclass(frozen=True, eq=False)
class ExampleClip:
    """images (F, H, W, 3) and masks (F, H, W) in [0, 1], subject = 1. caption: what is seen, in words."""

    images: Tensor
    masks: Tensor
    caption: str

    def focus(self, height: int, width: int, ground: float) -> Tensor:
        """(1, F, height, width), mean 1: where the loss looks. Wherever the subject comes in any frame it counts 1, the
        rest `ground`: what it leaves behind is part of the motion."""
        reached = shrunk_mask(self.masks, height, width).amax(dim=0)
        seen = ground + (1 - ground) * reached
        return (seen / seen.mean()).expand(1, len(self.masks), -1, -1)


def example_clip(
    images: Tensor, masks: Tensor | None, caption: str, *, frames: int, resolution: int, polarity: str = "auto"
) -> tuple[ExampleClip, list[str]]:
    """An IMAGE and a MASK of one animated sticker as `frames` frames, and what was noticed on the way.

    images (B, H, W, C), in order, one play of a loop: fewer or more than `frames` are taken at even distances. masks:
    one for all or one each; None or one without contrast: the images' own alpha, else all that is seen counts.
    resolution: as `fit_references`. Raises SealError: one frame, frames that are all alike, bad pictures and masks.
    """
    warnings: list[str] = []
    pictures = images_of(images, warnings.append)
    if len(pictures) < 2:
        raise SealError("image: one picture does not move; wire the frames of one animated sticker, 2 or more.")
    shown = [i * len(pictures) // frames for i in range(frames)]
    if len(pictures) != frames:
        warnings.append(f"image: {len(pictures)} frames, of which {frames} are taken at even distances.")
    chosen = pictures[shown]
    if float((chosen - chosen[:1]).abs().amax()) <= STILL:
        raise SealError("image: its frames are all alike, so nothing moves; wire the frames of an animated sticker.")
    if chosen.shape[-1] == 4 and float(chosen[..., 3].min()) > 0.5:  # opaque: it says nothing of the subject
        chosen = chosen[..., :3]
    if masks is not None and float(masks.amax() - masks.amin()) < 0.5:  # Load Image makes one where there is no alpha
        masks = None
        warnings.append("mask: it is the same everywhere and is not used.")
    [one], _ = fit_captioned("image", chosen[:1, ..., :3], [caption], resolution)  # checks the caption, too
    if masks is None and chosen.shape[-1] == 3:
        fitted, noticed = fit_captioned("image", chosen, [caption], resolution)
    else:
        many = masks is not None and masks.ndim == 3 and len(masks) == len(pictures)
        fitted, noticed = fit_references(
            chosen, masks[shown] if many and masks is not None else masks, resolution, polarity
        )
    stacked = torch.stack([f.image for f in fitted]), torch.stack([f.mask for f in fitted])
    return ExampleClip(*stacked, one.caption or ""), list(dict.fromkeys([*warnings, *noticed]))
