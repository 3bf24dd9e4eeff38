"""Pictures of coloured halves, and regions without a model."""

from __future__ import annotations

import numpy as np
import torch

from seal_core.style.regions import Regions


def halves(left=(0.9, 0.2, 0.1), right=(0.1, 0.3, 0.9), size: int = 64) -> torch.Tensor:
    """(size, size, 3), one colour on the left, another on the right, with a little texture."""
    image = torch.zeros(size, size, 3)
    image[:, : size // 2], image[:, size // 2 :] = torch.tensor(left), torch.tensor(right)
    wave = 0.04 * torch.sin(torch.arange(size).float())[:, None, None]
    return (image + wave).clamp(0, 1)


def made_regions(labels, features, inside=None, size: int = 64) -> Regions:
    """Regions with these labels (r, c) and a feature vector each."""
    labels = np.asarray(labels)
    grid = torch.tensor(np.asarray(features, np.float32))[torch.from_numpy(labels)].permute(2, 0, 1)
    latents = torch.zeros(1, 4, size // 8, size // 8)
    return Regions(halves(size=size), latents, grid, labels, inside)
