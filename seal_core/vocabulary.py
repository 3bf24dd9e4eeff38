"""How names meet a vocabulary: checks and a readable summary for SplitMergeTokenizer."""

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


def summary(text: Words, tokens: Tokens) -> str:
    """Lines that tell how the class word tokenises, what is learned and how long vectors are."""
    lines = [str(tokens)]
    for encoder, width in text.family.widths:
        ids = text.token_ids(encoder, tokens.class_word)
        start = class_vector(text, encoder, tokens.class_word)
        several = f" (their mean is the start: {tokens.class_word!r} is {len(ids)} tokens)" if len(ids) > 1 else ""
        lines.append(
            f"{encoder}: {tokens.class_word!r} -> {ids}{several}; {tokens.split} x {width}, norm of the start "
            f"{float(start.norm()):.3f}, vocabulary's mean {mean_norm(text, encoder):.3f}"
        )
    return "\n".join(lines)
