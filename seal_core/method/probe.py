"""Where the token looks, on fixed examples: before, during and after a training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .attention import tap
from .examples import Example, Examples
from .losses import denoising_errors, leakage
from .references import shrunk_mask
from .step import Step

QUARTERS = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Look:
    """attention: the token's map (h, w) on the first reference. leakage: its share outside the subject, 0..1.

    loss: the plain denoising loss.
    """

    attention: Tensor
    leakage: float
    loss: float


@torch.no_grad()
def look(step: Step, examples: Examples, shares: tuple[float, ...] = QUARTERS) -> Look:
    """Look at the first reference, at the same noise every time. Nothing of the training is moved by it.

    shares: at which noise levels, as shares of the token's time window; the mean of all is given.
    """
    low, high = examples.window()
    generator = torch.Generator().manual_seed(step.config.seed + 2)
    shape, prompt = examples.latents[0].shape, examples.prompt(0, step.config.templates[0])
    levels = [round(low + share * (high - low)) for share in shares]
    batch = examples.batch([Example(0, prompt, level, torch.randn(shape, generator=generator)) for level in levels])
    plain = step.plain(batch.prompts)
    with tap(step.watched) as maps:
        learned = step.learned.encode(batch.prompts, plain, look=True)
        x_0 = step.denoise(batch, plain, learned, None)
    attention = maps.token_maps(step.learned.concept_positions(learned), *shape[-2:])
    outside = leakage(attention, shrunk_mask(batch.masks, *attention.shape[-2:])).mean()
    loss = denoising_errors(x_0, batch.latents, batch.weights, batch.masks, 1.0).mean()
    return Look(attention.mean(0).cpu(), float(outside), float(loss))
