"""The presets: published methods and ours, as values of `TrainConfig`."""

from __future__ import annotations

from ..concept.settings import Layers, Tokens
from .config import TrainConfig

_PLAIN = Tokens(split=1, merge="mean", context_token=False)

PRESETS: dict[str, TrainConfig] = {
    # Textual Inversion (2208.01618): one vector, plain loss, every layer.
    "textual_inversion": TrainConfig(tokens=_PLAIN, steps=400),
    # HiPer (2303.08767), official code: 5 output positions, lr 5e-3, 1000 steps, batch 1.
    "hiper": TrainConfig(carrier="tail", tokens=_PLAIN, steps=1000, learning_rate=5e-3, templates=("a sticker of {}",)),
    # The abstract's three components, filled in from its neighbours (method.md says which is whose).
    "paper": TrainConfig(
        attention_loss="mse",
        attention_weight=0.01,
        background_weight=0.3,
        contrast_weight=1e-3,
        layers=Layers("up"),
        pool=100,
    ),
    # What our measurements favour, chosen on StickerWorld's validation characters: restriction to the up sites, vectors
    # that start from the words for the subject, the subject on many other grounds, a falling learning rate.
    "best": TrainConfig(
        rate="cosine",
        attention_loss="leak",
        attention_weight=0.01,
        background_weight=0.3,
        augment=0.7,
        views=16,
        tokens=Tokens(split=16, merge="none", context_token=True, init="described"),
        layers=Layers("up"),
        pool=100,
    ),
}
