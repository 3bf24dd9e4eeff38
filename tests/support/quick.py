"""A training of about a second: a small reference and a few steps."""

from __future__ import annotations

import dataclasses

import torch

from seal_core.method.configure import configure
from seal_core.method.describing_words import Grammar, Part
from seal_core.method.references import Reference

FEW_WORDS = Grammar(
    ("red", "blue", "grey"),
    (
        Part("colour", "{thing} {subject}"),
        Part("worn", "{subject}, wearing {thing}", (("a bow", "glasses"),), coloured=True),
        Part("marks", "{subject}, with {thing}", (("spots", "a tail"),), coloured=True),
    ),
)
"""What `initial_words.grammar` returns, in short."""


def reference(size=(64, 64), seed=0):
    g = torch.Generator().manual_seed(seed)
    image = torch.rand(*size, 3, generator=g) * 0.2
    mask = torch.zeros(*size)
    mask[size[0] // 4 : 3 * size[0] // 4, size[1] // 4 : 3 * size[1] // 4] = 1
    image[mask > 0] += 0.6
    return Reference(image, mask)


def quick(preset, **changes):
    base = configure(preset, name="sticker", class_word="cat", steps=6, resolution=64)
    return dataclasses.replace(base, **{"pool": min(base.pool, 4), "views": 2, "sees": False, **changes})
