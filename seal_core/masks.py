"""Foreground masks of stickers: from alpha or a segmentation, from the frame's colours, learned, or from attention.

Masks are (H, W) float32 in [0, 1], foreground = 1. Images are (H, W, C) float32 in [0, 1] with
C = 1 (grey), 3 (RGB) or 4 (RGB and alpha); batches have one more dimension in front.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from .errors import SealError
from .masks_border import flood, resize
from .masks_learned import preferred
from .segmenter import learned

METHODS = ("auto", "alpha", "border", "attention", "learned")
POLARITIES = ("auto", "foreground", "background")
MIN_COVERAGE, MAX_COVERAGE = 1e-4, 0.9999  # beyond these a mask counts as empty or full

Attention = Callable[[Tensor], Tensor]
"""(H, W, 3) image -> (H, W) mask, e.g. `functools.partial(attention_mask, host, class_word=...)`."""
Outline = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(H, W, 3) image, (H, W) mask -> (H, W) mask."""


def coverage(mask: Tensor) -> float:
    """Mean of a mask: the share of the picture that is foreground, 0..1."""
    return float(mask.float().mean())


def foreground_from_mask(mask: Tensor, polarity: str = "auto") -> Tensor:
    """A mask with foreground = 1 from one (H, W) of either polarity; returns (H, W) float32 in [0, 1].

    "auto": what the frame's border shows is background, so LoadImage's MASK (transparent = 1) and
    segmentations (foreground = 1) both come out right. The majority of the border pixels decides;
    where it is close (45 to 55 %, a subject cut by the frame) the four corners do; where those are
    tied too, the larger class of the whole mask is background; and then the mask stays as it is.
    Raises SealError for an unknown polarity, a mask that is not (H, W), or values that are not finite.
    """
    if polarity not in POLARITIES:
        raise SealError(f"mask_polarity: {polarity!r} is not known; choose one of {', '.join(POLARITIES)}.")
    if mask.ndim != 2 or 0 in mask.shape:
        raise SealError(f"mask: needs the shape (height, width), got {tuple(mask.shape)}; wire a MASK.")
    mask = mask.detach().to("cpu", torch.float32)
    if not torch.isfinite(mask).all():
        raise SealError("mask: has values that are not numbers; wire another MASK.")
    mask = mask.clamp(0, 1)
    inverted = polarity == "background" or (polarity == "auto" and _border_is_one(mask))
    return 1 - mask if inverted else mask


