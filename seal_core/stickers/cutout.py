"""A picture's subject on a transparent ground: alpha, colours without the old ground, one subject (ours)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ..masks.edge_network import refine_edge
from ..masks.grow_and_feather import feather_mask, grow_mask
from ..masks.methods import AttentionMask, found_mask, pictures_and_masks
from ..messages import SealError
from ..pictures.inputs import rgb_and_alpha
from ..pictures.matting import decontaminated, is_hard, is_straight, nearest, sample_matte, snapped, unexplained_share
from ..progress import Progress
from .die_cut_rim import with_die_cut_rim

KEEP = ("main", "largest", "all")
"""What stays: the largest part with what lies close to it or is large too; the largest part alone; all but specks."""
FAINT = 0.1  # opacity from which a pixel counts as part of something
LARGE, CLOSE = 0.05, 0.06  # "main": share of the largest part's area, or of the picture's side as a gap, that belongs
SOLID = 0.99  # opacity above which the edge network takes a pixel for the subject's alone
PURE, WASHED = 0.005, 0.03  # by how little it changes colours that others are taken from; by how much those of others
MIN_CARRY, CARRY = 4, 0.04  # how far colours are carried: pixels, and a share of the picture's side
WRONG, DOUBTED, UNEXPLAINED = 0.2, 0.14, 0.08
"""Mean difference from the edge network's opacity from which what the colours say is not believed; the same where more
than this share of the edge's pixels is no mixture of colours. Chosen on emoji and StickerWorld's validation characters,
where it errs no more than if one knew which is better."""
BLEED = 3  # pixels around the edge whose hidden colours are the subject's, so that scaling finds no other colour

_BOX = np.ones((3, 3), bool)


def cutout(
    image: Tensor,
    mask: Tensor | None = None,
    method: str = "auto",
    *,
    progress: Progress | None = None,
    **options: Any,
) -> tuple[Tensor, Tensor]:
    """Cut-outs (B, H, W, 4), straight alpha, and masks (B, H, W) with foreground = 1; float32 in [0, 1].

    image, mask: an IMAGE and a MASK, see `sockets`. method, options: as `cut_picture`. progress: called as (done, all)
    for each picture.
    Raises SealError for bad shapes, values and choices, and for a picture in which no subject is found, by its number.
    """
    images, masks = pictures_and_masks(image, mask)
    cuts = []
    for i, (one, given) in enumerate(zip(images, masks)):
        try:
            cuts.append(cut_picture(one, given, method, **options))
        except SealError as error:
            raise error if len(images) == 1 else SealError(f"{error} (picture {i + 1} of {len(images)})") from None
        if progress:
            progress(i + 1, len(images))
    cut = torch.stack(cuts)
    return cut, cut[..., 3].clone()


def cut_picture(
    image: Tensor,
    mask: Tensor | None = None,
    method: str = "auto",
    *,
    mask_polarity: str = "auto",
    keep: str = "main",
    specks: float = 0.5,
    grow: int = 0,
    feather: float = 0.0,
    decontaminate: bool = True,
    attention: AttentionMask | None = None,
) -> Tensor:
    """The cut-out (H, W, 4), straight alpha, of one of `masks.pictures_and_masks`: (H, W, C) and (H, W) or None.

    method, mask_polarity, attention: as `masks.semantic_mask`. keep: one of KEEP. specks: percent of the largest part's
    area under which parts, and a fifth of that under which enclosed holes, are specks. grow: pixels (-64..64), feather:
    pixels (0..64). decontaminate: take the old ground's colour out of the edge. Transparent pixels are white, near the
    edge the subject's colour. Raises SealError for bad choices and where no subject is found.
    """
    if keep not in KEEP:
        raise SealError(f"keep: {keep!r} is not known; choose one of {', '.join(KEEP)}.")
    if not 0 <= specks <= 100:
        raise SealError(f"specks: {specks:g} is out of range; use 0 to 100 percent.")
    cut = _cut(image, mask, method, mask_polarity, attention, decontaminate)
    return torch.from_numpy(_shaped(cut, image, keep, specks, grow, feather))


def _cut(
    image: Tensor, mask: Tensor | None, method: str, polarity: str, attention: AttentionMask | None, decontaminate: bool
) -> np.ndarray:
    """One picture's colours and alpha (H, W, 4), before anything is dropped or reshaped."""
    own = image.shape[-1] == 4
    if own and mask is None and not bool((image[..., 3] > 1 / 255).any()):
        raise SealError("image: fully transparent, nothing to cut out; give a picture that shows something.")
    rgb = np.ascontiguousarray(rgb_and_alpha(image)[0])
    found, source = found_mask(image, mask, method, polarity, attention, with_die_cut_rim)
    colours, alpha = rgb, found.numpy()
    if source != "alpha":
        colours, alpha = _edged(rgb, alpha, source)
    elif own and mask is None:
        # A file's alpha and colours belong together, unless a node joined a composed picture and its mask.
        soft = ((alpha > 0.1) & (alpha < 0.9)).any()
        colours = rgb if not soft or is_straight(rgb, alpha) else decontaminated(rgb, alpha)
    elif is_hard(alpha):
        if not _hard_edged(rgb, alpha > 0.5):
            colours, alpha = _edged(rgb, alpha, source)
    elif not is_straight(rgb, alpha):
        colours = decontaminated(rgb, alpha)
    return np.dstack([rgb if colours is None or not decontaminate else colours, alpha])


