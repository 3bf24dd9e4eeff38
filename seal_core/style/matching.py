"""Which region of the style pictures each region of the content takes its look from (StyleGallery, stage 2).

Similarity = cosine of the regions' mean features + small shares of the features' statistics and of their place. The
published version takes the first from DINOv2; by default it comes from the diffusion model's own features on joint
principal components, which needs no other model (ours). The subject takes from the subject, the ground from the ground,
where both are known (ours).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..messages import SealError
from .regions import COMPONENTS, Regions, principal_components

STATISTICS, PLACE = 0.25, 0.125
"""Weights beside the mean features' 1."""

MOST_STYLES = 8
"""Style pictures in all: their places meet in one attention, whose memory grows with them."""

OwnFeatures = Sequence[NDArray[np.floating]]
"""For the content and each style picture: features (r * c, D) of its grid's places, from another model."""


@dataclass(frozen=True)
class Pair:
    """A region of the content and its source. style: index of the style picture, or None: it keeps its own look.

    similarity: of the two, at most 1 + STATISTICS + PLACE; NaN where the user chose.
    """

    region: int
    style: int | None
    source: int = 0
    similarity: float = float("nan")

    def __str__(self) -> str:
        source = "none" if self.style is None else f"style {self.style + 1} region {self.source + 1}"
        return f"{self.region + 1} <- {source}"


@dataclass(frozen=True)
class Pairs:
    """A content picture, its style pictures, and a pair for each region of the content, in order."""

    content: Regions
    styles: tuple[Regions, ...]
    pairs: tuple[Pair, ...]

    def __str__(self) -> str:
        return "; ".join(map(str, self.pairs))


def require_few_styles(name: str, count: int, what: str) -> None:
    """Raise SealError, naming the input and what there are too many of, for more than MOST_STYLES."""
    if count > MOST_STYLES:
        raise SealError(f"{name}: {count} {what} are too many; use at most {MOST_STYLES}.")


def match(content: Regions, styles: Sequence[Regions], override: str = "", own: OwnFeatures | None = None) -> Pairs:
    """Each region of the content takes its best source in all style pictures.

    override: "2 <- style 1 region 3; 4 <- none" for regions that the user chooses; numbers from 1. own: features of
    another model (e.g. DINOv2's patches) in place of the diffusion model's. Raises SealError for an override that
    names no region, and where there is no style.
    """
    if not styles:
        raise SealError("styles: there is none; wire the regions of at least one style picture.")
    chosen = _overrides(override, content, styles)
    scores = [_scores(content, style, own and (own[0], own[1 + i])) for i, style in enumerate(styles)]
    pairs = []
    for region in range(content.count):
        if region in chosen:
            pairs.append(chosen[region])
            continue
        best = [(float(s[region].max()), -i, int(s[region].argmax())) for i, s in enumerate(scores)]
        similarity, style, source = max(best)
        pairs.append(Pair(region, -style, source, round(similarity, 4)))
    return Pairs(content, tuple(styles), tuple(pairs))


def _scores(content: Regions, style: Regions, own: Sequence[NDArray[np.floating]] | None) -> NDArray[np.floating]:
    """Similarity (content regions, style regions); -inf between subject and ground."""
    parts = content, style
    points = [p.grid_features() for p in parts]
    told = list(own) if own else _joint(points)
    means, statistics, circles = [], [], []
    for part, of_model, point in zip(parts, told, points):
        flat = part.labels.ravel()
        rows = [flat == i for i in range(part.count)]
        means.append(np.stack([of_model[row].mean(axis=0) for row in rows]))
        statistics.append(np.stack([np.r_[point[row].mean(axis=0), point[row].std(axis=0)] for row in rows]))
        circles.append([_circle(part.labels == i) for i in range(part.count)])
    overlap = np.array([[_circle_overlap(a, b) for b in circles[1]] for a in circles[0]])
    score = _cosine(*means) + STATISTICS * _cosine(*statistics) + PLACE * overlap
    if content.inside and style.inside:
        apart = np.not_equal.outer(content.inside, style.inside)
        # A style picture that is all subject (or all ground) has nothing else to offer.
        score = np.where(apart & ~apart.all(axis=1, keepdims=True), -np.inf, score)
    return score


def _joint(points: Sequence[NDArray[np.floating]]) -> list[NDArray[np.floating]]:
    together = principal_components(np.concatenate(points), COMPONENTS)
    return np.split(together, [len(points[0])])


def _cosine(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    a, b = (m / np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-9) for m in (a, b))
    return a @ b.T


def _circle(region: NDArray[np.bool_]) -> tuple[float, float, float]:
    """(row, column, radius) about a region's centre, in shares of the picture's sides."""
    rows, columns = (axis / side for axis, side in zip(np.nonzero(region), region.shape))
    y, x = rows.mean(), columns.mean()
    return y, x, float(np.hypot(rows - y, columns - x).max()) + 0.5 / max(region.shape)


def _circle_overlap(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    """Intersection over union of two circles."""
    gap, r, s = float(np.hypot(a[0] - b[0], a[1] - b[1])), a[2], b[2]
    if gap >= r + s:
        return 0.0
    if gap <= abs(r - s):
        shared = np.pi * min(r, s) ** 2
    else:
        cut_r = np.arccos((gap**2 + r**2 - s**2) / (2 * gap * r))
        cut_s = np.arccos((gap**2 + s**2 - r**2) / (2 * gap * s))
        kite = np.sqrt((r + s - gap) * (gap + r - s) * (gap - r + s) * (gap + r + s)) / 2
        shared = r**2 * cut_r + s**2 * cut_s - kite
    return float(shared / (np.pi * (r**2 + s**2) - shared))


_LINE = re.compile(r"(\d{1,4})\s*<-\s*(?:(none)|style\s+(\d{1,4})\s+region\s+(\d{1,4}))", re.IGNORECASE)


def _overrides(text: str, content: Regions, styles: Sequence[Regions]) -> Mapping[int, Pair]:
    chosen: dict[int, Pair] = {}
    for line in filter(None, (part.strip() for part in re.split(r"[;\n]", text))):
        said = _LINE.fullmatch(line)
        if not said:
            raise SealError(f'override: {line!r} is not understood; write "2 <- style 1 region 3" or "4 <- none".')
        region, style, source = (int(n or 1) - 1 for n in (said[1], said[3], said[4]))
        _require("override", region, content.count, f"the content has {content.count} regions")
        if said[2]:
            chosen[region] = Pair(region, None)
            continue
        _require("override", style, len(styles), f"there are {len(styles)} style pictures")
        _require("override", source, styles[style].count, f"style {style + 1} has {styles[style].count} regions")
        chosen[region] = Pair(region, style, source)
    return chosen


def _require(name: str, number: int, count: int, have: str) -> None:
    if not 0 <= number < count:
        raise SealError(f"{name}: {number + 1} names none; {have}, numbered from 1.")
