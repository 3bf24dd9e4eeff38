"""What the token means to the model, on fixed examples: before, during and after a training.

How much better the model restores the noised subject on other grounds, at other places, tells what was learned of it;
how much better it restores the sticker's own ground tells what was learned of that, which is a leak (ours). Both need
no other network than the model. The plain loss tells neither: it falls furthest where ground and pose are memorised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..hosts.base import Host
from .attention import Maps
from .augment import VISIBLE
from .config import TrainConfig
from .examples import Batch, Example, Examples
from .losses import denoising_errors, leakage
from .references import Reference, shrunk_mask
from .step import Step

QUARTERS = (0.25, 0.5, 0.75)
"""Noise levels of the examples, as shares of the token's time window."""
ELSEWHERE = 2
"""Views of the subject on other grounds; no training sees them."""


@dataclass(frozen=True)
class Look:
    """attention: the token's map (h, w) on the first reference. leakage: its share outside the subject, 0..1.

    subject: the denoising error of the subject elsewhere. ground: of the reference outside the subject. Both are 0
    where the mask has no such side.
    """

    attention: Tensor
    leakage: float
    subject: float
    ground: float


class Probe:
    """Looks at the first reference, and at its subject elsewhere: the same views and noise at every look.

    Nothing of the training is moved by it. Elsewhere the prompts say what the training's do, which is how a concept is
    used. On the reference they name the token and nothing else of it: what comes back then, the token brought.
    """

    def __init__(self, host: Host, references: Sequence[Reference], config: TrainConfig, step: Step) -> None:
        self._step, self._config = step, config
        first = references[0]
        pasted = first.caption is None and bool((first.mask > VISIBLE).any())
        own = replace(config, augment=float(pasted), views=ELSEWHERE, pool=0, augment_always=True, seed=config.seed + 2)
        self._examples = Examples(host, [first], own)

    @torch.no_grad()
    def look(self, shares: tuple[float, ...] = QUARTERS) -> Look:
        """All figures, as means over noise levels, given as shares of the token's time window."""
        attention, leak, batch, x_0 = self._seen(0, shares)
        ground = denoising_errors(x_0, batch.latents, batch.weights, 1 - batch.masks, 0.0).mean()
        errors = []
        for view in range(min(1, len(self._examples.views) - 1), len(self._examples.views)):
            _, _, batch, x_0 = self._seen(view, shares)
            errors.append(denoising_errors(x_0, batch.latents, batch.weights, batch.masks, 0.0).mean())
        return Look(attention, leak, float(torch.stack(errors).mean()), float(ground))

    @torch.no_grad()
    def attention(self, share: float = 0.5) -> Tensor:
        """The token's map (h, w) on the first reference at one noise level: a glance during the training."""
        return self._seen(0, (share,))[0]

    def _seen(self, view: int, shares: Sequence[float]) -> tuple[Tensor, float, Batch, Tensor]:
        """(attention (h, w), its share outside, the batch, x_0 as predicted) of a view."""
        step, examples = self._step, self._examples
        low, high = examples.window(view)
        generator = torch.Generator().manual_seed(self._config.seed + 2 + view)
        shape, prompt = examples.latents[view].shape, examples.prompt(view, self._config.templates[0], told=view > 0)
        levels = [round(low + share * (high - low)) for share in shares]
        batch = examples.batch([Example(view, prompt, n, torch.randn(shape, generator=generator)) for n in levels])
        plain = step.plain(batch.prompts)
        learned = step.learned.encode(batch.prompts, plain, look=True, by=step.encode_for(batch))
        maps = Maps(step.watched)
        x_0 = step.denoise(batch, plain, learned, None, maps)
        attention = maps.token_maps(step.learned.concept_positions(learned), *shape[-2:])
        outside = leakage(attention, shrunk_mask(batch.masks, *attention.shape[-2:])).mean()
        return attention.mean(0).cpu(), float(outside), batch, x_0


def gains(before: Look, after: Look) -> dict[str, dict[str, float]]:
    """ "subject" and "ground" -> their errors before and after, and gain: by what share the error fell."""
    found = {}
    for side in ("subject", "ground"):
        first, last = getattr(before, side), getattr(after, side)
        gain = round(1 - last / first, 4) if first > 0 else 0.0
        found[side] = {"before": round(first, 6), "after": round(last, 6), "gain": gain}
    return found


def gains_in_words(found: Mapping[str, Mapping[str, float]]) -> str:
    """ "draws the subject 38 % better, the sticker's ground 1 %": the second is what leaks."""
    subject, ground = (round(100 * found[side]["gain"]) for side in ("subject", "ground"))
    return f"restores the subject elsewhere {_better(subject)}, the sticker's own ground {_better(ground)}"


def _better(percent: int) -> str:
    return f"{abs(percent)} % {'better' if percent >= 0 else 'worse'}"
