"""Drawing clips with a host and temporal layers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...hosts.base import Context, Host, Prompt
from ...method.sampling import RoutedContext, sample
from .clip_host import AS_LEARNED, DRAWN_NOISE, Acting, clip_host
from .motion_layers import MotionLayers


@torch.no_grad()
def draw_clips(
    host: Host,
    layers: MotionLayers | None,
    context: Context | RoutedContext,
    frames: int,
    *,
    side: int,
    steps: int,
    cfg: float,
    seed: int,
    known: Tensor | None = None,
    given: Tensor | None = None,
    shared: float = DRAWN_NOISE,
    acting: Acting = AS_LEARNED,
    negative: str = "",
    on_step: Callable[[int, int, Tensor], object] | None = None,
) -> Tensor:
    """(B, F, side, side, 3) in [0, 1], on the CPU, of a context with a row for each frame of B clips.

    A learned concept moves where the context is one that names it (`generate_context`). layers: None for frames drawn
    independently. known (B, F), given (B, F, 4, h, w): latents of frames that are there already. acting: how far and
    when the layers act. shared: share of the frames' noise in common. on_step: as in `sample`.
    Raises SealError as `clip_host` and `sample`.
    """
    rows = (context.plain if isinstance(context, RoutedContext) else context).cross.shape[0]
    flat = None if given is None else given.flatten(0, 1)
    drawing = clip_host(host, layers, frames, rows // frames, known, flat, shared=shared, acting=acting)
    empty, generator = host.encode([Prompt(negative)], {}), torch.Generator().manual_seed(seed)
    latents = sample(
        drawing, context, empty, height=side, width=side, steps=steps, cfg=cfg, generator=generator, on_step=on_step
    )
    return host.decode_latents(latents).unflatten(0, (-1, frames))
