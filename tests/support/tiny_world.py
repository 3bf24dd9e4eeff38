"""A StickerWorld without trained weights, for tests: a small random model, and judges that only look at colours."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from seal_core.world.evaluation.evaluate import Source
from seal_core.world.evaluation.trial import Kit
from seal_core.world.renderer.characters import TRAITS
from seal_core.world.renderer.contexts import VALUES
from seal_core.world.renderer.render import render

SIZE = 64
"""Pixels of pictures and stickers."""


class FakeJudges:
    """Fixed random projections of a 4 x 4 thumbnail: deterministic, and equal pictures get equal answers."""

    def _seen(self, images, name, count):
        small = F.interpolate(images.movedim(-1, 1), (4, 4), mode="area").flatten(1) - 0.5
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        return small @ torch.randn(48, count, generator=torch.Generator().manual_seed(seed))

    def classify(self, images):
        heads = {**VALUES, **TRAITS}
        return {name: self._seen(images, name, len(values)).softmax(1) for name, values in heads.items()}

    def identity(self, images, masks=None):
        return F.normalize(self._seen(images, "identity", 16), dim=1)


def small_host():
    """The tiny model's layout with fewer channels and half the size, random weights."""
    from seal_core.demo import model

    few = {"sample_size": SIZE // 8, "block_out_channels": (32, 32, 32), "attention_head_dim": (1, 1, 1)}
    config = {
        "unet": {**model.UNET, **few, "cross_attention_dim": 32},
        "text_encoder": {**model.TEXT, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1},
        "vae": {**model.VAE, "block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4},
    }
    return model.host(model.build(0, config))


@dataclass(frozen=True)
class FakeSource(Source):
    """with_model: False for what needs no host (the oracle), so that a worker process starts quickly."""

    with_model: bool = True
    version: str = "1"

    def kit(self):
        return Kit(small_host() if self.with_model else None, FakeJudges(), functools.partial(render, size=SIZE))

    def digest(self):
        return self.version
