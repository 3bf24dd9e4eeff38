"""A drop shadow as what it is: the silhouette itself, shifted, blurred and laid dark on the ground (ours)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .masks_colour import oklab, steps

FIT_SIDE = 96
"""Longest side on which the shadow's four numbers are fitted."""


Holes = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
_BOX = np.ones((3, 3), bool)
LOOSE, TIGHT = 0.05, 0.02  # OKLab distances: may be the shaded ground where no edge is; is it, edge or not
PASSES = (0.03, 0.02, 0.012)  # what an enclosed place may be off, pass by pass, as the shadow is found better


@dataclass(frozen=True)
class DropShadow:
    """Shift (dy, dx), blur (standard deviation) and strength of a drop shadow; lengths in shares of the long side."""

    dy: float
    dx: float
    sigma: float
    strength: float

    def opacity(self, front: np.ndarray) -> np.ndarray:
        """How dark the shadow of a foreground (H, W) lies on each pixel, 0..strength, (H, W) float32."""
        side = max(front.shape)
        return self.strength * _cast(front.astype(np.float32), self.dy * side, self.dx * side, self.sigma * side)


def _cast(front: np.ndarray, dy: float, dx: float, sigma: float) -> np.ndarray:
    return ndimage.shift(ndimage.gaussian_filter(front, sigma, mode="nearest"), (dy, dx), order=1, mode="nearest")


def fit(opacity: np.ndarray, usable: np.ndarray, front: np.ndarray, start: DropShadow | None = None) -> DropShadow:
    """The drop shadow of `front` that explains the darkness seen around it.

    opacity: (H, W), 1 - the share of the ground's own light. usable: (H, W) weight of each pixel, 0 where it
    tells nothing. front: (H, W) in [0, 1]. Gauss-Newton on the four numbers with Geman-McClure weights.
    """
    step = max(1, round(max(front.shape) / FIT_SIDE))
    if step > 1:  # averages over blocks; a rest at the right and the lower end is left out
        weight = _blocks(usable, step)
        opacity = _blocks(opacity * usable, step) / np.maximum(weight, 1e-6)
        front, usable = _blocks(front, step), weight
    side = max(front.shape)
    best, least = DropShadow(0, 0, 0.03, 0.0), np.inf
    starts = [start] if start else [DropShadow(y, x, 0.03, 0.4) for y in (-0.04, 0.04) for x in (-0.04, 0.04)]
    for s in starts:
        p = np.array([s.dy * side, s.dx * side, s.sigma * side, s.strength])
        for scale in (0.2, 0.12, 0.08, 0.05, 0.03, 0.03) if not start else (0.05, 0.03, 0.03):
            shade = _cast(front, *p[:3])
            gy, gx = np.gradient(shade)
            columns = np.stack([-p[3] * gy, -p[3] * gx, p[3] * p[2] * ndimage.laplace(shade), shade], -1)
            off = opacity - p[3] * shade
            weight = usable / (1 + (off / scale) ** 2) ** 2
            a = columns.reshape(-1, 4)
            w = a * weight.reshape(-1, 1)
            ridge = np.diag([1e-3, 1e-3, 1e-3, 1e-2])
            p = p + np.clip(np.linalg.solve(w.T @ a + ridge, w.T @ off.ravel()), -0.03 * side, 0.03 * side)
            p[:2] = np.clip(p[:2], -0.12 * side, 0.12 * side)
            p[2], p[3] = np.clip(p[2], 0.008 * side, 0.08 * side), np.clip(p[3], 0.0, 0.95)
        off = (opacity - p[3] * _cast(front, *p[:3])) / 0.03
        cost = float((usable * off**2 / (1 + off**2)).sum())
        if cost < least:
            best, least = DropShadow(p[0] / side, p[1] / side, p[2] / side, float(p[3])), cost
    return best


