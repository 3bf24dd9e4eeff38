"""A picture cut into regions that look alike to the model (StyleGallery, 2603.10354, stage 1).

k-means on the principal components of the features, k by silhouette; clusters of nearly the same colour are merged,
small pieces go to their neighbours. Published: thresholds and order. Ours: the latents stand beside the features (on 12
StickerWorld pictures the agreement with the true regions is .50 in place of .35); subject and ground are cut apart,
each by itself, where a mask is given; and a grid that follows the picture's shape. Left out: depth, which needs another
model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.cluster.vq import kmeans2
from scipy.spatial.distance import cdist
from torch import Tensor
from torch.nn import functional as F

from ..messages import SealError
from ..pictures.inputs import resize_mask

LARGEST_GRID = 64
"""Places along the longer side in which regions are looked for: the latents' own at 512 px."""
MOST_REGIONS = 10
COMPONENTS = 60
RESTARTS = 10
SAME_COLOUR = 0.85
"""Clusters whose mean latents (4 numbers) lie nearer than this are one region."""
SMALLEST_PIECE = 20 / 4096
"""A connected piece below this share of the picture goes to its neighbours."""
JUDGED_PLACES = 800
"""Places, at most, on which silhouettes are computed."""


@dataclass(frozen=True, eq=False)
class Regions:
    """One picture in regions.

    latents (1, 4, H, W), as the U-Net takes them. features (C, h, w). labels (r, c): the region 0 .. count - 1 of each
    place, the subject's first, each part by size. inside (count,): whether a region is the subject's; None without a
    mask. image (H, W, 3) in [0, 1]: the picture itself, for previews.
    """

    image: Tensor
    latents: Tensor
    features: Tensor
    labels: NDArray[np.int64]
    inside: tuple[bool, ...] | None = None

    @property
    def count(self) -> int:
        return int(self.labels.max()) + 1

    def at(self, height: int, width: int) -> Tensor:
        """Labels of the places of a map of height x width, (height * width,) int64."""
        grid = torch.from_numpy(self.labels)[None, None].float()
        return F.interpolate(grid, (height, width), mode="nearest-exact")[0, 0].long().flatten()

    def at_pixels(self) -> Tensor:
        """Labels of the picture's pixels, (H, W) int64."""
        height, width = self.image.shape[:2]
        return self.at(height, width).unflatten(0, (height, width))

    def grid_features(self) -> NDArray[np.float32]:
        """Features of each place of `labels`, (r * c, C), standardised over the picture channel by channel."""
        fine = F.interpolate(self.features[None], self.labels.shape, mode="bilinear", align_corners=False)[0]
        return _standardised(fine.flatten(1).T.numpy())


def find_regions(
    image: Tensor,
    latents: Tensor,
    features: Tensor,
    mask: Tensor | None = None,
    *,
    most: int = MOST_REGIONS,
    seed: int = 0,
) -> Regions:
    """The regions of a picture; the same for the same seed.

    image (H, W, 3); latents (1, 4, h, w); features (C, h', w'). mask (H, W): subject = 1; regions end at its edge.
    most: regions of the picture, or with a mask of each side, 1 to 30. Raises SealError for a mask without a subject.
    """
    if not 1 <= most <= 30:
        raise SealError(f"regions: {most} is out of range; use 1 to 30.")
    shrink = max(1.0, max(latents.shape[-2:]) / LARGEST_GRID)
    size = tuple(max(1, round(side / shrink)) for side in latents.shape[-2:])
    fine = F.interpolate(features[None], size, mode="bilinear", align_corners=False)[0]
    colours = F.interpolate(latents.float().cpu(), size, mode="area")[0].flatten(1).T.numpy()
    looks = principal_components(_standardised(fine.flatten(1).T.numpy()), COMPONENTS)
    points = np.concatenate([_of_one_spread(looks), _of_one_spread(_standardised(colours))], axis=1)
    within = None if mask is None else _within(mask, size)
    sides = [np.ones(size, bool)] if within is None else [side for side in (within, ~within) if side.any()]
    found = np.zeros(size, np.int64)
    for side in sides:
        at = side.ravel()
        found[side] = found.max() + 1 + _merged(_clustered(points[at], most, seed), colours[at])
    labels, inside = _ordered(_absorbed(found, within), within)
    return Regions(image.float().cpu(), latents, features.float().cpu(), labels, inside)


def principal_components(points: NDArray[np.floating], most: int) -> NDArray[np.float32]:
    """Coordinates (n, q) of points (n, C) along their first q = min(most, C, n) principal axes."""
    centred = points - points.mean(axis=0)
    left, strength, _ = np.linalg.svd(centred, full_matrices=False)
    return (left[:, :most] * strength[:most]).astype(np.float32)


