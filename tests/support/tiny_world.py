"""A StickerWorld without trained weights: judges that only look at colours."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from seal_core.demo.attribute_values import VALUES
from seal_core.world.evaluation.trial_kit import TrialKit, TrialKitPaths
from seal_core.world.renderer.characters import TRAITS
from seal_core.world.renderer.render import render

SIZE = 64
"""Pixels of pictures, as in tiny_host, whose imports take seconds that a worker process need not spend."""


class FakeJudges:
    """Fixed random projections of a 4 x 4 thumbnail: deterministic, and equal pictures get equal answers."""

    def _seen(self, images, name, count):
        small = F.interpolate(images.movedim(-1, 1), (4, 4), mode="area").flatten(1) - 0.5
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        return small @ torch.randn(48, count, generator=torch.Generator().manual_seed(seed))

    def classify(self, images):
        heads = {**VALUES, **TRAITS}
        return {name: self._seen(images, name, len(values)).softmax(1) for name, values in heads.items()}

    def features(self, images):
        return self._seen(images, "features", 32)

    def identity(self, images, masks=None):
        return F.normalize(self._seen(images, "identity", 16), dim=1)


@dataclass(frozen=True)
class FakeSource(TrialKitPaths):
    """with_model: False for what needs no host (the oracle), so that a worker process starts quickly."""

    with_model: bool = True
    version: str = "1"

    def kit(self):
        host = None
        if self.with_model:
            from tiny_host import small_host

            host = small_host()
        return TrialKit(host, FakeJudges(), functools.partial(render, size=SIZE))

    def digest(self):
        return self.version
