"""Reads the style of a picture, also one that the judges were never trained on: a linear probe on their features
(ours).

It is fitted to the renderer's pictures of the judges' own characters in the five styles and the unseen ones, and to the
same passed through the model's autoencoder, as all generated pictures are.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..renderer import seeds
from ..renderer.characters import character
from ..renderer.scenes import random_scene
from ..renderer.styles import STYLES, UNSEEN

LOOKS = (*STYLES, *UNSEEN)
DECAY = 1e-3
"""Weight decay of the probe: there are hardly more pictures than features."""


@dataclass(frozen=True, eq=False)
class LookJudge:
    """looks of pictures (B, H, W, 3) -> probabilities (B, len(LOOKS)). held_out: its accuracy on each look, as rendered
    and as decoded, on characters that it was not fitted to."""

    features: Callable[[Tensor], Tensor]
    mean: Tensor
    spread: Tensor
    weight: Tensor
    bias: Tensor
    held_out: dict[str, dict[str, float]]

    def __call__(self, images: Tensor) -> Tensor:
        seen = (self.features(images) - self.mean) / self.spread
        return (seen @ self.weight + self.bias).softmax(dim=1)


def fitted_look_judge(kit: Any, per_look: int = 60, held_out: int = 20) -> LookJudge:
    """A look judge for a `TrialKit`'s judges and model. per_look: pictures of each look to fit to; held_out: and to
    measure on."""
    taken = list(seeds.JUDGE[-(per_look + held_out) :])
    rendered, decoded = [], []
    for look in LOOKS:
        images = torch.stack([_picture(kit, seed, look) for seed in taken])
        parts = [kit.host.decode_latents(kit.host.encode_image(part)) for part in images.split(16)]
        rendered.append(kit.judges.features(images))
        decoded.append(kit.judges.features(torch.cat(parts)))
    known = torch.cat([f[:per_look] for f in (*rendered, *decoded)])
    truth = torch.arange(len(LOOKS)).repeat(2).repeat_interleave(per_look)
    mean, spread = known.mean(0), known.std(0) + 1e-4
    weight, bias = _fitted((known - mean) / spread, truth)
    judge = LookJudge(kit.judges.features, mean, spread, weight, bias, {})
    for i, look in enumerate(LOOKS):
        for kind, found in (("rendered", rendered[i]), ("decoded", decoded[i])):
            said = (((found[per_look:] - mean) / spread) @ weight + bias).argmax(1)
            judge.held_out.setdefault(look, {})[kind] = round(float((said == i).float().mean()), 4)
    return judge


def _picture(kit: Any, seed: int, look: str) -> Tensor:
    rng = random.Random(f"look {seed}")
    sticker = kit.render(character(seed), random_scene(rng, style=look), seed=seed)
    return torch.from_numpy(np.asarray(sticker.image, np.float32) / 255)


def _fitted(points: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Weight (D, looks) and bias (looks,) of a multinomial logistic regression."""
    weight = torch.zeros(points.shape[1], len(LOOKS), requires_grad=True)
    bias = torch.zeros(len(LOOKS), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        error = torch.nn.functional.cross_entropy(points @ weight + bias, truth) + DECAY * weight.square().sum()
        error.backward()
        return error

    with torch.enable_grad():
        optimiser.step(loss)
    return weight.detach(), bias.detach()
