"""Words to start from: those under which the model itself sees the subject (init "described"; ours).

A denoiser ranks captions: it restores a noised picture best under the words that fit it (zero-shot diffusion
classifiers, 2303.16203). So a phrase grows from the class word, "cat" -> "grey cat" -> "grey cat, wearing a crown", as
long as it restores the same noised pictures of the subject clearly better. There are about a thousand things to say, so
the search goes from groups to their members: where "a hat" helps it tries a beanie. Its token embeddings start the
training. A token that starts from the class word alone fits the one picture instead of the character: its loss ends
lower, and its pictures are less like the character (measured on StickerWorld).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from ..concept.vocabulary import trained_ids, word_vectors
from ..prompts.attributes import clean_value
from .config import TrainConfig
from .describing_words import Grammar, Part, coloured, grammar
from .examples import Example, Examples
from .frozen_prefix import FrozenPrefix
from .given_looks import with_looks
from .learned import LearnedTokens
from .losses import denoising_errors
from .step import Step

NOISE_LEVELS = (0.4, 1.0)
"""At which noise levels words are judged, as shares of the token's time window, 0 = its cleanest. Where the picture
still shows what it is, words tell little. Only the references as they are judge: pasted on painted grounds, a picture
is so unlike what the model has seen that words tell a fifth as much (measured on StickerWorld)."""
STEPS_PER_EXAMPLE = 25
"""The search passes each of its examples through the U-Net 40 to 80 times; a step, with its gradient, costs about three
passes. So with one example for 25 steps the search takes about as long as the training."""
MOST_PASSES = 84
"""Passes per example, at most: where they run short, the rarer words are not tried."""
FEWEST, MOST = 4, 32
"""Examples that judge the words, unless the config says how many."""
FEWEST_ROWS = 4
"""Rows that are passed at once, at least: without a gradient they take little memory."""

STANDING = 2
"""The first words of a group stand for it."""
OPENED = 2
"""How many groups are looked into."""
FIRST_LOOK = 4.0
"""Passes per example that the first look at all candidates should cost: each is judged by 1/8 to 1/4 of the examples,
fewer the more candidates there are."""
SEEN_AGAIN, FINALISTS = 9, 3
ROUNDS = ((0.25, FINALISTS), (0.5, FINALISTS), (1.0, 1))
"""Successive halving of the SEEN_AGAIN that a first look leaves: which share of the examples judges, and how many
candidates stay."""
COLOURED = 2
"""How many of the best things are tried in every colour."""
LAST_ROUNDS = 8
"""Passes per example that are kept back for the rounds after a first look, and for the colour of what was found."""
CONVINCED = 1.5
"""By how many standard errors a new part must lower the loss, on examples that did not choose the finalists (on those
that did, the best of many looks better than it is). A colour must only lower it."""

Errors = Callable[[str, int, int], Tensor]
"""errors(words, first, last): denoising errors (last - first,) of those examples, with `words` for the subject."""


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

    def looks(groups: Sequence[Sequence[str]]) -> int:
        sizes = sorted(map(len, groups), reverse=True)
        shown = sizes[0] if len(sizes) == 1 else sum(min(STANDING, n) for n in sizes)
        candidates = shown + sum(max(0, n - STANDING) for n in sizes[:OPENED] if len(sizes) > 1)
        staying = (SEEN_AGAIN, *(most for _, most in ROUNDS[:-1]))
        return candidates + sum(min(candidates, most) for most in staying)

    words = grammar()
    total = 0
    for part in words.parts_for(class_word):
        total += looks(part.groups or (words.colours,))
        if part.coloured:
            total += looks([words.colours * COLOURED]) + looks(part.groups)
        elif not part.groups and words.shades:
            total += looks([words.shades])
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

    def knows(text: str) -> bool:
        return all((ids := trained_ids(host, e)) is None or ids.issuperset(host.token_ids(e, text)) for e in encoders)

    found = grow_phrase(subject, errors, len(judges), fits, notice, grammar().known(knows))
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
    search = _Search(errors, count, notice or (lambda text: None))
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
        accepted = sigmas > (CONVINCED if part.groups else 0)  # everything has some colour, few things wear a cape
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


class _Search:
    """Finds the best of several phrases with few passes, and counts them. most: passes that it may have made by now."""

    def __init__(self, errors: Errors, count: int, notice: Callable[[str], None]) -> None:
        self._errors, self._count, self._notice = errors, count, notice
        self._known: dict[str, Tensor] = {}
        self.passes, self.most = 0, MOST_PASSES * count

    def errors(self, text: str, count: int) -> Tensor:
        """Of the first `count` examples, the same for every text; what was measured before is kept."""
        known = self._known.get(text, torch.empty(0))
        if len(known) < count:
            self.passes += count - len(known)
            known = self._known[text] = torch.cat([known, self._errors(text, len(known), count).cpu()])
        return known[:count]

    def mean(self, text: str) -> float:
        """Of all examples."""
        return float(self.errors(text, self._count).mean())

    def _scores(self, now: str, texts: Mapping[str, str], count: int) -> dict[str, float]:
        """Mean errors of the texts (key -> phrase) over the first `count` examples."""
        scores = {}
        for key, text in texts.items():
            self._notice(now)
            scores[key] = float(self.errors(text, count).mean())
        return scores

    def _first_look(self, now: str, groups: Sequence[Mapping[str, str]]) -> tuple[dict[str, str], list[str]]:
        """(all texts that were looked at, the keys that stay): what stands for a group first, then the best groups."""
        standing = {k: t for g in groups for k, t in islice(g.items(), STANDING if len(groups) > 1 else None)}
        share = min(max(FIRST_LOOK / len(standing), ROUNDS[0][0] / 2), ROUNDS[0][0])
        count = max(2, round(share * self._count))
        spare = self.most - self.passes - LAST_ROUNDS * self._count
        texts = dict(islice(standing.items(), max(FINALISTS, spare // count)))
        scores = self._scores(now, texts, count)
        if len(groups) > 1:
            best = sorted(groups, key=lambda g: min(scores.get(k, math.inf) for k in g))[:OPENED]
            members = {k: t for g in best for k, t in g.items() if k not in standing}
            spare = self.most - self.passes - LAST_ROUNDS * self._count
            members = dict(islice(members.items(), max(0, spare // count)))
            texts, scores = texts | members, scores | self._scores(now, members, count)
        return texts, sorted(scores, key=scores.__getitem__)[:SEEN_AGAIN]

    def best(self, now: str, groups: Sequence[Mapping[str, str]]) -> list[str]:
        """Keys of the best of all texts (key -> phrase), the best first; none where there are no texts."""
        groups = [group for group in groups if group]
        if not groups:
            return []
        texts, alive = self._first_look(now, groups)
        ranked = list[str]()
        for judging, staying in ROUNDS:
            scores = self._scores(now, {key: texts[key] for key in alive}, max(2, round(judging * self._count)))
            ranked = sorted(alive, key=scores.__getitem__)
            alive = ranked[:staying]
        return ranked

    def better(self, now: str, texts: Mapping[str, str]) -> str:
        """Key of the text that gains most over `now`."""
        return max(texts, key=lambda key: self.gain(now, texts[key])[0])

    def gain(self, now: str, text: str) -> tuple[float, float]:
        """(mean gain of a finalist over `now`, the same in standard errors), on examples that chose no finalist."""
        gains = self.errors(now, self._count) - self.errors(text, self._count)
        gains = gains[round(ROUNDS[-2][0] * self._count) :]
        spread = float(gains.std()) / len(gains) ** 0.5
        mean = float(gains.mean())
        return round(mean, 6), round(mean / max(spread, torch.finfo().tiny), 2)
