"""Prompts with learned vectors in them, as ComfyUI's token lists, by the public `clip.tokenize` alone.

`clip.tokenize` gives chunks of (token, weight, word id) for each text encoder, where a token may be a vector. ComfyUI
reads the prompt (weights, escapes, embeddings from files) with a stand-in word in place of each row of vectors. Then
the vectors replace the stand-in, and the chunks are filled again by ComfyUI's rule. The result is, token for token,
what `embedding:NAME` gives for a file with these vectors.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

from ...seal_core.hosts.base import Vectors
from ...seal_core.messages import SealError

Token = tuple[Any, float, str]
"""An id or a vector (width,), its weight, and its slot ("" for the prompt's own words)."""

WHOLE = 8
"""ComfyUI's rule: a group of this many tokens or more may be split between chunks, a shorter one never."""


@dataclass(frozen=True)
class PromptTokens:
    """A prompt as one text encoder reads it: chunks of equal length, and its number of tokens without the frame."""

    chunks: list[list[Token]]
    length: int

    def pairs(self) -> list[list[tuple[Any, float]]]:
        """The chunks as ComfyUI's encoders take them."""
        return [[(token, weight) for token, weight, _ in chunk] for chunk in self.chunks]

    def positions(self) -> dict[str, tuple[int, ...]]:
        """Slot -> positions of its vectors in the first chunk."""
        slots = [slot for _, _, slot in self.chunks[0]]
        return {name: tuple(i for i, s in enumerate(slots) if s == name) for name in dict.fromkeys(slots) if name}


def literal(text: str) -> str:
    """Words with their parentheses escaped, so that ComfyUI does not read weights there."""
    return re.sub(r"(?<!\\)([()])", r"\\\1", text)


def token_ids(clip: Any, text: str) -> dict[str, list[int]]:
    """Text encoder -> ids of plain words' tokens, without start, end and padding."""
    return {
        encoder: [token for token, _, _ in flat if isinstance(token, int)]
        for encoder, flat in _read(clip, literal(text)).items()
    }


def chunk_length(clip: Any) -> int:
    """Tokens that the text encoders read at once, with start and end (77)."""
    return min(frame.length for frame in _frames(clip).values())


def tokenize(clip: Any, pieces: Sequence[tuple[str, bool]], vectors: Vectors) -> dict[str, PromptTokens]:
    """Text encoder ("clip_l", ...) -> tokens of a prompt in pieces: (text, False), or (slot, True) for vectors[slot].

    The text is in ComfyUI's prompt language. Raises SealError where ComfyUI reads no word in a slot's place.
    """
    slots = list(dict.fromkeys(piece for piece, is_slot in pieces if is_slot))
    words = dict(zip(slots, _stand_ins(clip, "".join(piece for piece, is_slot in pieces if not is_slot))))
    read = _read(clip, "".join(f" {words[piece][0]} " if is_slot else piece for piece, is_slot in pieces))
    frames, result = _frames(clip), {}
    for encoder, flat in read.items():
        places = {word[1][encoder]: slot for slot, word in words.items()}
        groups = list(_groups(flat, places, {slot: vectors[slot][encoder] for slot in slots}))
        _check_all_there(pieces, groups, slots)
        result[encoder] = PromptTokens(frames[encoder].filled(groups), sum(map(len, groups)))
    return result


_Flat = list[tuple[Any, float, int]]


def _read(clip: Any, text: str) -> dict[str, _Flat]:
    """Text encoder -> (token, weight, word id) of the prompt itself: word id 0 is the frame's."""
    try:
        read = clip.tokenize(text, return_word_ids=True)
    except IndexError:  # ComfyUI's own
        raise SealError("text: `embedding:` stands without a name after it; write one, or take it out.") from None
    return {
        f"clip_{key}": [token for chunk in chunks for token in chunk if token[2] != 0] for key, chunks in read.items()
    }


def _stand_ins(clip: Any, prompt: str) -> Iterator[tuple[str, dict[str, int]]]:
    """(word, text encoder -> id) of one-token words that the prompt does not contain."""
    said = unicodedata.normalize("NFKC", prompt).lower()
    for letters in itertools.product(reversed(ascii_lowercase), repeat=2):
        word = "".join(letters)
        ids = {} if word in said else token_ids(clip, word)
        if ids and all(len(found) == 1 for found in ids.values()):
            yield word, {encoder: found[0] for encoder, found in ids.items()}
    raise SealError("text: no word is left to mark the concepts' places; shorten the prompt.")


def _groups(flat: _Flat, places: Mapping[int, str], vectors: Mapping[str, Any]) -> Iterator[list[Token]]:
    """Runs of tokens that ComfyUI keeps together: text of one weight, or one embedding."""
    for _, run in itertools.groupby(flat, key=lambda token: token[2]):
        group: list[Token] = []
        for token, weight, _ in run:
            slot = places.get(token, "") if isinstance(token, int) else ""
            if not slot:
                group.append((token, weight, ""))
                continue
            yield group
            yield [(vector, weight, slot) for vector in vectors[slot]]
            group = []
        yield group


def _check_all_there(pieces: Sequence[tuple[str, bool]], groups: Sequence[list[Token]], slots: Sequence[str]) -> None:
    """Raises SealError where ComfyUI swallowed a slot: right after `embedding:`, for instance, it is a file's name."""
    for slot in slots:
        wanted = sum(piece == slot for piece, is_slot in pieces if is_slot)
        if wanted != sum(bool(group) and group[0][2] == slot for group in groups):
            raise SealError(
                "text: a learned concept stands where ComfyUI reads no word, such as right after `embedding:`; "
                "put a space or a comma between the two, or write the concept's name alone."
            )


@dataclass(frozen=True)
class _Frame:
    """The tokens around a chunk's own, and the chunk's length."""

    start: int
    end: int
    padding: int
    length: int

    def filled(self, groups: Sequence[list[Token]]) -> list[list[Token]]:
        """Chunks with the groups in order."""
        room = self.length - 2
        chunks: list[list[Token]] = [[]]
        for group in groups:
            rest = group
            while rest:
                left = room - len(chunks[-1])
                fits = len(rest) <= left
                taken = len(rest) if fits else 0 if len(group) < WHOLE else left
                chunks[-1] += rest[:taken]
                rest = rest[taken:]
                if not fits:
                    chunks.append([])
        return [self._framed(chunk) for chunk in chunks]

    def _framed(self, tokens: list[Token]) -> list[Token]:
        framed = [(self.start, 1.0, ""), *tokens, (self.end, 1.0, "")]
        return framed + [(self.padding, 1.0, "")] * (self.length - len(framed))


def _frames(clip: Any) -> dict[str, _Frame]:
    """Text encoder -> the frame of its chunks, read off the empty prompt."""
    frames = {}
    for key, chunks in clip.tokenize("", return_word_ids=True).items():
        tokens = [token for token, *_ in chunks[0]]
        if len(tokens) < 3 or not all(isinstance(token, int) for token in tokens):
            raise SealError("clip: its tokenizer is not ComfyUI's own; wire the CLIP of an ordinary checkpoint loader.")
        frames[f"clip_{key}"] = _Frame(tokens[0], tokens[1], tokens[-1], len(tokens))
    return frames
