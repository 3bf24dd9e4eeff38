"""Restyling on the wired models: progress with a picture of the state, Cancel, and ComfyUI's own latents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import comfy.utils
import torch
from PIL import Image
from torch import Tensor

from ...seal_core.hosts.base import Prompt
from ...seal_core.messages import SealError
from ...seal_core.style.matching import Pairs
from ...seal_core.style.own_colours import in_own_colours
from ...seal_core.style.regional_style import RestyleSettings, restyle
from .comfy_host import ComfyHost
from .node_ui import stop_on_cancel

PREVIEWS = 5
"""How often the picture is decoded on the way; the VAE takes a U-Net pass or two."""


def restyled(
    host: ComfyHost, pairs: Sequence[Pairs], settings: RestyleSettings, own_colours: bool
) -> tuple[Tensor, dict[str, Any]]:
    """(images (B, H, W, 3), a LATENT) of each content in its styles' look. Raises SealError for contents of several
    sizes, which no batch can hold."""
    sizes = {tuple(one.content.image.shape[:2]) for one in pairs}
    if len(sizes) > 1:
        raise SealError("pairs: the pictures have several sizes; restyle them one by one, or make them one size first.")
    host.plan(1, max(*sizes.pop()))
    null = host.encode([Prompt("")], {})
    bar = comfy.utils.ProgressBar(settings.steps * len(pairs))
    every = max(1, settings.steps // PREVIEWS)
    found = []
    for number, one in enumerate(pairs):
        if own_colours:
            one = in_own_colours(one, host.encode_image)

        def watch(step: int, steps: int, latents: Tensor, before: int = number) -> None:
            stop_on_cancel()
            shown = _picture(host, latents) if step % every == 0 and step < steps else None
            bar.update_absolute(before * steps + step, len(pairs) * steps, shown)

        found.append(restyle(host, one, null, settings, watch))
    latents = torch.cat(found)
    images = torch.cat([host.decode_latents(one) for one in found])
    return images, {"samples": host.latent_format.process_out(latents).cpu()}


def _picture(host: ComfyHost, latents: Tensor) -> tuple[str, Image.Image, int]:
    pixels = host.decode_latents(latents)[0].mul(255).round().byte().numpy()
    return "JPEG", Image.fromarray(pixels), 512
