"""Names of many concepts: safe as a file's stem and in prompts, no two alike, and the same at every run."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from ..files.safe_names import safe_stem
from ..messages import SealError
from ..stickers.pack.pack_names import slug

_MARK = 4
"""Letters of the hash that tells two names apart."""


def concept_names(words: Sequence[str]) -> list[str]:
    """A name for each of some paths or names: "fox/A b.png" becomes fox-A_b.

    Where two would be alike on some disk, each gets a few letters of its path's hash; a name without one Latin letter
    is all hash. So a picture keeps its name when others come or go, unless they are called like it.
    """
    plain = [_plain(word) for word in words]
    many = Counter(name.lower() for name in plain)
    return [
        name if many[name.lower()] == 1 else f"{name}-{_hash(word)}" for name, word in zip(plain, words, strict=True)
    ]


def _plain(word: str) -> str:
    path = PurePosixPath(word)
    known = path.parent / path.stem if path.suffix and not path.suffix[1:].isdigit() else path
    name = "-".join(filter(None, map(slug, known.parts))) or f"sticker-{_hash(word)}"
    try:
        return safe_stem(name[:40].strip("_-"))
    except SealError:  # a number, or a name that Windows reserves
        return f"sticker-{name[:32]}"


def _hash(word: str) -> str:
    return hashlib.sha256(word.encode("utf-8", "surrogateescape")).hexdigest()[:_MARK]
