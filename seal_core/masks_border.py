"""Foreground of a sticker by colour alone: a flood from the frame inwards (ours).

1. The ground is learned from the frame as a few smooth colour fields (one for plain grounds and
   gradients, several for stripes, checks, dots), fitted robustly in OKLab.
2. Pixels that a field explains are ground-like; where the ground is one smooth field, so are
   smooth darkenings of it (drop shadows) and slow drifts from it.
3. Ground-like pixels connected to the frame are ground; so are enclosed ones (a mug's handle) that
   match closely and end in a sharp edge.
4. At the outline alpha is un-mixed from the colours on both sides, at full resolution.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

WORKING_SIDE = 512
"""Longest side on which the flood runs; larger images are un-mixed at full resolution afterwards."""

NEAR = 0.035  # OKLab distance that still counts as the same colour (about 2 just-noticeable differences)
_CROSS = ndimage.generate_binary_structure(2, 1)
_BOX = np.ones((3, 3), bool)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """OKLab (Ottosson 2020) of sRGB values (..., 3) in [0, 1]; L in [0, 1], a and b about +-0.4."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0) + 0.055) / 1.055) ** 2.4)
    lms = np.cbrt(linear @ _TO_LMS)
    return (lms @ _TO_LAB).astype(np.float32)


_TO_LMS = np.array(
    [[0.4122214708, 0.2119034982, 0.0883024619], [0.5363325363, 0.6806995451, 0.2817188376],
     [0.0514459929, 0.1073969566, 0.6299787005]], np.float32
)  # fmt: skip
_TO_LAB = np.array(
    [[0.2104542553, 1.9779984951, 0.0259040371], [0.7936177850, -2.4285922050, 0.7827717662],
     [-0.0040720468, 0.4505937099, -0.8086757660]], np.float32
)  # fmt: skip


def flood(image: np.ndarray) -> np.ndarray:
    """Soft foreground mask (H, W) float32 in [0, 1] of an image (H, W, 3) in [0, 1].

    All zero where nothing differs from the ground, e.g. for a constant image.
    """
    height, width = image.shape[:2]
    if min(height, width) < 3:
        return np.zeros((height, width), np.float32)
    shrink = max(1.0, max(height, width) / WORKING_SIDE)
    size = (max(3, round(height / shrink)), max(3, round(width / shrink)))
    small = image if size == (height, width) else resize(image, *size)
    ground = _Ground(small)
    foreground = ground.foreground()
    if not foreground.any() or foreground.all():
        return foreground.astype(np.float32).repeat(1) if size == (height, width) else np.full(
            (height, width), float(foreground.all()), np.float32
        )
    return _unmix(image, small, foreground)