def _edged(image: np.ndarray, mask: np.ndarray, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Colours and alpha of an edge, from a mask that says what the subject is and its outline to a few pixels.

    The colours on both sides tell a crisp edge's alpha best. A rim thinner than a pixel, as die-cut stickers have, is
    no mixture of those, nor is watercolour; there the edge network is believed.
    """
    drawn = source == "alpha"  # by somebody: pixels keep their side
    try:
        proposed, alpha = refine_edge(image, mask)
    except SealError:
        return sample_matte(image, mask, decided=source != "border")
    if drawn:
        alpha = np.where(mask > 0.5, np.maximum(alpha, 0.51), np.minimum(alpha, 0.49))
    if source != "learned":
        told = sample_matte(image, mask, decided=drawn)[1]
        doubt = _apart(told, alpha)
        if doubt < DOUBTED or (doubt < WRONG and unexplained_share(image, mask) < UNEXPLAINED):
            alpha = told
    return _clean(image, proposed, alpha), snapped(alpha)


def _apart(alpha: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of two opacities where either is soft."""
    soft = (alpha > 0.02) & (alpha < 0.98) | (other > 0.02) & (other < 0.98)
    return float(np.abs(alpha - other)[soft].mean()) if soft.any() else 0.0


def _clean(image: np.ndarray, proposed: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The picture's colours, with those of soft pixels and of such as the network would change much carried outwards
    from the nearest that are opaque and that it leaves as they are: styles that wash the ground into the subject do so
    beyond where it ends. What is too thin to have such pixels gets the proposed colours."""
    change = np.abs(proposed - image).max(2)
    pure = (ndimage.minimum_filter(alpha, 3) > 0.5) & (alpha > SOLID) & (change < PURE)
    if not pure.any():
        return proposed
    away, where = ndimage.distance_transform_edt(~pure, return_indices=True)
    far = away > max(MIN_CARRY, CARRY * max(alpha.shape))
    washed = (alpha <= SOLID) | (change >= WASHED)
    return np.where(washed[..., None], np.where(far[..., None], proposed, image[tuple(where)]), image)


def _hard_edged(image: np.ndarray, solid: np.ndarray) -> bool:
    """Whether the picture itself has no soft edge there (pixel art, the colours hidden beside a file's alpha):
    the pixels just outside are all of them the ground's."""
    outside = ndimage.distance_transform_edt(~solid)
    ring, beyond = (outside > 0) & (outside < 1.2), outside >= 2
    if not ring.any() or not beyond.any():
        return True
    off = np.abs(image[ring] - image[nearest(beyond)][ring]).max(1)
    return bool((off < 0.02).mean() > 0.98)


def _shaped(cut: np.ndarray, image: Tensor, keep: str, specks: float, grow: int, feather: float) -> np.ndarray:
    """The cut-out with only what is to be kept, its mask grown and feathered, and its hidden colours tidy."""
    colours, alpha = cut[..., :3], cut[..., 3]
    alpha = _without_specks(alpha, keep, specks / 100)
    if grow or feather:
        shown = alpha > 0
        soft = feather_mask(grow_mask(torch.from_numpy(alpha), grow), feather).numpy()
        if grow > 0:  # more of the picture is asked for: it comes as it is
            colours = rgb_and_alpha(image)[0].numpy()
        elif shown.any():
            colours = np.where(shown[..., None], colours, colours[nearest(shown)])
        alpha = soft
    if not (alpha > 0.5).any():
        raise SealError("grow: nothing of the subject is left; use a larger value.")
    return np.dstack([_bled(colours, alpha), alpha]).astype(np.float32)


def _without_specks(alpha: np.ndarray, keep: str, specks: float) -> np.ndarray:
    """Alpha (H, W) with the parts and holes dropped that `keep` and `specks` (a share) say; soft rims go along."""
    seen = alpha > FAINT
    labels, count = ndimage.label(seen, _BOX)
    if not count:
        return alpha
    areas = ndimage.sum_labels(alpha, labels, np.arange(count + 1))
    areas[0] = 0
    largest = int(areas.argmax())
    kept = areas >= max(specks * areas[largest], 1e-6)
    if keep != "all" and count > 1:
        kept = kept & (np.arange(count + 1) == largest) if keep == "largest" else kept & _belongs(labels, areas)
    kept[0] = False
    if not kept.all() and kept[1:].sum() < count:
        # Fainter pixels than FAINT go where the nearest part goes.
        alpha = np.where(kept[labels][nearest(seen)], alpha, 0)
    return _without_pinholes(alpha, 0.2 * specks * areas[largest])


def _belongs(labels: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """For each label, whether it is the largest part, is large itself, or lies close to the largest or to what does."""
    largest = int(areas.argmax())
    reach = CLOSE * max(labels.shape) / 2
    groups, _ = ndimage.label(ndimage.distance_transform_edt(labels == 0) <= reach, _BOX)
    group = np.zeros(len(areas), int)
    group[labels.ravel()] = groups.ravel()  # a part lies in one group as a whole
    return (areas >= LARGE * areas[largest]) | (group == group[largest])


def _without_pinholes(alpha: np.ndarray, area: float) -> np.ndarray:
    """Alpha with enclosed clear places of less than so many pixels filled."""
    labels, count = ndimage.label(alpha < 0.9)
    if not count or area < 1:
        return alpha
    sizes = ndimage.sum_labels(1 - alpha, labels, np.arange(count + 1))
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    filled = sizes < area
    filled[rim] = False
    filled[0] = False
    return np.where(filled[labels], 1, alpha).astype(np.float32)


def _bled(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours whose transparent pixels are the nearest subject's close to the edge, and white elsewhere."""
    clear = alpha <= 0
    if not clear.any() or clear.all():
        return colours
    away, where = ndimage.distance_transform_edt(clear, return_indices=True)
    carried = np.where((away <= BLEED)[..., None], colours[tuple(where)], 1)
    return np.where(clear[..., None], carried, colours)
