"""What `strength` means for both carriers: how far a concept is from its class word."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..hosts.base import Words
from ..messages import SealError
from .concept import Concept

TAIL_STRENGTH = 0.8
"""Factor of a learned tail at generation: target[:77-n] + 0.8 * tail (HiPer, 2303.08767, official code)."""


def check_strength(strength: float) -> None:
    """Raise SealError for a strength that is not a number or far out of range."""
    if not math.isfinite(strength) or abs(strength) > 100:
        raise SealError(f"strength: {strength} is out of range; use a number such as 1 (as learned).")


def vectors_at_strength(words: Words, concept: Concept, strength: float) -> dict[str, Tensor]:
    """Text encoder -> (n, width): on the line from the class word (strength 0) to the learned vectors (1, exactly).

    A class word of m tokens is stretched to n vectors by interpolation; where n is 1, its mean counts.
    Raises SealError where the class word tokenises to nothing.
    """
    if strength == 1:
        return dict(concept.vectors)
    result = {}
    for encoder, learned in concept.vectors.items():
        ids = words.token_ids(encoder, concept.class_word)
        if not ids:
            raise SealError(
                f"embedding: {concept.name}'s class word {concept.class_word!r} tokenises to nothing; "
                "load it with another class_word, e.g. cat."
            )
        table = words.vocabulary(encoder)
        start = resampled(table[torch.tensor(ids, device=table.device)].to(learned), learned.shape[0])
        result[encoder] = start + strength * (learned - start)
    return result


def resampled(word: Tensor, count: int) -> Tensor:
    """(m, width) -> (count, width), linearly along the first axis with both ends kept; the mean where count is 1."""
    if count == 1:
        return word.mean(dim=0, keepdim=True)
    at = torch.linspace(0, word.shape[0] - 1, count)
    low = at.floor().long()
    high = (low + 1).clamp(max=word.shape[0] - 1)
    return torch.lerp(word[low], word[high], (at - low).unsqueeze(1).to(word))


def context_with_tail(context: Tensor, tail: Tensor, strength: float) -> Tensor:
    """(B, L, D) -> (B, L, D): the last n positions become TAIL_STRENGTH times the learned tail (n, D).

    strength 1 gives exactly that, 0 keeps the prompt's own tail; other values lie on the line between.
    """
    keep = context.shape[1] - tail.shape[0]
    own, learned = context[:, keep:], TAIL_STRENGTH * tail.to(context)
    blend = learned.expand_as(own) if strength == 1 else own + strength * (learned - own)
    return torch.cat((context[:, :keep], blend), dim=1)
