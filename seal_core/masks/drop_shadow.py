"""A drop shadow fitted as the subject's own silhouette, shifted, blurred and laid dark on the ground (ours)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .colour import oklab, steps

FIT_SIDE = 96
"""Approximate longest side at which a shadow's four numbers are fitted, in pixels."""

Holes = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(match, ground, distance), each (H, W) -> enclosed ground (H, W) bool."""

_BOX = np.ones((3, 3), bool)
LOOSE, TIGHT = 0.05, 0.02  # OKLab distances: shaded ground if there is no edge; shaded ground in any case
PASSES = (0.03, 0.02, 0.012)  # tolerance for enclosed places in each pass: it shrinks as the shadow's fit improves


@dataclass(frozen=True)
class DropShadow:
    """A drop shadow's shift (dy, dx), blur (standard deviation) and strength. Lengths are shares of the longer side."""

    dy: float
    dx: float
    sigma: float
    strength: float

    def opacity(self, front: np.ndarray) -> np.ndarray:
        """How dark the shadow of a foreground (H, W) is at each pixel, 0..strength, (H, W) float32."""
        side = max(front.shape)
        return self.strength * _cast(front.astype(np.float32), self.dy * side, self.dx * side, self.sigma * side)


def _cast(front: np.ndarray, dy: float, dx: float, sigma: float) -> np.ndarray:
    return ndimage.shift(ndimage.gaussian_filter(front, sigma, mode="nearest"), (dy, dx), order=1, mode="nearest")


def fit_shadow(
    opacity: np.ndarray, usable: np.ndarray, front: np.ndarray, start: DropShadow | None = None
) -> DropShadow:
    """The drop shadow of `front` that explains the darkness seen around it.

    opacity: (H, W), 1 minus the share of the ground's light. usable: (H, W) weight of each pixel, 0 where it says
    nothing. front: (H, W) in [0, 1]. Gauss-Newton on the four numbers with Geman-McClure weights, from four directions
    if no start is given.
    """
    step = max(1, round(max(front.shape) / FIT_SIDE))
    if step > 1:  # averages over blocks; the remainder at the right and bottom is dropped
        weight = _blocks(usable, step)
        opacity = _blocks(opacity * usable, step) / np.maximum(weight, 1e-6)
        front, usable = _blocks(front, step), weight
    side = max(front.shape)
    if start:
        p = np.array([start.dy * side, start.dx * side, start.sigma * side, start.strength])
    else:
        corners = [np.array([y * side, x * side, 0.03 * side, 0.4]) for y in (-0.04, 0.04) for x in (-0.04, 0.04)]
        tried = [_descend(opacity, usable, front, p, (0.2, 0.12, 0.08)) for p in corners]
        p = min(tried, key=lambda q: _cost(opacity, usable, front, q))
    p = _descend(opacity, usable, front, p, (0.05, 0.03, 0.03))
    return DropShadow(p[0] / side, p[1] / side, p[2] / side, float(p[3]))


def _descend(
    opacity: np.ndarray, usable: np.ndarray, front: np.ndarray, p: np.ndarray, scales: tuple[float, ...]
) -> np.ndarray:
    """Gauss-Newton steps on p = (dy, dx, sigma in pixels, strength), one per scale of the weights."""
    side = max(front.shape)
    for scale in scales:
        shade = _cast(front, *p[:3])
        gy, gx = np.gradient(shade)
        slopes = np.stack([-p[3] * gy, -p[3] * gx, p[3] * p[2] * ndimage.laplace(shade), shade], -1).reshape(-1, 4)
        off = opacity - p[3] * shade
        weighted = slopes * (usable / (1 + (off / scale) ** 2) ** 2).reshape(-1, 1)
        change = np.linalg.solve(weighted.T @ slopes + np.diag([1e-3, 1e-3, 1e-3, 1e-2]), weighted.T @ off.ravel())
        p = p + np.clip(change, -0.03 * side, 0.03 * side)
        limit = 0.12 * side
        p = np.clip(p, [-limit, -limit, 0.008 * side, 0.0], [limit, limit, 0.08 * side, 0.95])
    return p