def _blocks(plane: np.ndarray, step: int) -> np.ndarray:
    height, width = (n // step * step for n in plane.shape)
    return plane[:height, :width].reshape(height // step, step, width // step, step).mean((1, 3)).astype(np.float32)


@dataclass
class Scene:
    """One image as the shadow sees it; all (H, W) but lab and base, which are (H, W, 3)."""

    lab: np.ndarray  # OKLab
    base: np.ndarray  # sRGB of the ground without shadow
    opacity: np.ndarray  # 1 - the share of the ground's own light
    hue: np.ndarray  # whether a pixel may be darkened ground
    step: np.ndarray  # colour step a pixel
    plain: np.ndarray  # OKLab distance from the ground without shadow
    ground: np.ndarray  # ground without shadow, connected to the frame


def refine(scene: Scene, darker: np.ndarray, holes: Holes) -> np.ndarray | None:
    """Ground with its shadow (H, W) bool from a first guess `darker` of what is shaded; None where what is dark
    beside the subject is not the silhouette's own shadow.

    Places that look enclosed are tried both as subject and as shaded ground: only the right silhouette casts
    the shadow that is seen. holes: (match, ground, distance) -> enclosed ground.
    """
    if darker.sum() < 0.002 * darker.size:
        return None
    known = scene.ground | darker
    misfit, found = _settle(scene, darker, ~known, holes)
    enclosed = scene.hue & (scene.step < 0.05) & ~known
    if enclosed.sum() > 0.02 * (~known).sum():
        opened = ndimage.binary_dilation(ndimage.binary_opening(enclosed, _BOX), _BOX)
        other = _settle(scene, darker, ~(known | opened), holes)
        if other[0] < 1.3 * misfit + 5e-4:  # what it left open has passed a test of its own
            found = other[1]
    return found


def _settle(scene: Scene, darker: np.ndarray, front: np.ndarray, holes: Holes) -> tuple[float, np.ndarray | None]:
    """Shadow and silhouette in turns: how far the shadow seen is from the one cast (OKLab), and the ground."""
    usable = scene.hue & (scene.step < 0.05)
    seen, shadow, found = darker & usable, None, None
    for allowed in PASSES:
        weight = usable * np.where(front, np.float32(0.1), np.float32(1))
        shadow = fit(scene.opacity, weight, front.astype(np.float32), shadow)
        shade = oklab(scene.base * (1 - shadow.opacity(front)[..., None]))
        off = np.linalg.norm(scene.lab - shade, axis=2)
        misfit = float(np.median(off[seen]))
        if shadow.strength < 0.05 or not misfit < TIGHT:
            return np.inf, None
        off = np.minimum(off, scene.plain)
        calm = scene.step < steps(shade, 0.7) + 0.02
        tight, loose = scene.hue & (off < TIGHT), scene.hue & (off < LOOSE)
        like = tight | loose & calm
        shaded = darker & ~(_parts(darker & calm, off) > LOOSE)
        more = _parts(like & ~scene.ground & ~shaded, off) < 0.5 * TIGHT
        found = ndimage.binary_propagation(scene.ground, mask=scene.ground | shaded | more)
        found |= ndimage.binary_dilation(found, _BOX) & loose
        closed = holes(np.where(like, off, np.inf), found, off)
        place = scene.hue & calm & ~found  # what edges enclose is the ground's or the subject's as a whole
        inside = (_parts(place, off) < allowed) & (_parts(place, ~loose, ndimage.mean) < 0.2)
        found |= closed | ndimage.binary_dilation(inside, _BOX) & loose
        front = ~found
    return misfit, found


def _parts(mask: np.ndarray, values: np.ndarray, of: Callable[..., np.ndarray] = ndimage.median) -> np.ndarray:
    """For each pixel of a mask the median (or another measure) of its connected part's values; NaN elsewhere."""
    labels, count = ndimage.label(mask)
    found = np.full(count + 1, np.nan)
    if count:
        found[1:] = of(values, labels, np.arange(1, count + 1))
    return found[labels]
