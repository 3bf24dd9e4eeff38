"""Which animal a sticker shows, by the tiny model's own judgement.

A denoiser restores a noised picture best under the caption that fits (zero-shot diffusion classifiers, 2303.16203).
Right for 24 of 24 renders of unseen characters in random scenes, of which the judges of `seal_core.world` get 23
(validation characters 9000 to 9023).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..hosts.base import Host, Prompt
from ..method.losses import denoising_errors
from ..method.references import Reference, shrunk_mask
from .animals import SPECIES

VIEWS = 16
"""Noised views of the sticker; all captions are judged on the same ones."""
NOISE_LEVELS = (0.0, 0.6)
"""Range of the views' noise levels, as shares of the training times; 0 = clean."""


@torch.no_grad()
def guess_animal(host: Host, reference: Reference, seed: int = 0) -> str:
    """The word of SPECIES under which the model restores the subject best."""
    return SPECIES[int(species_errors(host, reference, seed).mean(dim=1).argmin())]


@torch.no_grad()
def species_errors(host: Host, reference: Reference, seed: int = 0) -> Tensor:
    """Denoising errors (len(SPECIES), VIEWS) on the subject; the background does not count."""
    captions = host.encode([Prompt(f"a sticker of a {word}") for word in SPECIES], {})
    latent = host.encode_image(reference.image[None])
    mask = shrunk_mask(reference.mask, *latent.shape[-2:])[None]
    generator = torch.Generator().manual_seed(seed)
    noises = torch.randn(VIEWS, *latent.shape[1:], generator=generator).to(latent)
    last = len(host.sigmas) - 1
    times = torch.linspace(NOISE_LEVELS[0] * last, NOISE_LEVELS[1] * last, VIEWS).round().long()
    count, found = len(SPECIES), []
    for noise, sigma in zip(noises, host.sigmas[times].to(host.device)):
        levels = sigma.expand(count)
        noisy = host.add_noise(latent, noise[None], sigma[None]).expand(count, -1, -1, -1)
        restored = host.denoise(noisy, levels, captions)
        clean, masks = latent.expand_as(restored), mask.expand(count, -1, -1).to(latent)
        found.append(denoising_errors(restored, clean, host.loss_weight(levels), masks, 0.0).cpu())
    return torch.stack(found, dim=1)
