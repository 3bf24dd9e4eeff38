"""`python -m seal_core.world words`: the words that `described` tries, as the file that ships.

word_groups.json says by hand what belongs together: a group's first words stand for it, the others were added by eye.
WordNet fills the group up: nouns below the named senses, in their first or second meaning, that CLIP's tokenizer writes
in one token, which only common words have; the tokens of the commonest have the lowest ids. "not" takes out by eye what
a picture does not show, what is rude, and what means something else to most people.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...demo.model_file import clip_bpe
from ...files.whole_file import write_output
from ...messages import SealError
from ...method.describing_words import WORDS_FILE
from .wordnet import WordNet, read_wordnet

GROUPS_FILE = Path(__file__).with_name("word_groups.json")
SOURCE = (
    "Grouped by hand; groups are filled up from WordNet 3.1, Copyright 2011 by Princeton University, see "
    "WORDNET_LICENSE.txt. Made by `python -m seal_core.world words`."
)
MOST_IN_A_GROUP = 40
MEANINGS = 2
"""A word counts in its first so many meanings: a bishop is hardly ever a drink."""


def listed(text: str) -> list[str]:
    return [word for word in (w.strip() for w in text.split(",")) if word]


def common_nouns(wordnet: WordNet, senses: Iterable[str]) -> list[str]:
    """Nouns below the senses that are one token to CLIP, the commonest first."""
    tokens = clip_bpe()[0]
    found = {}
    for sense in senses:
        for noun, meaning in wordnet.below(sense):
            if meaning <= MEANINGS and f"{noun}</w>" in tokens:
                found[noun] = tokens[f"{noun}</w>"]
    return sorted(found, key=found.__getitem__)


def with_article(phrase: str, mass: Sequence[str]) -> str:
    """ "top hat" -> "a top hat"; plurals and mass nouns stay as they are."""
    last = phrase.split()[-1]
    plural = last.endswith("s") and not last.endswith(("ss", "us"))
    if plural or last in mass or phrase in mass or last in ("antennae", "feet", "teeth", "face"):
        return phrase
    return f"{'an' if phrase[0] in 'aeio' else 'a'} {phrase}"


def group_words(group: Mapping[str, str], wordnet: WordNet, taken: Iterable[str]) -> list[str]:
    """A group's words, those that stand for it first; none that another group of its part has already."""
    never = {*group["not"].split(), *taken}
    words = dict.fromkeys([*listed(group["words"]), *common_nouns(wordnet, group["wordnet"].split())])
    return [w for w in words if w not in never][:MOST_IN_A_GROUP]


def made_words(wordnet: WordNet, given: Mapping[str, Any]) -> dict[str, Any]:
    """The content of the file that ships."""
    mass, parts = listed(given["mass"]), []
    for part in given["parts"]:
        by_hand = [set(listed(group["words"])) for group in part["groups"]]
        groups: list[list[str]] = []
        for i, group in enumerate(part["groups"]):
            elsewhere = set().union(*by_hand[:i], *groups, *(by_hand[i + 1 :]))
            words = group_words(group, wordnet, elsewhere - by_hand[i] | set().union(*groups))
            groups.append(words)
        said = [[w if part.get("bare") else with_article(w, mass) for w in group] for group in groups]
        flags = {name: True for name in ("coloured", "generic") if part.get(name)}
        parts.append({"name": part["name"], "phrase": part["phrase"], **flags, "groups": said})
    lists = {name: listed(given[name]) for name in ("colours", "shades", "generic")}
    return {"source": SOURCE, **lists, "parts": parts}


def as_text(words: Mapping[str, Any]) -> str:
    """JSON with a line for each list, so that a change shows where it is."""
    lines = json.dumps(words, indent=1, ensure_ascii=False).splitlines()
    text, depth = "", 0
    for line in lines:
        inner = line.strip()
        plain = inner.startswith('"') and inner.rstrip(",").endswith('"') and '": ' not in inner
        ends = inner.rstrip(",") == "]" and depth
        text += f" {inner}" if plain or ends else f"\n{line}"
        depth = 1 if plain else 0
    return f"{text.strip()}\n"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wordnet", type=Path, required=True, metavar="DIR", help="dict folder of WordNet 3.1")
    parser.add_argument("--out", type=Path, default=WORDS_FILE, metavar="FILE", help="(default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    given = json.loads(GROUPS_FILE.read_text(encoding="utf-8"))
    words = made_words(read_wordnet(options.wordnet), given)
    few = [group for part in words["parts"] for group in part["groups"] if len(group) < 2]
    if few:
        raise SealError(f"word_groups: a group has fewer than two words ({few[0]}); add some.")
    write_output(options.out, as_text(words).encode())
    counts = {part["name"]: sum(map(len, part["groups"])) for part in words["parts"]}
    print(f"{options.out}: {sum(counts.values())} words {counts}, {options.out.stat().st_size} bytes")
