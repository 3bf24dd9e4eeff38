"""Names and class words in a text encoder's vocabulary."""

from __future__ import annotations

import torch
from torch import Tensor

from ..hosts.base import Words
from ..messages import SealError
from .settings import Tokens


def word_vectors(host: Words, encoder: str, words: str) -> Tensor:
    """Token embeddings of some words, (n, width) float32 on the CPU; n = 0 where they have no token."""
    table = host.vocabulary(encoder)
    ids = torch.tensor(host.token_ids(encoder, words), dtype=torch.long, device=table.device)
    return table[ids].float().cpu()


def trained_ids(host: Words, encoder: str) -> frozenset[int] | None:
    """Ids of the tokens that a text encoder saw in its own training, or None where the host cannot tell."""
    tell = getattr(host, "trained_ids", None)
    return tell(encoder) if tell else None


def is_known(host: Words, text: str) -> bool:
    """Whether every text encoder saw all tokens of these words in its own training, or cannot tell."""
    encoders = host.family.encoders
    return all((ids := trained_ids(host, e)) is None or ids.issuperset(host.token_ids(e, text)) for e in encoders)


def class_word_vector(host: Words, encoder: str, word: str) -> Tensor:
    """Token embedding of a class word, (width,) float32: the mean where it has several tokens.

    Raises SealError where the word tokenises to nothing.
    """
    vectors = word_vectors(host, encoder, word)
    if not len(vectors):
        raise SealError(f"class_word: {word!r} tokenises to nothing; use a plain word such as cat.")
    return vectors.mean(dim=0)


def mean_vector_norm(host: Words, encoder: str) -> float:
    """Mean L2 norm of the vocabulary's token embeddings."""
    return float(host.vocabulary(encoder).float().norm(dim=1).mean())


def require_new_name(text: Words, tokens: Tokens) -> None:
    """Raise SealError for a concept that is already a word, and for a class word that tokenises to nothing."""
    for encoder in text.family.encoders:
        if len(text.token_ids(encoder, tokens.concept)) == 1:
            raise SealError(
                f"concept: {tokens.concept!r} is already a word of {encoder}'s vocabulary, so prompts could not tell "
                f"the two apart. Choose another name, e.g. my-{tokens.concept.strip('<> ')}."
            )
        class_word_vector(text, encoder, tokens.class_word)


def tokens_in_words(text: Words, word: str) -> dict[str, str]:
    """Text encoder -> a sentence on how it reads a class word and how long the vectors are."""
    found = {}
    for encoder, width in text.family.widths:
        ids = text.token_ids(encoder, word)
        length, usual = float(class_word_vector(text, encoder, word).norm()), mean_vector_norm(text, encoder)
        what = "token" if len(ids) == 1 else "tokens, whose mean is the class word"
        sizes = f"{width} wide, {length:.3f} long (the vocabulary's mean: {usual:.3f})"
        found[encoder] = f"{word!r} -> {ids}: {len(ids)} {what}, {sizes}"
    return found
