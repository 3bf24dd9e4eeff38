"""A prompt that names learned concepts -> CONDITIONING with its alternatives: what SEALTextEncode does."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...seal_core.concept.concept import Concept, Embedding
from ...seal_core.concept.mentions import concepts_named, split_at_names
from ...seal_core.concept.settings import Layers
from ...seal_core.concept.strength import check_strength, context_with_tail, vectors_at_strength
from ...seal_core.messages import SealError, notify_user
from .prompt_tokens import PromptTokens, literal, tokenize
from .routing.route import KEY, Route, is_restricted
from .routing.weights import WEIGHTS, weights_named
from .text_encoders import ComfyText, family, text_models

MAX_RESTRICTIONS = 4  # 2^4 encodings of the prompt

Conditioning = list[list[Any]]


def encode_prompt(clip: Any, text: str, embedding: Embedding, strength: float = 1.0) -> Conditioning:
    """CONDITIONING of `text`, which names the concepts of `embedding` by name or as embedding:FILE.

    strength: 0 = the class words, 1 = as learned; other values lie on the straight line through both.
    The context has every concept in it, bit for bit as ComfyUI's own `embedding:` gives it at strength 1. Where a
    concept is restricted, a Route for `routing.routed` rides along under KEY. The pooled vector is always the class
    words': SDXL adds it to every block, so it would undo the restriction.
    Raises SealError for an embedding of another family and for concepts that cannot share a prompt.
    """
    check_strength(strength)
    _check_family(clip, embedding)
    used = concepts_named(text, embedding.concepts)
    _check_names(text, used, embedding)
    tails = [c for c in used if c.carrier == "tail"]
    if len(tails) > 1:
        raise SealError(f"text: {' and '.join(c.name for c in tails)} both take the prompt's tail; name one of them.")
    _warn_clip_skip(clip, used)
    plain = _encode(clip, text, used, (), strength)
    if not used or strength == 0:
        return _conditioning(clip, plain, plain)

    restrictions = _restrictions(used)
    encodings = {}
    for count in range(len(restrictions) + 1):
        for let_in in itertools.combinations(range(len(restrictions)), count):
            active = [c for c in used if _is_active(c, [restrictions[i] for i in let_in])]
            encodings[frozenset(let_in)] = _encode(clip, text, used, active, strength) if active else plain
    full = encodings[frozenset(range(len(restrictions)))]
    result = _conditioning(clip, full, plain)
    needed = weights_named(used)
    for i, (_, extras) in enumerate(result):
        if needed:
            extras[WEIGHTS] = needed
        if restrictions:
            extras[KEY] = Route(restrictions, {let_in: each[i][0] for let_in, each in encodings.items()})
    return result


def _restrictions(used: Sequence[Concept]) -> tuple[Layers, ...]:
    """The different layer restrictions of the concepts. Raises SealError for too many."""
    found = tuple(dict.fromkeys(c.layers for c in used if is_restricted(c.layers)))
    if len(found) > MAX_RESTRICTIONS:
        raise SealError(
            f"text: its concepts have {len(found)} different layer restrictions; use at most {MAX_RESTRICTIONS} "
            "in one prompt, or train them with the same layers."
        )
    return found


def _is_active(concept: Concept, let_in: Collection[Layers]) -> bool:
    return not is_restricted(concept.layers) or concept.layers in let_in


def _conditioning(clip: Any, full: Conditioning, plain: Conditioning) -> Conditioning:
    result = []
    for (context, extras), (_, plain_extras) in zip(full, plain, strict=True):
        pooled = {k: plain_extras[k] for k in ("pooled_output",) if k in plain_extras}
        result.append([context, {**extras, **pooled, "seal_clip_skip": clip.layer_idx}])
    return result


def _encode(clip: Any, text: str, used: Sequence[Concept], active: Sequence[Concept], strength: float) -> Conditioning:
    """One encoding: with the vectors of the `active` concepts and the class words of the other `used` ones."""
    vectors = {}

    def piece(concept: Concept) -> tuple[str, bool]:
        if concept not in active or concept.carrier == "tail":
            return literal(concept.class_word), False
        vectors[concept.name] = vectors.get(concept.name) or vectors_at_strength(ComfyText(clip), concept, strength)
        return concept.name, True

    pieces = [(part, False) if isinstance(part, str) else piece(used[part]) for part in split_at_names(text, used)]
    tail = next((c for c in active if c.carrier == "tail"), None)
    tokens = tokenize(clip, pieces, vectors)
    # ComfyUI's own names of the encoders are without "clip_".
    encoded = clip.encode_from_tokens_scheduled({e.removeprefix("clip_"): read.pairs() for e, read in tokens.items()})
    if not all(bool(context.isfinite().all()) for context, _ in encoded):
        raise SealError(
            "text: encodes to values that are not numbers (NaN or infinite), which draw black pictures; look for a "
            "weight such as (cat:nan) or (cat:1e999), or load the text encoder in float32."
        )
    if tail is not None:
        if len(active) == len(used):  # once, for the encoding that the conditioning holds
            _warn_long(tokens, tail)
        encoded = [
            [context_with_tail(context[:, :77], tail.vectors["tail"], strength), extras] for context, extras in encoded
        ]
    return encoded


def _check_family(clip: Any, embedding: Embedding) -> None:
    mine = family(clip)
    if not mine.fits(embedding.family):
        raise SealError(
            f"embedding: {embedding.concepts[0].name} was trained for {embedding.family}, the clip is {mine}. "
            "Wire the CLIP of that base model, or an embedding of this one."
        )


_NAMED = re.compile(r"<[^<>\s:]{1,80}>")
"""What looks like a concept's name: trainings call theirs so unless the user names it."""


def _check_names(text: str, used: Sequence[Concept], embedding: Embedding) -> None:
    """A notice where a learned concept is meant and none is named, or another than there is."""
    names = [c.name for c in embedding.concepts]
    unknown = [name for name in dict.fromkeys(_NAMED.findall(text)) if name not in names]
    if unknown:
        notify_user(f"text: {', '.join(unknown)} is not learned; write {' or '.join(names)}. Read as plain words.")
    elif not used:
        notify_user(f"text: names no learned concept; write {' or '.join(names)} where the character belongs.")


def _warn_clip_skip(clip: Any, used: Sequence[Concept]) -> None:
    now = _layer(clip, clip.layer_idx)
    for concept in used:
        then = _layer(clip, concept.clip_skip)
        known = concept.clip_skip is not None or concept.provenance  # files from elsewhere do not say
        if known and then != now:
            notify_user(
                f"clip: {concept.name} was trained at CLIP layer {then}, this clip stops at {now}; set CLIP Set Last "
                f"Layer to {then}."
            )


def _layer(clip: Any, layer_idx: int | None) -> int:
    """A CLIP skip as a layer counted from the end; None is the model's default."""
    default = next(iter(text_models(clip).values())).options_default[1]
    return next(i for i in (layer_idx, default, -1) if i is not None)


def _warn_long(tokens: Mapping[str, PromptTokens], tail: Concept) -> None:
    room = 77 - tail.vectors["tail"].shape[0]
    if any(len(read.chunks) > 1 or read.length + 2 > room for read in tokens.values()):
        notify_user(f"text: it is cut after {room} tokens, where the tail of {tail.name} begins.")
