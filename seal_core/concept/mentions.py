"""Where a prompt names learned concepts: one rule for ComfyUI and the command line.

A prompt names a concept by its name or by `embedding:FILE`, with or without the file's ending and with either slash
between folders. A tail is not a token, so only its name counts. Neither counts inside a longer word or path. Case
matters, as in ComfyUI's own `embedding:`. Where several names begin at one place, the longest counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ..files.safe_names import EMBEDDING_EXTENSIONS
from .concept import Concept

_NOT_AFTER = r"(?<![\w/-])"
_NOT_BEFORE = r"(?![\w/-])"
_ENDING = "|".join(re.escape(ending) for ending in EMBEDDING_EXTENSIONS)


def concepts_named(text: str, concepts: Sequence[Concept]) -> list[Concept]:
    """The concepts that the text names, in the order given."""
    found = {_index(match) for match in _pattern(concepts).finditer(text)}
    return [concept for i, concept in enumerate(concepts) if i in found]


def replace_names(text: str, concepts: Sequence[Concept], stand: Callable[[int], str]) -> str:
    """The text with `stand(i)` wherever it names concept i. What was put in is not searched again."""
    return "".join(part if isinstance(part, str) else stand(part) for part in split_at_names(text, concepts))


def split_at_names(text: str, concepts: Sequence[Concept]) -> Iterator[str | int]:
    """The text cut at names: texts, and the index of a concept in place of each of its names."""
    at = 0
    for match in _pattern(concepts).finditer(text):
        yield text[at : match.start()]
        yield _index(match)
        at = match.end()
    yield text[at:]


def _index(match: re.Match[str]) -> int:
    return int((match.lastgroup or "")[1:])


def _pattern(concepts: Sequence[Concept]) -> re.Pattern[str]:
    """One pattern of literal words and their neighbouring characters, so that the time is linear in the text."""
    spellings = [spelling for i, concept in enumerate(concepts) for spelling in _spellings(i, concept)]
    spellings.sort(key=lambda spelling: -spelling[0])
    return re.compile("|".join(pattern for _, pattern in spellings) or "(?!)")


def _spellings(index: int, concept: Concept) -> Iterator[tuple[int, str]]:
    """(length, pattern) of the name and of the file. The groups' names end in the index."""
    name = concept.name
    if name:  # an empty name, as of a damaged file, would match everywhere
        before = _NOT_AFTER if re.match(r"[\w/-]", name) else ""
        after = _NOT_BEFORE if re.match(r"[\w/-]", name[-1]) else ""
        # After "embedding:" comes a file, which may be another concept's.
        yield len(name), rf"(?P<n{index}>{before}(?<!embedding:){re.escape(name)}{after})"
    if concept.file and concept.carrier != "tail":
        file = re.escape(concept.file).replace("/", r"[\\/]")
        end = r"(?![\w/\\-]|\.\w)"
        yield len(f"embedding:{concept.file}"), rf"(?P<f{index}>{_NOT_AFTER}embedding:{file}(?:{_ENDING})?{end})"
