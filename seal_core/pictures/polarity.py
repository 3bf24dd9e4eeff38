"""Which way round a mask or a picture's own alpha is: what the frame's border shows is the ground (ours).

A mask may mean either, and core's Join Image with Alpha inverts what it gets: a foreground mask joined by it shows the
ground and hides the subject. Frames and full pictures with a hole look like that too, so alpha is turned round only
where the hidden pixels show something.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ..messages import SealError, tell
from .inputs import Told

POLARITIES = ("auto", "foreground", "background")
HIDDEN, DEEP = 0.1, 4
"""Opacity under which a pixel is hidden; how many pixels from a shown one its colour is no longer an edge's."""
ALIKE, FLAT = 0.08, 0.95
"""How far (each of RGB) colours may be apart to be the same, and which share of alike ones makes an even field."""


def border_is_one(mask: Tensor) -> bool:
    """Whether the border of a mask (H, W) is 1: the majority of its pixels decides; where it is close (45 to 55 %, a
    subject cut by the frame) the four corners do; where those are tied too, the larger class of the whole mask."""
    on = (mask > 0.5).float()
    border = torch.cat([on[0], on[-1], on[1:-1, 0], on[1:-1, -1]])
    if abs(border.mean() - 0.5) > 0.05:
        return bool(border.mean() > 0.5)
    corners = on[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
    decided = corners if corners != 0.5 else on.mean()
    return bool(decided > 0.5)


def coverage(mask: Tensor) -> float:
    """Mean of a mask: the share of the picture that is foreground, 0..1."""
    return float(mask.float().mean())


def foreground_from_mask(mask: Tensor, polarity: str = "auto") -> Tensor:
    """A mask (H, W) with foreground = 1 from one of either polarity, float32 in [0, 1].

    "auto": what the frame's border shows (`border_is_one`) is background, so LoadImage's MASK (transparent = 1)
    and segmentations (foreground = 1) both come out right. SealError for an unknown polarity.
    """
    if polarity not in POLARITIES:
        raise SealError(f"mask_polarity: {polarity!r} is not known; choose one of {', '.join(POLARITIES)}.")
    inverted = polarity == "background" or (polarity == "auto" and border_is_one(mask))
    return 1 - mask if inverted else mask


def fix_inverted_alpha(images: Tensor, told: Told = tell) -> Tensor:
    """Pictures (B, H, W, C), as `sockets.images_of` gives them, with alpha turned round where it hides the subject.

    All of a batch or none, as most of it tells, so that an animation does not flicker. told: called with what was done,
    or with what is doubtful and was left.
    """
    if images.shape[-1] != 4:
        return images
    verdicts = [_verdict(one.numpy()) for one in images]
    turn = verdicts.count("inverted") > verdicts.count("right")
    if turn:
        told(
            "image: its alpha showed the ground and hid the subject, as a foreground mask joined by Join Image with "
            "Alpha does; it was turned round. Invert the mask before that node."
        )
        return torch.cat([images[..., :3], 1 - images[..., 3:]], -1)
    if verdicts.count("right") < len(verdicts):
        told(
            "image: its alpha shows the frame's border and hides the middle, and was left as it is; if a mask was "
            "joined to it, invert that before."
        )
    return images


def _verdict(picture: np.ndarray) -> str:
    """Whether alpha in a picture (H, W, 4) is "right", "inverted", or such that one cannot tell: "doubtful"."""
    alpha = picture[..., 3]
    if not (alpha <= 0.5).any() or not border_is_one(torch.from_numpy(alpha)):
        return "right"
    # The middle hidden and the border shown: a notch, a hole or round corners are not that.
    height, width = alpha.shape
    middle = alpha[height // 4 : height - height // 4, width // 4 : width - width // 4]
    border = np.concatenate([alpha[0], alpha[-1], alpha[1:-1, 0], alpha[1:-1, -1]])
    if (middle <= 0.5).mean() < max(0.25, (border <= 0.5).mean()):
        return "right"
    return "inverted" if _shows(picture[..., :3], alpha) else "doubtful"


def _shows(rgb: np.ndarray, alpha: np.ndarray) -> bool:
    """Whether the hidden pixels are a picture: neither an even black, white or the colour of what is around them, which
    is what files and nodes leave there, nor nothing at all."""
    hidden = alpha < HIDDEN
    if not hidden.any() or hidden.all():
        return False
    away, where = ndimage.distance_transform_edt(hidden, return_indices=True)
    deep = away > DEEP
    inside = deep if deep.any() else hidden
    colours = rgb[inside]
    usual = np.median(colours, axis=0)
    if (np.abs(colours - usual).max(1) < ALIKE).mean() < FLAT:
        return True
    around = np.median(rgb[tuple(axis[inside] for axis in where)], axis=0)
    return all(np.abs(usual - left).max() >= ALIKE for left in (np.zeros(3), np.ones(3), around))
