"""Words to start from: those under which the model itself sees the subject (init "described"; ours).

A denoiser ranks captions: it restores a noised picture best under the words that fit it (zero-shot diffusion
classifiers, 2303.16203). So a phrase grows from the class word, "cat" -> "grey cat" -> "grey cat, wearing a crown", as
long as it restores the same noised pictures of the subject clearly better. Its token embeddings start the training. A
token that starts from the class word alone fits the one picture instead of the character: its loss ends lower, and its
pictures are less like the character (measured on StickerWorld).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..concept.vocabulary import word_vectors
from ..prompts.attributes import clean_value
from .config import TrainConfig
from .examples import Example, Examples
from .frozen_prefix import FrozenPrefix
from .learned import LearnedTokens
from .losses import denoising_errors
from .step import Step

NOISE_LEVELS = (0.1, 0.7)
"""At which noise levels words are judged, as shares of the token's time window, 0 = its cleanest. Chosen on
StickerWorld: colours tell at the noisy end, small things at the clean one."""
STEPS_PER_EXAMPLE = 15
"""The search passes each of its examples through the U-Net about 42 times; a step, with its gradient, costs about three
passes. So with one example for 15 steps the search takes about as long as the training."""
FEWEST, MOST = 4, 48
"""Examples that judge the words, unless the config says how many."""
FEWEST_ROWS = 4
"""Rows that are passed at once, at least: without a gradient they take little memory."""

ROUNDS = ((0.25, 1 / 3), (0.5, 0.0), (1.0, 0.0))
"""Successive halving: which share of the examples judges, and which share of the candidates stays, FINALISTS
at least."""
FINALISTS = 3
CONVINCED = 1.0
"""By how many standard errors a new part must lower the loss, on examples that did not choose the finalists (on those
that did, the best of many looks better than it is). A colour must only lower it."""

Errors = Callable[[str, int, int], Tensor]
"""errors(words, first, last): denoising errors (last - first,) of those examples, with `words` for the subject."""


@dataclass(frozen=True)
class Part:
    """One thing that may be said: phrase holds {subject} and {thing}; without things, {thing} is a colour."""

    name: str
    phrase: str
    things: tuple[str, ...]

    def say(self, subject: str, thing: str) -> str:
        """The subject with this thing said of it."""
        return self.phrase.replace("{subject}", subject).replace("{thing}", thing)


@dataclass(frozen=True)
class Description:
    """What was found. parts: name -> what was tried last, its gain in the loss and that gain in standard errors.

    passes: rows that went through the U-Net.
    """

    text: str
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    passes: int = 0


@functools.lru_cache(maxsize=1)
def grammar() -> tuple[tuple[str, ...], tuple[Part, ...]]:
    """(colours, parts in the order in which they are looked for)."""
    data = json.loads(Path(__file__).with_name("initial_words.json").read_text(encoding="utf-8"))
    return tuple(data["colours"]), tuple(Part(p["name"], p["phrase"], tuple(p["things"])) for p in data["parts"])


def most_notices() -> int:
    """How often the search calls its notice at most: a length for a progress bar."""

    def rounds(candidates: int) -> int:
        total = 0
        for _, share in ROUNDS:
            total += candidates
            candidates = _kept(candidates, share)
        return total

    colours, parts = grammar()
    return sum(rounds(len(p.things or colours)) + (rounds(len(colours)) if p.things else 0) for p in parts)


def _kept(candidates: int, share: float) -> int:
    """How many candidates a round leaves."""
    return min(candidates, max(FINALISTS, round(share * candidates)))


def coloured(thing: str, colour: str) -> str:
    """ "a bow", "orange" -> "an orange bow"; "glasses", "red" -> "red glasses"."""
    article, _, noun = thing.partition(" ")
    if article not in ("a", "an"):
        return f"{colour} {thing}"
    return f"{'an' if colour[0] in 'aeiou' else 'a'} {colour} {noun}"


def start_from_words(
    step: Step, examples: Examples, config: TrainConfig, notice: Callable[[str], None] | None = None
) -> Description:
    """Find the words under which the model sees the subject, and let the learned tokens start there.

    What is known of the appearance is said from the beginning, where it fits. notice: called with the phrase so far
    before each candidate; may raise to cancel.
    """
    host, learned = step.host, step.learned
    assert isinstance(learned, LearnedTokens)
    encoders = host.family.encoders

    def fits(text: str) -> bool:
        return all(len(host.token_ids(e, text)) <= config.tokens.split for e in encoders)

    subject = " ".join(config.tokens.class_word.split())
    looks = clean_value("appearance", dict(config.attributes).get("appearance"))
    if looks and fits(f"{subject}, {looks}"):
        subject = f"{subject}, {looks}"
    as_long = min(max(config.steps * config.batch_size // STEPS_PER_EXAMPLE, FEWEST), MOST)
    judges = examples.spread(config.describe_draws or as_long, *NOISE_LEVELS)
    prefix = step.new_prefix()

    def errors(words: str, first: int, last: int) -> Tensor:
        return subject_errors(step, examples, words, judges[first:last], prefix)

    found = grow_phrase(subject, errors, len(judges), fits, notice)
    learned.start_from({e: word_vectors(host, e, found.text) for e in encoders})
    return found


@torch.no_grad()
def subject_errors(
    step: Step, examples: Examples, words: str, chosen: Sequence[Example], prefix: FrozenPrefix | None
) -> Tensor:
    """Denoising errors (n,) of the subject alone in these examples, with plain words in the concept's place."""
    assert isinstance(step.learned, LearnedTokens)
    found = torch.zeros(len(chosen))
    for places, batch in examples.batches(chosen, max(FEWEST_ROWS, 2 * step.config.batch_size)):
        plain = step.plain(batch.prompts)
        worded = step.learned.encode_words(batch.prompts, words, plain)
        x_0 = step.denoise(batch, plain, worded, prefix)
        found[places] = denoising_errors(x_0, batch.latents, batch.weights, batch.masks, 0.0).cpu()
    return found


