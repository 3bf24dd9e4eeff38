"""Renders passed through the tiny model's autoencoder, as all generated stickers are (ours)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Generator, Tensor

from ...messages import SealError

RoundTrip = Callable[[Tensor, float, Generator], Tensor]
"""(images (B, 3, H, W) in [0, 1], standard deviation of noise on the scaled latents, generator) -> images."""


def round_trip(path: Path) -> tuple[RoundTrip, str]:
    """The autoencoder of a model file or of a training folder (`train vae`), and 12 hex digits of its weights.

    Raises SealError if there is none or diffusers is not installed.
    """
    try:
        from ...demo.model import load_model
        from ..trainings.ready_vae import ready_vae
    except ImportError as error:
        raise SealError(f"vae: the autoencoder needs diffusers ({error}); install it, or use --decoded 0.") from None
    vae = (ready_vae(path) if path.is_dir() else load_model(path).vae).eval()
    digest = hashlib.sha256()
    for name, tensor in sorted(vae.state_dict().items()):
        digest.update(name.encode() + tensor.half().contiguous().numpy().tobytes())

    @torch.inference_mode()
    def through(images: Tensor, noise: float, generator: Generator) -> Tensor:
        parts = []
        for part in images.split(16):
            latents = vae.encode(part * 2 - 1).latent_dist.mean
            noised = noise / vae.config["scaling_factor"] * torch.randn(latents.shape, generator=generator)
            parts.append((vae.decode(latents + noised).sample / 2 + 0.5).clamp(0, 1))
        return torch.cat(parts).clone()

    return through, digest.hexdigest()[:12]
