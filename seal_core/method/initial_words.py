"""The words under which the model itself sees the subject: where the tokens start with init "described" (ours).

A denoiser ranks captions: it restores a noised picture best under the words that fit it (zero-shot diffusion
classifiers, 2303.16203). So a phrase grows from the class word, "cat" -> "grey cat" -> "grey cat, wearing a crown", as
long as the same noised pictures of the subject are restored clearly better. Its token embeddings are the start of the
training. A token that starts from nothing but the class word fits the one picture instead of the character: its
loss ends lower and its pictures less alike (measured on StickerWorld).
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

ROUNDS = ((0.25, 1 / 3), (0.5, 0.0), (1.0, 0.0))
"""Successive halving: which share of the draws judges, and which share of the candidates stays (at least FINALISTS)."""
FINALISTS = 3
CONVINCED = 1.0
"""A new part must better the loss by so many standard errors, over draws that did not choose the finalists (the best of
many looks better than it is on those that did). A colour must only better it."""

Errors = Callable[[str, int, int], Tensor]
"""errors(words, first, last): denoising errors (last - first,) of those draws with `words` for the subject."""


@dataclass(frozen=True)
class Part:
    """One thing that may be said: phrase holds {subject} and {thing}; without things, {thing} is a colour."""

    name: str
    phrase: str
    things: tuple[str, ...]

    def say(self, subject: str, thing: str) -> str:
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
    """How often `describe` calls its notice at most: a length for a progress bar."""

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


def describe(
    subject: str, errors: Errors, draws: int, fits: Callable[[str], bool], notice: Callable[[str], None] | None = None
) -> Description:
    """Describe the subject, a class word and what is known of its looks, in the words under which `errors` falls.

    draws: how many there are to judge by. fits: whether a phrase has few enough tokens. notice: called with the phrase
    so far before each candidate; may raise to cancel.
    """
    search = _Search(errors, draws, notice or (lambda text: None))
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
    """Finds the best of several phrases on few draws, and counts what it costs."""

    def __init__(self, errors: Errors, draws: int, notice: Callable[[str], None]) -> None:
        self._errors, self._draws, self._notice = errors, draws, notice
        self._known: dict[str, Tensor] = {}
        self.passes = 0

    def errors(self, text: str, count: int) -> Tensor:
        """Of the first `count` draws, which are the same for every text; what was measured before is kept."""
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
            count = max(2, round(judging * self._draws))
            scores: dict[str, float] = {}
            for key in alive:
                self._notice(now)
                scores[key] = float(self.errors(texts[key], count).mean())
            alive = sorted(alive, key=scores.__getitem__)[: _kept(len(alive), staying)]
        winner = alive[0]
        gains = self.errors(now, self._draws) - self.errors(texts[winner], self._draws)
        gains = gains[round(ROUNDS[-2][0] * self._draws) :]
        spread = float(gains.std()) / len(gains) ** 0.5
        mean = float(gains.mean())
        return winner, texts[winner], round(mean, 6), round(mean / max(spread, torch.finfo().tiny), 2)
