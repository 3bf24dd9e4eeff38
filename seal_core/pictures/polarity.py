"""Which way round a mask or a picture's alpha is: the border of the frame shows the ground (ours).

A mask may mean either. ComfyUI's Join Image with Alpha inverts its mask, so a foreground mask joined there shows the
ground and hides the subject. A picture frame, or a full picture with a hole, looks like that too. So alpha is inverted
only if the hidden pixels show something.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ..messages import SealError, notify_user
from .inputs import Told

POLARITIES = ("auto", "foreground", "background")
HIDDEN, DEEP = 0.1, 4
"""Opacity below which a pixel is hidden; pixels from a shown one beyond which its colour is no edge's."""
ALIKE, FLAT = 0.08, 0.95
"""Largest difference (per channel) between equal colours; share of equal ones that makes an even field."""


def border_is_one(mask: Tensor) -> bool:
    """Whether the border of a mask (H, W) is 1, by the majority of its pixels.

    If that is close (45 to 55 %: the frame cuts the subject), the four corners decide; if they tie, the whole mask.
    """
    on = (mask > 0.5).float()
    border = torch.cat([on[0], on[-1], on[1:-1, 0], on[1:-1, -1]])
    if abs(border.mean() - 0.5) > 0.05:
        return bool(border.mean() > 0.5)
    corners = on[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
    decided = corners if corners != 0.5 else on.mean()
    return bool(decided > 0.5)


def coverage(mask: Tensor) -> float:
    """The mean of a mask, 0..1: the share of the picture that is foreground."""
    return float(mask.float().mean())


def foreground_from_mask(mask: Tensor, polarity: str = "auto") -> Tensor:
    """A mask (H, W) with foreground = 1 from one of either polarity, float32 in [0, 1].

    "auto": the frame's border is background (`border_is_one`), so LoadImage's MASK (transparent = 1) and segmentations
    (foreground = 1) both come out right. Raises SealError for an unknown polarity.
    """
    if polarity not in POLARITIES:
        raise SealError(f"mask_polarity: {polarity!r} is not known; choose one of {', '.join(POLARITIES)}.")
    inverted = polarity == "background" or (polarity == "auto" and border_is_one(mask))
    return 1 - mask if inverted else mask


def fix_inverted_alpha(images: Tensor, told: Told = notify_user) -> Tensor:
    """Pictures (B, H, W, C), as `sockets.images_of` gives them, with alpha turned round where it hides the subject.

    The majority decides for the whole batch, so that an animation does not flicker. told: called with what was done, or
    with what is doubtful and was left alone.
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
    """Whether the alpha of a picture (H, W, 4) is "right", "inverted" or "doubtful"."""
    alpha = picture[..., 3]
    if not (alpha <= 0.5).any() or not border_is_one(torch.from_numpy(alpha)):
        return "right"
    # Inverted alpha hides the middle and shows the border; a notch, a hole or round corners do not.
    height, width = alpha.shape
    middle = alpha[height // 4 : height - height // 4, width // 4 : width - width // 4]
    border = np.concatenate([alpha[0], alpha[-1], alpha[1:-1, 0], alpha[1:-1, -1]])
    if (middle <= 0.5).mean() < max(0.25, (border <= 0.5).mean()):
        return "right"
    return "inverted" if _shows(picture[..., :3], alpha) else "doubtful"


def _shows(rgb: np.ndarray, alpha: np.ndarray) -> bool:
    """Whether the hidden pixels show a picture.

    Files and nodes leave an even black, white or the surrounding colour there; that is no picture.
    """
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
