"""What a diffusion model makes of each place of a picture: features along an inversion (StyleGallery, 2603.10354).

The picture is inverted, from clean to noise, along the probability-flow ODE. At each level a block of the U-Net's up
part is read; the levels are averaged with weights that fall with the noise.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from ..hosts.base import Context, Host, Site
from ..messages import SealError
from ..method.sampling import schedule

INVERSION_STEPS = 15
FALL, MIDDLE = 5.0, 0.7
"""The weight of the i-th of n levels, the cleanest first: 1 / (1 + exp(FALL (i / n - MIDDLE)))."""
FEWEST_PLACES = 1000
"""A map with fewer places is taken only where the model has none with more: 32 x 32 at 512 px, as published."""


def feature_site(sites: Sequence[Site], height: int, width: int) -> Site:
    """The site whose block is read, for latents of height x width: the last one of the coarsest up map with enough
    places. Raises SealError for a model without up sites."""
    up = [site for site in sites if site.part == "up"]
    if not up:
        raise SealError("model: it has no attention in its up part; wire an SD 1.x, SD 2.x or SDXL model.")
    enough = [site for site in up if math.prod(site.map_size(height, width)) >= FEWEST_PLACES]
    scale = max(site.scale for site in enough) if enough else min(site.scale for site in up)
    return [site for site in up if site.scale == scale][-1]


@torch.no_grad()
def inversion_features(
    host: Host,
    latents: Tensor,
    context: Context,
    *,
    steps: int = INVERSION_STEPS,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """(C, h, w) float32 on the CPU of one picture's latents (1, 4, H, W); h, w are the read map's size.

    context: one row, the empty prompt's as published. progress: called after each of `steps` passes; may raise.
    """
    site = feature_site(host.sites(), *latents.shape[-2:])
    _, sigmas = schedule(host.sigmas, steps)
    levels = sigmas[:-1].flip(0).to(latents.device)
    x, total, weights = latents.float(), torch.zeros(()), 0.0
    for i, level in enumerate(levels):
        with _output_of(site) as seen:
            x_0 = host.denoise(x, level[None], context)
        weight = 1 / (1 + math.exp(FALL * (i / steps - MIDDLE)))
        total, weights = total + weight * seen[0].float().cpu(), weights + weight
        x = x + (x - x_0) / level * (levels[min(i + 1, steps - 1)] - level)
        if progress:
            progress(i + 1, steps)
    return (total[0] / weights).T.unflatten(1, site.map_size(*latents.shape[-2:]))


@contextlib.contextmanager
def _output_of(site: Site) -> Iterator[list[Tensor]]:
    """What the site's transformer block gives, (B, places, C), after a pass inside the block."""
    seen: list[Tensor] = []

    def keep(module: torch.nn.Module, args: tuple, output: Tensor) -> None:
        seen[:] = [output]

    handle = site.block.register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()