def _of_one_spread(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Points (n, q) about the origin, scaled to a mean squared length of 1: features and colours then weigh alike."""
    return points / max(float(np.sqrt((points**2).sum(axis=1).mean())), 1e-6)


def _standardised(points: NDArray[np.floating]) -> NDArray[np.float32]:
    return ((points - points.mean(axis=0)) / (points.std(axis=0) + 1e-6)).astype(np.float32)


def _clustered(points: NDArray[np.float32], most: int, seed: int) -> NDArray[np.int64]:
    """The cluster of each point, for the k from 2 to `most` whose clusters lie apart best."""
    best, labels = -1.0, np.zeros(len(points), np.int64)
    if float(points.std()) < 1e-6:
        return labels  # one colour everywhere
    judged = np.random.default_rng(seed).permutation(len(points))[:JUDGED_PLACES]
    apart = cdist(points[judged], points[judged])
    for k in range(2, min(most, len(points) - 1) + 1):
        found = min((_k_means(points, k, [seed, k, run]) for run in range(RESTARTS)), key=lambda f: f[0])[1]
        score = silhouette(apart, found[judged])
        if score > best:
            best, labels = score, found
    return labels


def _k_means(points: NDArray[np.float32], k: int, seed: list[int]) -> tuple[float, NDArray[np.int64]]:
    centres, found = kmeans2(points, k, minit="++", rng=np.random.default_rng(seed), missing="warn")
    return float(((points - centres[found]) ** 2).sum()), found.astype(np.int64)


def silhouette(distances: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Mean silhouette, -1 to 1, of n points with these distances (n, n); a point alone in its cluster counts 0."""
    names, index = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        return -1.0
    member = np.eye(len(names))[index]
    sizes = member.sum(axis=0)
    sums = distances @ member
    own = sums[np.arange(len(index)), index] / np.maximum(sizes[index] - 1, 1)
    other = np.where(member > 0, np.inf, sums / sizes).min(axis=1)
    score = (other - own) / np.maximum(np.maximum(own, other), 1e-12)
    return float(np.where(sizes[index] > 1, score, 0.0).mean())


def _merged(labels: NDArray[np.int64], colours: NDArray[np.floating]) -> NDArray[np.int64]:
    """Join the two clusters nearest in colour, again and again, until all lie apart."""
    labels = labels.copy()
    while True:
        names = np.unique(labels)
        means = np.stack([colours[labels == n].mean(axis=0) for n in names])
        gaps = cdist(means, means) + np.where(np.eye(len(names), dtype=bool), np.inf, 0)
        a, b = np.unravel_index(int(gaps.argmin()), gaps.shape)
        if len(names) < 2 or gaps[a, b] >= SAME_COLOUR:
            return labels
        labels[labels == names[b]] = names[a]


def _within(mask: Tensor, size: tuple[int, ...]) -> NDArray[np.bool_]:
    found = (resize_mask(mask, *size) > 0.5).numpy()
    if not found.any():
        raise SealError("mask: it marks no subject; wire SEAL Semantic Mask's (subject = 1), or none.")
    return found


def _absorbed(labels: NDArray[np.int64], within: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """Small connected pieces take the label that most of their neighbours have, on their side of the mask's edge."""
    labels = labels.copy()
    smallest = max(2, round(SMALLEST_PIECE * labels.size))
    for _ in range(labels.size):
        pieces = [
            (int(sizes[i]), marked == i)
            for name in np.unique(labels)
            for marked, count in [ndimage.label(labels == name)]
            for sizes in [np.bincount(marked.ravel())]
            for i in range(1, count + 1)
            if sizes[i] < smallest
        ]
        for _, piece in sorted(pieces, key=lambda p: p[0]):
            around = ndimage.binary_dilation(piece) & ~piece
            if within is not None:
                around &= within == within[piece][0]
            votes = np.bincount(labels[around]) if around.any() else np.zeros(0)
            if votes.sum():
                labels[piece] = votes.argmax()
                break
        else:
            return labels
    return labels


def _ordered(
    labels: NDArray[np.int64], within: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], tuple[bool, ...] | None]:
    """Regions numbered from 0: the subject's before the others, large ones first."""
    names, sizes = np.unique(labels, return_counts=True)
    inside = {n: within is not None and bool(within[labels == n].mean() > 0.5) for n in names}
    order = sorted(zip(names, sizes), key=lambda one: (not inside[one[0]], -one[1], one[0]))
    number = {name: i for i, (name, _) in enumerate(order)}
    told = None if within is None else tuple(inside[name] for name, _ in order)
    return np.vectorize(number.__getitem__, otypes=[np.int64])(labels), told
