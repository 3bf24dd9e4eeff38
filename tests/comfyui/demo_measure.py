"""What both hosts compute on the tiny model. Imports nothing of SEAL: the two sides name the package differently."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

STEPS = (0, 1, 250, 500, 750, 999)
TEXTS = (
    "a sticker of {x}, happy, running",
    "a cat on a beach",
    "",
    "{x}, pixel art style",
    "fox!",
    "a {x} in a forest",
)


@torch.no_grad()
def measure(host: Any, prompt: Any, sample: Any) -> dict[str, Tensor]:
    """Names -> tensors of one host: text, single passes at STEPS, a sampled picture, VAE both ways, words.

    prompt, sample: seal_core.hosts.base.Prompt and seal_core.method.sampling.sample.
    """
    generator = torch.Generator().manual_seed(3)
    (width,) = (width for _, width in host.family.widths)
    vectors = {"x": {"clip_l": torch.randn(2, width, generator=generator) * 0.3}}
    context = host.encode([prompt(text) for text in TEXTS], vectors)
    noise = torch.randn(len(STEPS), 4, 16, 16, generator=generator)
    clean = torch.randn(len(STEPS), 4, 16, 16, generator=generator) * 0.8
    sigma = host.sigmas[list(STEPS)]
    noisy = host.add_noise(clean, noise, sigma)
    pictures = torch.rand(2, 128, 128, 3, generator=generator)
    found = {
        "sigmas": host.sigmas,
        "context": context.cross,
        "denoised": host.denoise(noisy, sigma, context),
        "other size": host.denoise(noisy[:, :, :11, :14].contiguous(), sigma, context),
        "encoded": host.encode_image(pictures),
        "decoded": host.decode_latents(clean[:2]),
        "words": torch.tensor(host.token_ids("clip_l", "A red-nosed Reindeer, 3 cats & a café's <3 sunburst!")),
    }
    found["sampled"] = sample(
        host,
        context.rows([1]),
        context.rows([2]),
        height=128,
        width=128,
        steps=8,
        cfg=4.0,
        generator=torch.Generator().manual_seed(8),
    )
    return {name: tensor.detach().clone().contiguous() for name, tensor in found.items()}