def grow_phrase(
    subject: str, errors: Errors, count: int, fits: Callable[[str], bool], notice: Callable[[str], None] | None = None
) -> Description:
    """Add to the subject, a class word and what is known of its looks, whatever words lower `errors`.

    count: how many examples there are to judge by. fits: whether a phrase has few enough tokens. notice: as in
    `start_from_words`.
    """
    search = _Search(errors, count, notice or (lambda text: None))
    colours, parts = grammar()
    now, seen = subject, {}
    for part in parts:
        things = part.things or colours
        found = search.best(now, {t: part.say(now, t) for t in things if fits(part.say(now, t))})
        if found is None:
            continue
        thing, said, gain, sigmas = found
        accepted = sigmas > (CONVINCED if part.things else 0)  # everything has some colour, few things wear a cape
        seen[part.name] = {"thing": thing, "gain": gain, "sigmas": sigmas, "accepted": accepted}
        if not accepted:
            continue
        if part.things:
            others = (c for c in colours if not now.startswith(f"{c} "))  # spots of the ground's own colour are none
            options = {(t := coloured(thing, c)): part.say(now, t) for c in others}
            closer = search.best(said, {t: text for t, text in options.items() if fits(text)})
            if closer is not None and closer[2] > 0:
                said = closer[1]
                seen[part.name] |= {"thing": closer[0], "gain": round(gain + closer[2], 6)}
        now = said
    return Description(now, seen, search.passes)


class _Search:
    """Finds the best of several phrases with few passes, and counts them."""

    def __init__(self, errors: Errors, count: int, notice: Callable[[str], None]) -> None:
        self._errors, self._count, self._notice = errors, count, notice
        self._known: dict[str, Tensor] = {}
        self.passes = 0

    def errors(self, text: str, count: int) -> Tensor:
        """Of the first `count` examples, the same for every text; what was measured before is kept."""
        known = self._known.get(text, torch.empty(0))
        if len(known) < count:
            self.passes += count - len(known)
            known = self._known[text] = torch.cat([known, self._errors(text, len(known), count).cpu()])
        return known[:count]

    def best(self, now: str, texts: Mapping[str, str]) -> tuple[str, str, float, float] | None:
        """(key, text, mean gain over `now`, the gain in standard errors) of the best of texts (key -> phrase)."""
        alive: Sequence[str] = list(texts)
        if not alive:
            return None
        for judging, staying in ROUNDS:
            count = max(2, round(judging * self._count))
            scores: dict[str, float] = {}
            for key in alive:
                self._notice(now)
                scores[key] = float(self.errors(texts[key], count).mean())
            alive = sorted(alive, key=scores.__getitem__)[: _kept(len(alive), staying)]
        winner = alive[0]
        gains = self.errors(now, self._count) - self.errors(texts[winner], self._count)
        gains = gains[round(ROUNDS[-2][0] * self._count) :]
        spread = float(gains.std()) / len(gains) ** 0.5
        mean = float(gains.mean())
        return winner, texts[winner], round(mean, 6), round(mean / max(spread, torch.finfo().tiny), 2)
