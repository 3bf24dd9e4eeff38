"""Pictures of many prompts in a few batches, for the demo and the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..concept.concept import Concept
from ..hosts.base import Context, Host, Prompt, stack_contexts
from ..method.sampling import RoutedContext, generate_context, sample

CHUNK = 64
"""Most pictures sampled together."""
STEPS, CFG = 20, 4.0


def contexts(host: Host, concept: Concept | None, prompts: Sequence[str]) -> Context | RoutedContext:
    """One row for each prompt. With a concept, which every prompt must name, both learned and plain contexts."""
    if concept is None:
        return host.encode([Prompt(text) for text in prompts], {})
    rows = [generate_context(host, concept, text) for text in prompts]
    learned, plain = (stack_contexts([getattr(r, name) for r in rows]) for name in ("learned", "plain"))
    return replace(rows[0], learned=learned, plain=plain)


@torch.no_grad()
def generate_pictures(
    host: Host,
    concept: Concept | None,
    prompts: Sequence[str],
    samples: int,
    *,
    seed: int,
    steps: int = STEPS,
    cfg: float = CFG,
    concept_cfg: float = 0.0,
) -> Tensor:
    """(len(prompts) * samples, H, W, 3) in [0, 1]: the samples of the first prompt, then those of the second, ...

    The noise depends on `seed` and the place only, so two methods with the same prompts start from the same noise.
    """
    asked = contexts(host, concept, prompts)
    negative = host.encode([Prompt("")], {})
    rows = [i for i in range(len(prompts)) for _ in range(samples)]
    images = []
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        if isinstance(asked, RoutedContext):
            positive = replace(asked, learned=asked.learned.rows(part), plain=asked.plain.rows(part))
        else:
            positive = asked.rows(part)
        latents = sample(
            host,
            positive,
            negative,
            height=host.resolution,
            width=host.resolution,
            steps=steps,
            cfg=cfg,
            concept_cfg=concept_cfg,
            generator=torch.Generator().manual_seed(seed * 1000 + start),
        )
        images.append(host.decode_latents(latents))
    return torch.cat(images)
