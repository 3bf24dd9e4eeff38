"""A style picture in the content's colours, so that only its manner of drawing carries over.

Linear colour transfer between what is matched: mean and covariance of the content's colours onto the style's (the
Monge-Kantorovich map, Pitie and Kokaram 2007; preserving colour in style transfer: 1606.05897). By region: ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from torch import Tensor

from .matching import Pairs
from .regions import Regions

FLOOR = 0.01
"""Added to the variances, in squared colour units of 0..1: what varies little is texture, and must not be amplified."""


def in_own_colours(pairs: Pairs, encode: Callable[[Tensor], Tensor]) -> Pairs:
    """The pairs with each style picture's used regions in the colours of the regions that take their look from them.

    encode: latents (1, 4, h, w) of an image (1, H, W, 3).
    """
    styles = []
    for i, style in enumerate(pairs.styles):
        image = _recoloured(style, i, pairs)
        styles.append(replace(style, image=image, latents=encode(image[None])))
    return replace(pairs, styles=tuple(styles))


def _recoloured(style: Regions, number: int, pairs: Pairs) -> Tensor:
    image = style.image.clone()
    shown, own = style.at_pixels(), pairs.content.at_pixels()
    for source in {p.source for p in pairs.pairs if p.style == number}:
        takers = [p.region for p in pairs.pairs if p.style == number and p.source == source]
        wanted = pairs.content.image[torch.isin(own, torch.tensor(takers))].double().numpy()
        where = shown == source
        there = image[where].double().numpy()
        if len(wanted) > 1 and len(there) > 1:
            image[where] = torch.from_numpy(transferred(there, wanted)).to(image).clamp(0, 1)
    return image


def transferred(colours: NDArray[np.floating], wanted: NDArray[np.floating]) -> NDArray[np.floating]:
    """Colours (n, 3) moved linearly so that they have the mean and covariance of `wanted` (m, 3)."""
    a, b = (np.cov(c.T) + FLOOR * np.eye(3) for c in (colours, wanted))
    half = np.real(sqrtm(a))
    inverse = np.linalg.inv(half)
    move = inverse @ np.real(sqrtm(half @ b @ half)) @ inverse
    return (colours - colours.mean(axis=0)) @ move + wanted.mean(axis=0)