def _border_is_one(mask: Tensor) -> bool:
    on = (mask > 0.5).float()
    border = torch.cat([on[0], on[-1], on[1:-1, 0], on[1:-1, -1]])
    if abs(border.mean() - 0.5) > 0.05:
        return bool(border.mean() > 0.5)
    corners = on[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
    decided = corners if corners != 0.5 else on.mean()
    return bool(decided > 0.5)


def border_mask(image: Tensor) -> Tensor:
    """Soft foreground mask (H, W) of an image (H, W, C), by a colour flood from the frame (ours).

    Gradients, drop shadows and repeated patterns belong to the ground, as does enclosed ground such
    as the inside of a handle. Any size; above 512 px the flood runs on a smaller copy and the
    outline is refined at full size. All zero where nothing differs from the frame.
    """
    rgb, _ = _split(image)
    return torch.from_numpy(flood(rgb.numpy()))


def grow_mask(mask: Tensor, px: int) -> Tensor:
    """Grow (px > 0) or shrink (px < 0) a mask (H, W) by up to 64 pixels of Euclidean distance, soft edge kept."""
    if not -64 <= px <= 64:
        raise SealError(f"grow: {px} is out of range; use -64 to 64 pixels.")
    if px == 0:
        return mask
    soft = mask.numpy() if px > 0 else 1 - mask.numpy()
    solid = soft > 0.5
    if not solid.any():
        return mask
    # Distance to the outline with its sub-pixel place: the outermost solid pixels say how far they are covered.
    distance, where = ndimage.distance_transform_edt(~solid, return_indices=True)
    edge = distance - (soft[tuple(where)] - 0.5)
    grown = np.maximum(soft, np.clip(abs(px) + 0.5 - np.where(solid, 0, edge), 0, 1)).astype(np.float32)
    return torch.from_numpy(grown if px > 0 else 1 - grown)


def feather_mask(mask: Tensor, px: float) -> Tensor:
    """Soften a mask (H, W) over about `px` pixels (0..64): a Gaussian of standard deviation px / 2."""
    if not 0 <= px <= 64:
        raise SealError(f"feather: {px} is out of range; use 0 to 64 pixels.")
    if px == 0:
        return mask
    return torch.from_numpy(ndimage.gaussian_filter(mask.numpy(), px / 2, mode="nearest")).clamp(0, 1)


def overlay(image: Tensor, mask: Tensor) -> Tensor:
    """Preview (H, W, 3): the foreground as it is, the ground dimmed and magenta, a white outline."""
    rgb, _ = _split(image)
    m = resize_mask(mask, *rgb.shape[:2])[..., None]
    tint = 0.25 * rgb + 0.75 * torch.tensor([0.85, 0.1, 0.55])
    out = rgb * m + tint * (1 - m)
    solid = (m[..., 0] > 0.5).numpy()
    width = max(1, round(max(solid.shape) / 400))
    line = ndimage.binary_dilation(solid, iterations=width) & ~solid
    out[torch.from_numpy(line)] = 1.0
    return out.clamp(0, 1)


def resize_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """A mask (h, w) at another size: areas averaged when smaller, bilinear when larger."""
    if mask.shape == (height, width):
        return mask
    return torch.from_numpy(resize(mask.detach().float().cpu().numpy(), height, width)).clamp(0, 1)


def semantic_mask(
    image: Tensor,
    mask: Tensor | None = None,
    method: str = "auto",
    *,
    mask_polarity: str = "auto",
    grow: int = 0,
    feather: float = 0.0,
    attention: Attention | None = None,
) -> Tensor:
    """Foreground masks (B, H, W) float32 in [0, 1] of images (B, H, W, C) or (H, W, C).

    mask: (H, W), (1, H, W) or (B, H, W); resized where its size differs. An image's own alpha
    stands in where none is given. method: "alpha" reads it, "border" floods from the frame, "learned"
    asks the segmenter, "attention" asks `attention`; "auto" takes the first that gives a usable mask of
    alpha, border or learned (`masks_learned` decides which), and attention.
    Raises SealError for bad shapes, unknown methods and empty or full results.
    """
    images = image[None] if image.ndim == 3 else image
    if images.ndim != 4 or 0 in images.shape:
        raise SealError(f"image: needs the shape (batch, height, width, channels), got {tuple(image.shape)}.")
    masks = one_each(mask, len(images))
    found = [found_mask(i, m, method, mask_polarity, attention)[0] for i, m in zip(images, masks)]
    shaped = [_usable(feather_mask(grow_mask(m, grow), feather), "grow", "use a smaller value") for m in found]
    return torch.stack(shaped)


def one_each(mask: Tensor | None, count: int) -> list[Tensor | None]:
    """A mask (H, W) for each of `count` images from one (H, W), (1 or B, H, W) or (1 or B, 1, H, W), or from none."""
    if mask is None:
        return [None] * count
    masks = mask[None] if mask.ndim == 2 else mask
    if masks.ndim == 4 and masks.shape[1] == 1:
        masks = masks[:, 0]
    if masks.ndim != 3:
        raise SealError(f"mask: needs the shape (batch, height, width), got {tuple(mask.shape)}; wire a MASK.")
    if len(masks) not in (1, count):
        raise SealError(f"mask: {len(masks)} masks for {count} images; wire one for all or one for each.")
    return [masks[i % len(masks)] for i in range(count)]


def found_mask(
    image: Tensor,
    mask: Tensor | None,
    method: str,
    polarity: str = "auto",
    attention: Attention | None = None,
    outline: Outline | None = None,
) -> tuple[Tensor, str]:
    """The mask (H, W) of one image (H, W, C) as `semantic_mask` finds it, and which of METHODS gave it.

    outline: makes the border method's masks better before `auto` compares them with the segmenter's.
    """
    if method not in METHODS:
        raise SealError(f"method: {method!r} is not known; choose one of {', '.join(METHODS)}.")
    rgb, alpha = _split(image)
    height, width = rgb.shape[:2]

    def from_alpha() -> Tensor:
        # An image's own alpha has one meaning only, so the polarity input does not apply to it.
        found = alpha if mask is None else foreground_from_mask(mask, polarity)
        if found is None:
            raise SealError("mask: nothing is wired and the image has no alpha; wire a MASK or choose method border.")
        return _usable(resize_mask(found, height, width), "mask", "wire another one or choose method border")

    def from_border() -> Tensor:
        remedy = "give the sticker a margin, wire a mask, or choose method attention"
        found = _usable(torch.from_numpy(flood(rgb.numpy())), "image: the border method found", remedy)
        return found if outline is None else torch.from_numpy(outline(rgb.numpy(), found.numpy()))

    def from_learned() -> Tensor:
        remedy = "give the sticker a margin, wire a mask, or choose another method"
        return _usable(torch.from_numpy(learned(rgb.numpy())), "image: the learned method found", remedy)

    def from_attention() -> Tensor:
        if attention is None:
            raise SealError("model: method attention needs model, clip, vae and class_word; wire and fill in all four.")
        remedy = "check class_word, wire a mask, or choose method border"
        return _usable(resize_mask(attention(rgb), height, width), "class_word: its attention gives", remedy)

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
        better = preferred(rgb.numpy(), None if found is None else found.numpy()) if way == "border" else None
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


def _split(image: Tensor) -> tuple[Tensor, Tensor | None]:
    """RGB (H, W, 3) and alpha (H, W) or None of an image (H, W, C), float32 on the CPU in [0, 1]."""
    if image.ndim != 3 or image.shape[-1] not in (1, 3, 4) or 0 in image.shape:
        raise SealError(
            f"image: needs the shape (height, width, channels) with 1, 3 or 4 channels, got {tuple(image.shape)}."
        )
    image = torch.nan_to_num(image.detach().to("cpu", torch.float32), nan=0.0).clamp(0, 1)
    if image.shape[-1] == 1:
        return image.repeat(1, 1, 3), None
    return image[..., :3].contiguous(), image[..., 3] if image.shape[-1] == 4 else None
