"""Colours as people see them: OKLab."""

from __future__ import annotations

import numpy as np

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
