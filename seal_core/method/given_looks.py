"""What a user or a captioner says of the subject, as words to start from: its looks, and nothing else (ours).

"a cute sticker of a grey cat wearing a red scarf, smiling, on a white background" -> "grey cat, wearing a red scarf".
Emotion, action, framing, style and background belong into prompts: words for them would make them part of the
character.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from ..prompts.attributes import attribute_schema
from .describing_words import grammar

_OPENING = re.compile(
    r"^.*?\b(?:sticker|picture|image|photo|photograph|drawing|illustration|painting|cartoon|emoji|icon|portrait|render"
    r"|rendering|artwork|close-up|clipart|sketch)s?\b(?:\s+(?:style|art))?\s+(?:of|showing|featuring|depicting|with)\s+"
)
_MEDIUM = re.compile(
    r"(?:sticker|picture|image|photo|drawing|illustration|painting|cartoon|emoji|icon|portrait|art|artwork|clipart|style"
    r"|cute|adorable|lovely|funny|die-?cut|vector|digital|simple|isolated|there|this|that|is|its?|his|her|their|are|who"
    r"|which)"
)
_KEPT_LEADS = ("wearing", "with", "having", "has", "wears", "made", "dressed", "in")
_LEFT_OUT_LEADS = re.compile(
    r"(?:on|at|against|under|near|over|behind|beside|by|from|into|inside|among|above|below|for|while|as|holding|to)"
)
_CONTEXT = re.compile(
    r"\b(?:backgrounds?|backdrop|outline|border|expressions?|smiles?|grin|mood|pose|open mouth|mouth open|tongue out"
    r"|tears|text|letters|words|speech bubble|(?:eyes|mouth) closed|closed eyes|arms? raised|thumbs? up)\b"
)
_LAST_THING = re.compile(r" and an? (?!.* and an? ).*$")
_END = re.compile(r"^(?:(?:a|an|the|and)\s+)+|(?:\s+(?:and|a|an|the|of|with|in|wearing))+$")


def with_looks(class_word: str, said: str, fits: Callable[[str], bool]) -> str:
    """The class word with as much of the looks that are said as `fits`; the class word alone where there are none.

    A piece that holds the class word, "grey cat", stands in its place. What does not fit is left out: of
    "wearing a scarf and a hat" first the hat.
    """
    phrase, name = class_word, class_word.lower()
    pieces = looks_in(said)
    own = next((p for p in pieces if re.search(rf"\b{re.escape(name)}\b", p)), None)
    if own not in (None, name) and fits(own):
        phrase = own
    for piece in pieces:
        while piece and not fits(f"{phrase}, {piece}"):
            piece = _LAST_THING.sub("", piece) if _LAST_THING.search(piece) else ""
        if piece and piece != own:
            phrase = f"{phrase}, {piece}"
    return phrase


def looks_in(said: str) -> list[str]:
    """The pieces of a caption that tell the subject's looks, in their order: ["grey cat", "wearing a red scarf"]."""
    text = _OPENING.sub("", " ".join(said.lower().split()))
    text = _other_attributes().sub(" ; ", text)
    pieces = [piece for clause in re.split(r"[,.;:!?()]+", text) for piece in _segments(clause)]
    return list(dict.fromkeys(pieces))


@functools.lru_cache(maxsize=1)
def _other_attributes() -> re.Pattern[str]:
    """Matches the words that are suggested for other attributes; "plush" tells looks, though it is a style too."""
    known = attribute_schema()
    values = {v.lower() for name in ("emotion", "action", "camera", "style") for v in known[name].suggestions}
    ordered = sorted(values - _own_words(), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, ordered))})(?![\w-])")


@functools.lru_cache(maxsize=1)
def _own_words() -> frozenset[str]:
    """Every single word that the search knows for looks."""
    words = grammar()
    things = [t for part in words.parts for group in part.groups for t in group]
    return frozenset(w for t in (*words.colours, *things) for w in t.split()) - {"a", "an"}


def _segments(clause: str) -> list[str]:
    """The clause cut where "wearing", "with", "on", "sitting" begin something; what tells no looks is left out."""
    segments: list[list[str]] = [[]]
    for word in clause.split():
        if (
            word in _KEPT_LEADS
            or _LEFT_OUT_LEADS.fullmatch(word)
            or (word.endswith("ing") and word not in _own_words())
        ):
            if word == "in" and segments[-1] == ["dressed"]:  # "dressed in"
                segments[-1].append(word)
                continue
            segments.append([])
        segments[-1].append(word)
    return [piece for piece in map(_looks, segments) if piece]


def _looks(segment: list[str]) -> str:
    """A segment as words for looks; empty where it tells something else."""
    text = " ".join(segment)
    lead = segment[0] if segment else ""
    if not segment or _CONTEXT.search(text) or _LEFT_OUT_LEADS.fullmatch(lead):
        return ""
    if lead.endswith("ing") and lead not in (*_KEPT_LEADS, *_own_words()):
        return ""
    if lead == "in" and not set(segment) & _worn():
        return ""
    text = " ".join(w for w in segment if not _MEDIUM.fullmatch(w))
    text = _END.sub("", _END.sub("", text)).strip()
    return "" if text in (*_KEPT_LEADS, "a", "an", "the") else text


@functools.lru_cache(maxsize=1)
def _worn() -> frozenset[str]:
    """The nouns of what can be worn: "in a dress" tells looks, "in a forest" does not."""
    worn = [part for part in grammar().parts if part.name == "worn"]
    return frozenset(t.split()[-1] for part in worn for group in part.groups for t in group)
