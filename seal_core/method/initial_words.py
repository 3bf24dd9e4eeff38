"""Words to start from: those under which the model itself sees the subject (init "described"; ours).

A denoiser ranks captions: it restores a noised picture best under the words that fit it (zero-shot diffusion
classifiers, 2303.16203). So a phrase grows from the class word, "cat" -> "grey cat" -> "grey cat, wearing a crown", as
long as it restores the same noised pictures of the subject better. There are about a thousand things to say, so the
search goes from groups to their members: where "a hat" helps it tries a beanie. Its token embeddings start the
training. A token that starts from the class word alone fits the one picture instead of the character: its loss ends
lower, and its pictures are less like the character (measured on StickerWorld).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..concept.vocabulary import is_known, word_vectors
from ..prompts.attributes import clean_value
from .config import TrainConfig
from .describing_words import Grammar, Part, coloured, grammar
from .examples import Example, Examples
from .frozen_prefix import FrozenPrefix
from .given_looks import with_looks
from .learned import LearnedTokens
from .losses import denoising_errors
from .step import Step
from .word_search import CONVINCED, MOST_PASSES, NOISE_LEVELS, Errors, WordSearch, most_looks, rows_at_once

STEPS_PER_EXAMPLE = 25
"""The search passes each of its examples through the U-Net 40 to 80 times; a step, with its gradient, costs about three
passes. So with one example for 25 steps the search takes about as long as the training."""
FEWEST, MOST = 4, 32
"""Examples that judge the words, unless the config says how many."""
COLOURED = 2
"""How many of the best things are tried in every colour."""
GUESSED = 0.5
"""By how many standard errors a part must lower the loss. A fair guess is said, too: with a hat for a bow of one colour
the character comes out nearly as alike as with the bow, with neither much less, and the training learns what the words
get wrong (seven StickerWorld characters of the validation split: likeness .52 at CONVINCED, .57 here)."""


@dataclass(frozen=True)
class Description:
    """What was found. parts: name -> what was tried last, its gain in the loss and that gain in standard errors.

    passes: rows that went through the U-Net.
    """

    text: str
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    passes: int = 0


def most_notices(class_word: str) -> int:
    """How often the search for this class word calls its notice at most: a length for a progress bar."""

    words = grammar()
    total = 0
    for part in words.parts_for(class_word):
        total += most_looks(part.groups or (words.colours,))
        if part.coloured:
            total += most_looks([words.colours * COLOURED]) + most_looks(part.groups)
        elif not part.groups and words.shades:
            total += most_looks([words.shades])
    return total


def start_from_words(
    step: Step, examples: Examples, config: TrainConfig, notice: Callable[[str], None] | None = None
) -> Description:
    """Find the words under which the model sees the subject, and let the learned tokens start there.

    Where the appearance is known, its words are taken and nothing is looked for. notice: called with the phrase so far
    before each candidate; may raise to cancel.
    """
    host, learned = step.host, step.learned
    assert isinstance(learned, LearnedTokens)
    encoders = host.family.encoders

    def fits(text: str) -> bool:
        return all(len(host.token_ids(e, text)) <= config.tokens.split for e in encoders)

    subject = " ".join(config.tokens.class_word.split())
    known = with_looks(subject, clean_value("appearance", dict(config.attributes).get("appearance")), fits)
    if known != subject:
        found = Description(known, {"appearance": {"thing": known, "accepted": True}})
        learned.start_from({e: word_vectors(host, e, known) for e in encoders})
        return found
    as_long = min(max(config.steps * config.batch_size // STEPS_PER_EXAMPLE, FEWEST), MOST)
    judges = examples.spread(config.describe_draws or as_long, *NOISE_LEVELS)
    prefix = step.new_prefix()

    def errors(words: str, first: int, last: int) -> Tensor:
        return subject_errors(step, examples, words, judges[first:last], prefix)

    found = grow_phrase(subject, errors, len(judges), fits, notice, grammar().known(partial(is_known, host)))
    learned.start_from({e: word_vectors(host, e, found.text) for e in encoders})
    return found


@torch.no_grad()
def subject_errors(
    step: Step, examples: Examples, words: str, chosen: Sequence[Example], prefix: FrozenPrefix | None
) -> Tensor:
    """Denoising errors (n,) of the subject alone in these examples, with plain words in the concept's place."""
    assert isinstance(step.learned, LearnedTokens)
    found = torch.zeros(len(chosen))
    for places, batch in examples.batches(chosen, rows_at_once(step.config.batch_size)):
        plain = step.plain(batch.prompts)
        worded = step.learned.encode_words(batch.prompts, words, plain, step.encode_for(batch))
        x_0 = step.denoise(batch, plain, worded, prefix)
        found[places] = denoising_errors(x_0, batch.latents, batch.weights, batch.masks, 0.0).cpu()
    return found


def grow_phrase(
    subject: str,
    errors: Errors,
    count: int,
    fits: Callable[[str], bool],
    notice: Callable[[str], None] | None = None,
    words: Grammar | None = None,
) -> Description:
    """Add to the class word `subject` whatever words lower `errors`, then drop those that help no more.

    count: how many examples there are to judge by. fits: whether a phrase has few enough tokens. notice: as in
    `start_from_words`. words: those that may be tried; default all.
    """
    words = words or grammar()
    search = WordSearch(errors, count, notice or (lambda text: None))
    said, seen, body = list[tuple[Part, str]](), dict[str, dict[str, Any]](), ""
    parts = words.parts_for(subject)
    for number, part in enumerate(parts, 1):
        search.most = number * MOST_PASSES * count // len(parts)
        now = _phrase(subject, said)

        def options(things: Sequence[str], part: Part = part, now: str = now) -> dict[str, str]:
            return {t: text for t in things if fits(text := part.say(now, t))}

        ranked = search.best(now, [options(group) for group in part.groups or (words.colours,)])
        if not ranked:
            continue
        thing = ranked[0]
        if part.coloured:  # a thing said without its colour is drawn in any: it helps little, or not at all
            hues = {coloured(t, c): c for t in ranked[:COLOURED] for c in words.colours if c != body}
            for name in search.best(now, [options(list(hues))])[:1]:
                alike = [options([coloured(t, hues[name]) for t in group]) for group in part.groups]
                thing = search.better(now, options([thing, name, *search.best(now, alike)[:1]]))
        gain, sigmas = search.gain(now, part.say(now, thing))
        accepted = sigmas > (GUESSED if part.groups else 0)  # everything has some colour, few things wear a cape
        seen[part.name] = {"thing": thing, "gain": gain, "sigmas": sigmas, "accepted": accepted}
        if not accepted:
            continue
        if not part.groups:
            body, so_far = thing, part.say(now, thing)
            shades = search.best(so_far, [options([f"{shade} {thing}" for shade in words.shades])])
            if shades and search.gain(so_far, part.say(now, shades[0]))[1] > CONVINCED:
                thing = shades[0]
                seen[part.name] |= {"thing": thing, "gain": search.gain(now, part.say(now, thing))[0]}
        said.append((part, thing))
    for step in list(said):
        fewer = [s for s in said if s is not step]
        if search.mean(_phrase(subject, fewer)) <= search.mean(_phrase(subject, said)):
            said, seen[step[0].name] = fewer, seen[step[0].name] | {"accepted": False}
    return Description(_phrase(subject, said), seen, search.passes)


def _phrase(subject: str, said: Sequence[tuple[Part, str]]) -> str:
    """The subject with all that is said of it."""
    for part, thing in said:
        subject = part.say(subject, thing)
    return subject
