"""The words that init "described" may try: by kind, in groups, each with a few that stand for it (ours).

They are in describing_words.json, which `python -m seal_core.world words` makes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

WORDS_FILE = Path(__file__).with_name("describing_words.json")

Group = tuple[str, ...]
"""Things of one kind, as they are said ("a hat", "glasses"). The first ones stand for all of them."""


@dataclass(frozen=True)
class Part:
    """One thing that may be said: phrase holds {subject} and {thing}; without groups, {thing} is a colour.

    coloured: whether the thing may have a colour of its own. generic: whether only a class word that says nothing of
    the looks, such as "character", has this part.
    """

    name: str
    phrase: str
    groups: tuple[Group, ...] = ()
    coloured: bool = False
    generic: bool = False

    def say(self, subject: str, thing: str) -> str:
        """The subject with this thing said of it."""
        return self.phrase.replace("{subject}", subject).replace("{thing}", thing)


@dataclass(frozen=True)
class Grammar:
    """parts: in the order in which they are looked for. shades: words before a colour. generic: class words that say
    nothing of the looks."""

    colours: Group
    parts: tuple[Part, ...]
    shades: Group = ()
    generic: Group = ()

    def parts_for(self, class_word: str) -> tuple[Part, ...]:
        """The parts that a class word leaves open."""
        vague = class_word.lower().split()[-1] in self.generic
        return tuple(p for p in self.parts if vague or not p.generic)

    def known(self, knows: Callable[[str], bool]) -> Grammar:
        """Without the words that a model never saw."""

        def kept(words: Sequence[str]) -> Group:
            return tuple(w for w in words if knows(w))

        parts = [replace(p, groups=tuple(filter(None, map(kept, p.groups)))) for p in self.parts]
        left = tuple(p for p, whole in zip(parts, self.parts) if p.groups or not whole.groups)
        return replace(self, colours=kept(self.colours), shades=kept(self.shades), parts=left)


@functools.lru_cache(maxsize=1)
def grammar() -> Grammar:
    """All words that may be tried."""
    data: Mapping = json.loads(WORDS_FILE.read_text(encoding="utf-8"))
    parts = tuple(Part(**{**p, "groups": tuple(map(tuple, p["groups"]))}) for p in data["parts"])
    return Grammar(tuple(data["colours"]), parts, tuple(data["shades"]), tuple(data["generic"]))


def coloured(thing: str, colour: str) -> str:
    """ "a bow", "orange" -> "an orange bow"; "glasses", "red" -> "red glasses"."""
    article, _, noun = thing.partition(" ")
    if article not in ("a", "an"):
        return f"{colour} {thing}"
    return f"{'an' if colour[0] in 'aeiou' else 'a'} {colour} {noun}"