def resize(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) or (H, W, C) float32 resized: averaged over areas when smaller, bilinear when larger."""
    import torch
    from torch.nn.functional import interpolate

    data = torch.from_numpy(np.ascontiguousarray(array, np.float32))
    data = data[None, None] if data.ndim == 2 else data.permute(2, 0, 1)[None]
    smaller = height <= data.shape[2] and width <= data.shape[3]
    out = interpolate(data, (height, width), mode="area") if smaller else interpolate(
        data, (height, width), mode="bilinear", antialias=True
    )
    return (out[0, 0] if array.ndim == 2 else out[0].permute(1, 2, 0)).numpy()


class _Ground:
    """What the frame tells of the ground, for one image at working size."""

    def __init__(self, rgb: np.ndarray) -> None:
        self.shape = rgb.shape[:2]
        self.noise = _noise(oklab(rgb))
        self.tolerance = NEAR + 1.5 * self.noise
        if self.noise > 0.008:  # grain: an edge-keeping filter first, stronger where there is more of it
            size = 3 if self.noise < 0.03 else 5
            rgb = np.stack([ndimage.median_filter(rgb[..., c], size) for c in range(3)], -1)
        self.rgb, self.lab = rgb, oklab(rgb)
        self.basis = _polynomials(*self.shape, order=2)
        band = max(1, round(min(self.shape) * 0.02))
        self.frame = np.ones(self.shape, bool)
        self.frame[band:-band, band:-band] = False
        self.fields = self._fit()

    def _fit(self) -> list[np.ndarray]:
        """Colour fields, each (H, W, 3) in OKLab, that together explain the frame."""
        colours, basis = self.lab[self.frame], self.basis[self.frame]
        left = np.ones(len(colours), bool)
        fields: list[np.ndarray] = []
        while left.mean() > 0.02 and len(fields) < 6:
            here, inside = colours[left], None
            for terms in (6, 3, 1):  # the fullest model that is well determined by what it explains
                for start in (None, _mode(here)):
                    weights = _robust_fit(basis[left][:, :terms], here, start, self.tolerance)
                    close = np.linalg.norm(basis[:, :terms] @ weights - colours, axis=1) < self.tolerance
                    gain = (close & left).sum()
                    if inside is None or gain > 1.1 * (inside & left).sum():
                        inside, best, count = close, weights, terms
            if (inside & left).mean() < 0.02 or not self._all_round(inside):
                left &= ~inside
                if not (inside.any()):
                    break
                continue
            fields.append((self.basis[..., :count] @ best).astype(np.float32))
            left &= ~inside
        return fields or [np.broadcast_to(np.median(colours, 0), (*self.shape, 3)).astype(np.float32)]

    def _all_round(self, inside: np.ndarray) -> bool:
        """Whether frame pixels lie on at least two sides apart: a subject cut by the frame does not count."""
        where = np.zeros(self.shape, bool)
        where[self.frame] = inside
        if inside.mean() > 0.3:
            return True
        sides = [where[0].any(), where[-1].any(), where[:, 0].any(), where[:, -1].any()]
        return sum(sides) >= 3

    def foreground(self) -> np.ndarray:
        """(H, W) bool."""
        distance = np.min([np.linalg.norm(self.lab - f, axis=2) for f in self.fields], 0)
        like = distance < self.tolerance
        if len(self.fields) > 1:
            like |= self._between()
        step = np.sqrt(sum(ndimage.gaussian_gradient_magnitude(self.lab[..., c], 0.7) ** 2 for c in range(3)))
        joined = like.copy()
        if len(self.fields) == 1:
            joined |= self._drift(distance, step)
        seeds = np.zeros(self.shape, bool)
        seeds[0], seeds[-1], seeds[:, 0], seeds[:, -1] = True, True, True, True
        ground = ndimage.binary_propagation(seeds & joined, mask=joined)
        ground |= self._holes(like | joined, ground, distance)
        return self._tidy(~ground)

    def _drift(self, distance: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Pixels of slow drifts and of soft shadows of the one field, without the sharp edges between them."""
        slow = (distance < 0.2) & (step < 0.012)
        base = _from_oklab(self.fields[0])
        share = (self.rgb * base).sum(2) / np.maximum((base * base).sum(2), 1e-4)
        off = np.linalg.norm(self.lab - oklab(np.clip(share, 0, 1)[..., None] * base), axis=2)
        shadow = (share > 0.3) & (share < 1.02) & (off < 0.8 * self.tolerance) & (step < 0.05)
        return ndimage.binary_opening(slow | shadow | (distance < self.tolerance), _BOX)

    def _between(self) -> np.ndarray:
        """Antialiased pixels between two fields: on the line between their colours, with both close by."""
        near = [np.linalg.norm(self.lab - f, axis=2) < self.tolerance for f in self.fields]
        around = [ndimage.binary_dilation(n, _BOX, iterations=2) for n in near]
        out = np.zeros(self.shape, bool)
        for i, a in enumerate(self.fields):
            for j in range(i):
                line = self.fields[j] - a
                share = ((self.lab - a) * line).sum(2) / np.maximum((line * line).sum(2), 1e-6)
                off = np.linalg.norm(self.lab - a - np.clip(share, 0, 1)[..., None] * line, axis=2)
                out |= (off < self.tolerance) & around[i] & around[j]
        return out

    def _holes(self, like: np.ndarray, ground: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Enclosed ground: close to the ground's colour inside, clearly another colour just outside."""
        labels, count = ndimage.label(like & ~ground)
        out = np.zeros(self.shape, bool)
        least = max(6, 1e-4 * ground.size)
        for i, box in enumerate(ndimage.find_objects(labels), 1):
            box = tuple(slice(max(0, s.start - 4), s.stop + 4) for s in box)
            hole = labels[box] == i
            if hole.sum() < least:
                continue
            ring = ndimage.binary_dilation(hole, _BOX, iterations=3) & ~ndimage.binary_dilation(hole, _BOX, iterations=2)
            ring &= ~ground[box]
            core = ndimage.binary_erosion(hole, _CROSS)
            inside = np.median(distance[box][core if core.any() else hole])
            if inside < 0.5 * self.tolerance and ring.any() and np.mean(distance[box][ring] > 1.5 * self.tolerance) > 0.7:
                out[box] |= hole
        return out

    def _tidy(self, foreground: np.ndarray) -> np.ndarray:
        """Drop specks: parts that are tiny next to the largest."""
        labels, count = ndimage.label(foreground, _BOX)
        if count < 2:
            return foreground
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        return (sizes >= max(4, 0.004 * sizes.max()))[labels]


def _polynomials(height: int, width: int, order: int) -> np.ndarray:
    """(H, W, terms) polynomials of the position in [-1, 1]: 1, y, x, then higher orders."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = [y ** (n - i) * x**i for n in range(order + 1) for i in range(n + 1)]
    return np.stack(terms, -1).astype(np.float32)


def _robust_fit(basis: np.ndarray, colours: np.ndarray, start: np.ndarray | None, scale: float) -> np.ndarray:
    """Iteratively re-weighted least squares with Geman-McClure weights whose scale shrinks; (terms, 3)."""
    weight = np.ones(len(colours), np.float32)
    if start is not None:
        weight = 1 / (1 + (np.linalg.norm(colours - start, axis=1) / (2 * scale)) ** 2) ** 2
    for s in (8, 5, 3, 2, 1.4, 1, 1, 1):
        w = basis * weight[:, None]
        found = np.linalg.solve(w.T @ basis + 1e-4 * np.eye(basis.shape[1]), w.T @ colours)
        off = np.linalg.norm(basis @ found - colours, axis=1)
        weight = 1 / (1 + (off / (min(s, 8 if start is None else 2) * scale * 0.6)) ** 2) ** 2
    return found


def _mode(colours: np.ndarray) -> np.ndarray:
    """The densest colour: mean of the fullest cell of a coarse histogram."""
    cells = np.floor(colours / 0.05).astype(int)
    _, inverse, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    return colours[inverse.ravel() == counts.argmax()].mean(0)


def _noise(lab: np.ndarray) -> float:
    """Robust standard deviation of grain: what a 3 x 3 median takes away on the frame's flat majority."""
    light = lab[..., 0]
    residual = np.abs(light - ndimage.median_filter(light, 3))
    band = max(2, round(min(light.shape) * 0.03))
    rim = np.concatenate([r.ravel() for r in (residual[:band], residual[-band:], residual[:, :band], residual[:, -band:])])
    return float(1.4826 * np.median(rim))


def _from_oklab(lab: np.ndarray) -> np.ndarray:
    lms = (lab @ np.linalg.inv(_TO_LAB)) ** 3
    linear = np.clip(lms @ np.linalg.inv(_TO_LMS), 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def _unmix(image: np.ndarray, small: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """Alpha at full size: in a narrow band each pixel is the share of foreground between the nearest
    sure foreground and sure ground colours; elsewhere the flood's own decision."""
    sure_front = ndimage.binary_erosion(foreground, _BOX, border_value=1)
    sure_back = ndimage.binary_erosion(~foreground, _BOX, border_value=1)
    # Thin things have no inside: their own brightest-contrast pixels stand for it.
    thin = foreground & ~ndimage.binary_dilation(sure_front, _BOX, iterations=2)
    sure_front |= thin
    sure_back |= ~foreground & ~ndimage.binary_dilation(sure_back, _BOX, iterations=2)
    front = _nearest(small, sure_front)
    back = _nearest(small, sure_back)
    band = ~(sure_front | sure_back)
    height, width = image.shape[:2]
    hard = foreground.astype(np.float32)
    if image.shape[:2] != small.shape[:2]:
        front, back = resize(front, height, width), resize(back, height, width)
        wide = ndimage.binary_dilation(band | thin, _BOX)
        hard, band = resize(hard, height, width), resize(wide.astype(np.float32), height, width) > 0
    f, b, c = front[band], back[band], image[band]
    line = f - b
    length = (line * line).sum(1)
    share = ((c - b) * line).sum(1) / np.maximum(length, 1e-6)
    out = hard.copy()
    out[band] = np.where(length > 0.01, np.clip(share, 0, 1), hard[band])
    return out


def _nearest(rgb: np.ndarray, known: np.ndarray) -> np.ndarray:
    where = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return rgb[tuple(where)]
