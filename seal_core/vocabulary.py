"""How names meet a vocabulary: what a training refuses, and what its report says of the class word."""

from __future__ import annotations

from .config import Tokens
from .errors import SealError
from .host import Words
from .tokens import class_vector, mean_norm


def check(text: Words, tokens: Tokens) -> None:
    """Raise SealError for a concept that is a word already, and for a class word that tokenises to nothing."""
    for encoder in text.family.encoders:
        if len(text.token_ids(encoder, tokens.concept)) == 1:
            raise SealError(
                f"concept: {tokens.concept!r} is already a word of {encoder}'s vocabulary, so prompts could not tell "
                f"the two apart. Choose another name, e.g. my-{tokens.concept.strip('<> ')}."
            )
        class_vector(text, encoder, tokens.class_word)


def tokenised(text: Words, word: str) -> dict[str, str]:
    """Text encoder -> how it reads a class word, and how long vectors are, in words."""
    found = {}
    for encoder, width in text.family.widths:
        ids = text.token_ids(encoder, word)
        length, usual = float(class_vector(text, encoder, word).norm()), mean_norm(text, encoder)
        what = "token" if len(ids) == 1 else "tokens, whose mean is the class word"
        sizes = f"{width} wide, {length:.3f} long (the vocabulary's mean: {usual:.3f})"
        found[encoder] = f"{word!r} -> {ids}: {len(ids)} {what}, {sizes}"
    return found
