"""Finds the phrase under which a model restores noised pictures best, with few passes through its U-Net (ours).

Candidates are halved again and again: many are looked at on few examples, those that stay on more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import torch
from torch import Tensor

NOISE_LEVELS = (0.4, 1.0)
"""At which noise levels words are judged, as shares of the token's time window, 0 = its cleanest. Where the picture
still shows what it is, words tell little. Only the references as they are judge: pasted on painted grounds, a picture
is so unlike what the model has seen that words tell a fifth as much (measured on StickerWorld)."""
FEWEST_ROWS = 4
"""Rows that are passed at once, at least: without a gradient they take little memory."""
MOST_PASSES = 84
"""Passes per example, at most: where they run short, the rarer words are not tried."""
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
LAST_ROUNDS = 8
"""Passes per example that are kept back for the rounds after a first look, and for the colour of what was found."""
CONVINCED = 1.5
"""By how many standard errors words must lower the loss to be taken for seen, on examples that did not choose the
finalists (on those that did, the best of many looks better than it is)."""

Errors = Callable[[str, int, int], Tensor]
"""errors(words, first, last): denoising errors (last - first,) of those examples, with `words` for the subject."""


def rows_at_once(batch_size: int) -> int:
    """How many examples a search passes through the U-Net at once, for a training's batch size."""
    return max(FEWEST_ROWS, 2 * batch_size)


def most_looks(groups: Sequence[Sequence[str]]) -> int:
    """How many candidates `WordSearch.best` looks at, at most; its notice is called as often."""
    sizes = sorted(map(len, groups), reverse=True)
    shown = sizes[0] if len(sizes) == 1 else sum(min(STANDING, n) for n in sizes)
    candidates = shown + sum(max(0, n - STANDING) for n in sizes[:OPENED] if len(sizes) > 1)
    staying = (SEEN_AGAIN, *(most for _, most in ROUNDS[:-1]))
    return candidates + sum(min(candidates, most) for most in staying)


class WordSearch:
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
