"""From whatever an image input carries to fitted references."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..messages import SealError
from ..pictures.inputs import images_of, masks_for, rgb_and_alpha
from ..pictures.polarity import border_is_one, coverage, fix_inverted_alpha, foreground_from_mask
from .references import Reference

SMALLEST = 16
"""Pixels of the shorter side below which a picture shows no subject on a ground."""
CELL = 64
"""Pixels of the fitted picture that one latent cell covers: a smaller subject is lost on the way."""
LEAST, MOST = 0.001, 0.999
"""Share of a picture that is subject, between these; beyond them a mask is empty or full."""
HALF = 0.5
ON_WHITE = "image: its alpha was laid on white."
RGB = 3
SIDES = 64
"""Sides are multiples of it where the resolution is, so that every level of a U-Net divides evenly."""


def fit_references(
    images: Tensor, masks: Tensor | None, resolution: int, polarity: str = "auto", multiple: int = 8
) -> tuple[list[Reference], list[str]]:
    """References fitted to `resolution`, and what was noticed on the way.

    images, masks: an IMAGE and a MASK (`pictures.inputs`); alpha is laid on white; masks None = the images' own alpha.
    polarity: the mask's, see `pictures.polarity.foreground_from_mask`. resolution: the longer side in
    pixels; the shorter one follows the picture's shape and is padded with the ground's colour, so nothing is
    distorted. Sides are multiples of 64 where the resolution is (so that every level of a U-Net divides
    evenly), else of `multiple`.
    Raises SealError naming `image` or `mask`: wrong shapes and counts, values that are not finite, pictures
    under 16 pixels, an empty or full mask.
    """
    warnings: list[str] = []
    images, alphas = _on_white(fix_inverted_alpha(images_of(images, warnings.append), warnings.append), warnings)
    if masks is None:
        if alphas is None:
            raise SealError("mask: nothing is wired and the image has no alpha; wire SEAL Semantic Mask.")
        masks, polarity = alphas, "foreground"
        warnings.append("mask: the image's own alpha is used.")
    height, width = images.shape[1:3]
    fitting = masks_for(masks, len(images), height, width, warnings.append)
    if polarity == "auto" and any(border_is_one(mask) for mask in fitting):
        warnings.append(
            "mask: 1 was taken for the ground, since the frame's border shows it; if the subject fills the border, set "
            "mask_polarity to foreground."
        )
    step = SIDES if resolution % SIDES == 0 else multiple
    references = []
    for i in range(len(images)):
        mask = foreground_from_mask(fitting[i], polarity)
        share = coverage(mask)
        which = f" of image {i + 1}" if len(images) > 1 else ""
        if not LEAST < share < MOST:
            what = "empty" if share < HALF else "full"
            raise SealError(
                f"mask{which}: {what} ({share:.1%} of the image is foreground), so there is no subject on a ground. "
                "Wire SEAL Semantic Mask, or check mask_polarity."
            )
        reference = _fitted(images[i], mask, resolution, step)
        if float(reference.mask.sum()) < CELL:
            raise SealError(
                f"mask{which}: the subject is lost at {resolution} px ({share:.1%} of the image is foreground). "
                "Crop the image closer to the subject, or raise resolution."
            )
        references.append(reference)
    return references, warnings


def fit_captioned(
    name: str,
    images: Tensor | Sequence[Tensor],
    captions: Sequence[str],
    resolution: int,
    levels: tuple[float, float] = (0.0, 1.0),
) -> tuple[list[Reference], list[str]]:
    """Whole pictures (H, W, C) with captions as references, fitted as above, and what was noticed on the way.

    name: of the input, for errors. images: a batch, or pictures of any sizes. captions: one for all, or one each; may
    be empty. levels: `Reference`'s percents. The mask is 1 where the picture is, 0 where it was padded.
    Raises SealError.
    """
    warnings: list[str] = []
    pictures = images_of(images, warnings.append, name) if isinstance(images, Tensor) else images
    captions = list(captions) or [""]
    if len(captions) not in (1, len(pictures)):
        raise SealError(
            f"{name}_captions: {len(captions)} lines for {len(pictures)} pictures; write one line for all, or one each."
        )
    if braced := [line for line in captions if "{" in line or "}" in line]:
        raise SealError(f"{name}_captions: {braced[0]!r} has braces; say what the picture shows in plain words.")
    fitted = []
    for picture, caption in zip(pictures, captions * (len(pictures) // len(captions))):
        [image] = _on_white(images_of(picture, warnings.append, name), warnings)[0]
        whole = _fitted(image, torch.ones(image.shape[:2]), resolution, SIDES if resolution % SIDES == 0 else 8)
        fitted.append(Reference(whole.image, whole.mask, " ".join(caption.split()), *levels))
    return fitted, [notice.replace("image", name, 1) for notice in dict.fromkeys(warnings)]


def _on_white(images: Tensor, warnings: list[str]) -> tuple[Tensor, Tensor | None]:
    """RGB (B, H, W, 3) and alpha (B, H, W) or None."""
    height, width = images.shape[1:3]
    if min(height, width) < SMALLEST:
        raise SealError(f"image: {width} x {height} is too small to train from; use at least {SMALLEST} pixels a side.")
    rgb, alpha = rgb_and_alpha(images)
    if alpha is None:
        return rgb, None
    warnings.append(ON_WHITE)
    return rgb * alpha[..., None] + 1 - alpha[..., None], alpha


def _fitted(image: Tensor, mask: Tensor, resolution: int, step: int) -> Reference:
    """Scale to the longer side and pad the shorter one, picture and mask alike."""
    height, width = image.shape[:2]
    scale = resolution / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    fitted = torch.stack([_scaled(plane, size) for plane in image.unbind(-1)], dim=-1)
    fitted_mask = _scaled(mask, size, Image.Resampling.BOX)
    pad_x, pad_y = ((-(-side // step) * step - side) for side in size)
    left, top = pad_x // 2, pad_y // 2
    canvas = _border_colour(fitted, fitted_mask).expand(size[1] + pad_y, size[0] + pad_x, 3).clone()
    canvas_mask = torch.zeros(canvas.shape[:2])
    canvas[top : top + size[1], left : left + size[0]] = fitted
    canvas_mask[top : top + size[1], left : left + size[0]] = fitted_mask
    return Reference(canvas, canvas_mask)


def _scaled(plane: Tensor, size: tuple[int, int], down: Image.Resampling = Image.Resampling.LANCZOS) -> Tensor:
    """One float plane at another size (width, height); enlarged bicubically whatever shrinks it."""
    picture = Image.fromarray(plane.numpy().astype(np.float32), mode="F")
    method = down if size[0] <= picture.width else Image.Resampling.BICUBIC
    return torch.from_numpy(np.array(picture.resize(size, method))).clamp(0, 1)


def _border_colour(image: Tensor, mask: Tensor) -> Tensor:
    """Median colour (3,) of the frame's border, where the subject reaches it of the ground's part alone."""
    ring = torch.ones(mask.shape, dtype=torch.bool)
    ring[1:-1, 1:-1] = False
    ground = ring & (mask < HALF)
    return image[ground if ground.any() else ring].median(dim=0).values
