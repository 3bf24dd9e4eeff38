"""What a pack is asked to be: its stickers, their emoji, and the user's choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...messages import SealError
from ..emoji import DEFAULT, check_emoji, emoji_by_words, split_emoji
from ..platforms import platform_of
from .clip import Clip


@dataclass(frozen=True)
class Sticker:
    """A sticker to pack: its name, whether it is animated, how to read it, and its emoji."""

    name: str
    animated: bool
    read: Callable[[], Clip]
    emoji: tuple[str, ...] = ()


@dataclass(frozen=True)
class PackRequest:
    """What the user asks for. form: auto or one of the platform's formats. cut: end long animations early instead of
    playing them faster. size: side of the canvas in pixels if the platform leaves a choice (0: its own). tags: texts
    (prompt, workflow) to embed if format and limit allow."""

    platform: str
    title: str
    author: str
    name: str = ""
    form: str = "auto"
    cut: bool = False
    size: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)


def with_emoji(stickers: Sequence[Sticker], texts: Sequence[str], platform: str) -> list[Sticker]:
    """Stickers with their emoji, from one text for all or one each; 😀 where a platform wants some and gets none.

    Texts such as "sad = 😢" go by the words in the stickers' names (`emoji.emoji_by_words`). Each sticker gets as many
    of those as the platform takes, so that the same texts serve every platform.
    Raises SealError for what is not an emoji, for too many or too few, and for a wrong number of texts.
    """
    row = platform_of(platform)
    if any("=" in text for text in texts):
        found = emoji_by_words(texts, [sticker.name for sticker in stickers])
        return [replace(sticker, emoji=one[: row.emoji[1]]) for sticker, one in zip(stickers, found, strict=True)]
    texts = [text for text in texts if text.strip()] if len(texts) <= 1 else list(texts)
    if len(texts) > 1 and len(texts) != len(stickers):
        raise SealError(f"emoji: {len(texts)} for {len(stickers)} stickers; give one for all, or one each.")
    result = []
    for i, sticker in enumerate(stickers):
        where = f"emoji of sticker {i + 1}" if len(texts) > 1 else "emoji"
        found = split_emoji(texts[i if len(texts) > 1 else 0], where) if texts else ()
        found = found or ((DEFAULT,) if row.emoji[0] else ())
        check_emoji(found, *row.emoji, row.label, where)
        result.append(replace(sticker, emoji=found))
    return result
