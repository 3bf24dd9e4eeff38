"""The training presets tuned for the tiny model, which learns in fewer steps than SD 1.x.

Measured by `python -m seal_core.world eval --methods tuning` on validation characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..method.config import TrainConfig
from ..method.presets import PRESETS

CONCEPT_NAME = "<seal-v>"
"""What prompts call the learned concept; the tiny model's tokenizer has no such word."""

BUDGET = {"steps": 150, "batch_size": 8}
"""The same for every method: the baselines see as many pictures as ours."""

_TUNED: Mapping[str, Mapping[str, Any]] = {
    "hiper": {"learning_rate": 0.01},
    "paper": {"learning_rate": 0.02},
    "hiper-seal": {"learning_rate": 0.01},
    "best": {"weights_rate": 2e-3},
    "best_embedding": {"steps": 90},  # the search for initial words takes the rest of the budget
}

NAMES_ATTRIBUTES = frozenset({"best", "best_embedding", "hiper-seal", "textual_inversion-seal"})
"""Presets that learn better when training prompts name what the sticker shows (emotion, background, ...)."""

LABELS = {
    "textual_inversion": "Textual Inversion",
    "hiper": "HiPer",
    "lora": "LoRA",
    "paper": "SEAL paper",
    "best_embedding": "SEAL best, vectors only",
    "best": "SEAL best",
}


def tuned_preset(name: str) -> TrainConfig:
    """The preset with the tiny model's budget and learning rate. Raises KeyError for unknown names."""
    return replace(PRESETS[name], **{**BUDGET, **_TUNED.get(name, {})})


def for_sticker(
    config: TrainConfig, class_word: str, attributes: Mapping[str, str], resolution: int, seed: int
) -> TrainConfig:
    """The training of one concept. attributes: what prompts name of the sticker. resolution: pixels of a side."""
    tokens = replace(config.tokens, concept=CONCEPT_NAME, class_word=class_word)
    named = tuple(sorted(attributes.items()))
    return replace(config, resolution=resolution, seed=seed, attributes=named, tokens=tokens)