def _cost(opacity: np.ndarray, usable: np.ndarray, front: np.ndarray, p: np.ndarray) -> float:
    off = ((opacity - p[3] * _cast(front, *p[:3])) / 0.05) ** 2
    return float((usable * off / (1 + off)).sum())


def _blocks(plane: np.ndarray, step: int) -> np.ndarray:
    height, width = (n // step * step for n in plane.shape)
    return plane[:height, :width].reshape(height // step, step, width // step, step).mean((1, 3)).astype(np.float32)


@dataclass
class ShadowScene:
    """What a shadow is fitted to. All (H, W), except lab and base, which are (H, W, 3)."""

    lab: np.ndarray  # OKLab
    base: np.ndarray  # sRGB of the ground without shadow
    opacity: np.ndarray  # 1 minus the share of the ground's light
    hue: np.ndarray  # whether a pixel may be darkened ground
    step: np.ndarray  # colour change per pixel
    plain: np.ndarray  # OKLab distance from the ground without shadow
    ground: np.ndarray  # ground without shadow, connected to the frame


def shadowed_ground(scene: ShadowScene, darker: np.ndarray, holes: Holes) -> np.ndarray | None:
    """The ground with its shadow (H, W) bool, from a first guess `darker` (H, W) of what is shaded.

    None if the dark pixels beside the subject are not its silhouette's shadow. Enclosed places are tried both as
    subject and as shaded ground: only the right silhouette casts the shadow that is seen.
    """
    if darker.sum() < 0.002 * darker.size:
        return None
    known = scene.ground | darker
    misfit, found = _settle(scene, darker, ~known, holes)
    enclosed = scene.hue & (scene.step < 0.05) & ~known
    if enclosed.sum() > 0.02 * (~known).sum():
        opened = ndimage.binary_dilation(ndimage.binary_opening(enclosed, _BOX), _BOX)
        other = _settle(scene, darker, ~(known | opened), holes)
        if other[0] < 1.3 * misfit + 5e-4:  # a bit worse is fine: each opened place also had to match by itself
            found = other[1]
    return found


def _settle(scene: ShadowScene, darker: np.ndarray, front: np.ndarray, holes: Holes) -> tuple[float, np.ndarray | None]:
    """Fits shadow and silhouette in turns. Returns the median misfit (OKLab) of the shadow seen, and the ground."""
    usable = scene.hue & (scene.step < 0.05)
    seen, shadow, found = darker & usable, None, None
    for allowed in PASSES:
        weight = usable * np.where(front, np.float32(0.1), np.float32(1))
        shadow = fit_shadow(scene.opacity, weight, front.astype(np.float32), shadow)
        shade = oklab(scene.base * (1 - shadow.opacity(front)[..., None]))
        off = np.linalg.norm(scene.lab - shade, axis=2)
        misfit = float(np.median(off[seen])) if seen.any() else np.inf
        if shadow.strength < 0.05 or not misfit < TIGHT:
            return np.inf, None
        off = np.minimum(off, scene.plain)
        calm = scene.step < steps(shade, 0.7) + 0.02
        tight, loose = scene.hue & (off < TIGHT), scene.hue & (off < LOOSE)
        like = tight | loose & calm
        shaded = darker & ~_most(darker & calm, off > LOOSE)
        more = _most(like & ~scene.ground & ~shaded, off < 0.5 * TIGHT)
        found = ndimage.binary_propagation(scene.ground, mask=scene.ground | shaded | more)
        found |= ndimage.binary_dilation(found, _BOX) & loose
        closed = holes(np.where(like, off, np.inf), found, off)
        place = scene.hue & calm & ~found  # a place within edges is ground or subject as a whole
        inside = _most(_most(place, off < allowed), loose, 0.8)
        found |= closed | ndimage.binary_dilation(inside, _BOX) & loose
        front = ~found
    return misfit, found


def _most(mask: np.ndarray, true: np.ndarray, share: float = 0.5) -> np.ndarray:
    """The connected parts of a mask in which `true` holds for more than a share of the pixels."""
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    chosen = np.bincount(labels[true], minlength=count + 1) > share * sizes
    chosen[0] = False
    return chosen[labels]
