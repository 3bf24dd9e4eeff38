"""From pictures and masks to their regions: sizes, latents and features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..hosts.base import Host, Prompt
from ..messages import require_whole_number
from ..pictures.inputs import images_of, masks_for, rgb_and_alpha
from ..pictures.resize import resize
from .features import INVERSION_STEPS, inversion_features
from .regions import MOST_REGIONS, Regions, find_regions

SIDE = 64
"""Both sides of what the U-Net sees are multiples of so many pixels."""


@dataclass(frozen=True)
class RegionSettings:
    """most: regions per picture, with a mask per side. steps: of the inversion. resolution: longer side in pixels, 0 =
    the model's own. seed: of the clustering."""

    most: int = MOST_REGIONS
    steps: int = INVERSION_STEPS
    resolution: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        require_whole_number("steps", self.steps, 1, 200, "use 1 to 200, e.g. 15.")
        if self.resolution:
            require_whole_number("resolution", self.resolution, 64, 4096, "use 0 (the model's own) or 64 to 4096.")


def regions_of(
    host: Host,
    image: Tensor,
    mask: Tensor | None = None,
    settings: RegionSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Regions, ...]:
    """The regions of each picture of image (B, H, W, 3 or 4).

    mask: (H, W) or (B, H, W), subject = 1; without one, an image's own alpha. Raises SealError for pictures that the
    model cannot take, and for a mask of another size or without a subject.
    """
    settings = settings or RegionSettings()
    pictures = images_of(image)
    masks = _masks(pictures, mask)
    null = host.encode([Prompt("")], {})
    found = []
    for i, picture in enumerate(pictures):
        rgb = _on_white(picture)
        rows, columns = fitted_sides(rgb.shape[0], rgb.shape[1], settings.resolution or host.resolution)
        small = torch.from_numpy(resize(rgb.float().cpu().numpy(), rows, columns)).clamp(0, 1)
        latents = host.encode_image(small[None]).float()

        def told(done: int, total: int, before: int = i) -> None:
            if progress:
                progress(before * total + done, len(pictures) * total)

        seen = inversion_features(host, latents, null, steps=settings.steps, progress=told)
        found.append(find_regions(small, latents, seen, masks[i], most=settings.most, seed=settings.seed))
    return tuple(found)


def fitted_sides(height: int, width: int, longest: int) -> tuple[int, int]:
    """(rows, columns) of a picture scaled to the longer side, multiples of SIDE, its shape kept as well as they can."""
    shrink = longest / max(height, width)
    rows, columns = (max(SIDE, round(side * shrink / SIDE) * SIDE) for side in (height, width))
    return rows, columns


def _on_white(picture: Tensor) -> Tensor:
    rgb, alpha = rgb_and_alpha(picture)
    return rgb if alpha is None else rgb * alpha[..., None] + 1 - alpha[..., None]


def _masks(pictures: Tensor, mask: Tensor | None) -> list[Tensor | None]:
    if mask is None:
        return [rgb_and_alpha(picture)[1] for picture in pictures]
    return list(masks_for(mask, len(pictures), pictures.shape[1], pictures.shape[2]))
