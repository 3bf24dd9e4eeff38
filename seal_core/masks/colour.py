"""Colour tools of the border flood: OKLab, robust fits of smooth colour fields, grain, steps, blur."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_TO_LMS = np.array(
    [[0.4122214708, 0.2119034982, 0.0883024619], [0.5363325363, 0.6806995451, 0.2817188376],
     [0.0514459929, 0.1073969566, 0.6299787005]], np.float32
)  # fmt: skip
_TO_LAB = np.array(
    [[0.2104542553, 1.9779984951, 0.0259040371], [0.7936177850, -2.4285922050, 0.7827717662],
     [-0.0040720468, 0.4505937099, -0.8086757660]], np.float32
)  # fmt: skip


def oklab(rgb: np.ndarray) -> np.ndarray:
    """OKLab (Ottosson 2020) of sRGB values (..., 3) in [0, 1]; L in [0, 1], a and b about +-0.4."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0) + 0.055) / 1.055) ** 2.4)
    lms = np.cbrt(linear @ _TO_LMS)
    return (lms @ _TO_LAB).astype(np.float32)


def from_oklab(lab: np.ndarray) -> np.ndarray:
    """sRGB values (..., 3) in [0, 1] of OKLab ones, clipped to the gamut."""
    lms = (lab @ np.linalg.inv(_TO_LAB)) ** 3
    linear = np.clip(lms @ np.linalg.inv(_TO_LMS), 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def polynomials(height: int, width: int, order: int) -> np.ndarray:
    """(H, W, terms) polynomials of the position in [-1, 1]: 1, y, x, then higher orders."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = [y ** (n - i) * x**i for n in range(order + 1) for i in range(n + 1)]
    return np.stack(terms, -1).astype(np.float32)


def robust_fit(basis: np.ndarray, colours: np.ndarray, start: np.ndarray | None, scale: float) -> np.ndarray:
    """Coefficients (terms, 3) by iteratively re-weighted least squares; the Geman-McClure weights' scale shrinks."""
    weight = np.ones(len(colours), np.float32)
    if start is not None:
        weight = 1 / (1 + (np.linalg.norm(colours - start, axis=1) / (2 * scale)) ** 2) ** 2
    for s in (8, 5, 3, 2, 1.4, 1, 1, 1):
        w = basis * weight[:, None]
        found = np.linalg.solve(w.T @ basis + 1e-4 * np.eye(basis.shape[1]), w.T @ colours)
        off = np.linalg.norm(basis @ found - colours, axis=1)
        weight = 1 / (1 + (off / (min(s, 8 if start is None else 2) * scale * 0.6)) ** 2) ** 2
    return found


def densest(colours: np.ndarray) -> np.ndarray:
    """The densest colour: mean of the fullest cell of a coarse histogram."""
    cells = np.floor(colours / 0.05).astype(int)
    _, inverse, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    return colours[inverse.ravel() == counts.argmax()].mean(0)


def grain(lab: np.ndarray) -> float:
    """Robust standard deviation of the grain: what a 3 x 3 median removes in most of the frame."""
    light = lab[..., 0]
    band = max(2, round(min(light.shape) * 0.03))
    strips = (light[:band], light[-band:], light[band:-band, :band], light[band:-band, -band:])
    residual = [np.abs(strip - ndimage.median_filter(strip, 3)).ravel() for strip in strips if strip.size]
    return float(1.4826 * np.median(np.concatenate(residual)))


def steps(lab: np.ndarray, sigma: float) -> np.ndarray:
    """Colour change per pixel (OKLab) at the scale `sigma`."""
    return np.sqrt(sum(ndimage.gaussian_gradient_magnitude(lab[..., c], sigma) ** 2 for c in range(3)))


def blur(plane: np.ndarray, sigma: float) -> np.ndarray:
    """A nearly Gaussian blur by two box filters: its cost does not grow with sigma."""
    size = 2 * max(1, round(1.22 * sigma)) + 1
    return ndimage.uniform_filter(ndimage.uniform_filter(plane, size), size)
