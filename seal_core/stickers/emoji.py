"""What counts as one emoji, which of them go with a sticker's name, and what they are called.

The grammar is that of Unicode Technical Standard 51: flags, keycaps, skin tones, joined sequences. `regex`, which
transformers installs, knows the code points, of the Unicode version that it was made for. A joined sequence must follow
the grammar; whether a font draws it as one picture is not checked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import regex

from ..messages import SealError

DEFAULT, SAD = "😀", "😢"
"""Named, since tracebacks print the lines that raise, and not every console can show emoji."""
EMOJI_STYLE, JOINER, KEYCAP = "\ufe0f", "\u200d", "\u20e3"

_REGIONS = """
    ACDEFGILMOQRSTUWXZ BABDEFGHIJLMNOQRSTVWYZ CACDFGHIKLMNOPQRUVWXYZ DEGJKMOZ EACEGHRSTU FIJKMOR GABDEFGHILMNPQRSTUWY
    HKMNRTU ICDELMNOQRST JEMOP KEGHIMNPRWYZ LABCIKRSTUVY MACDEFGHKLMNOPQRSTUVWXYZ NACEFGILOPRUZ OM PAEFGHKLMNRSTWY QA
    REOSUW SABCDEGHIJKLMNORSTVXYZ TACDFGHJKLMNORTVWZ UAGMNSYZ VACEGINU WFS XK YET ZAMW
"""
"""Regions with a flag, as first letter and second letters: ISO 3166-1 and what CLDR adds to it."""

_FIRST_INDICATOR = 0x1F1E6  # regional indicator A
_TAG_OFFSET, _CANCEL_TAG = 0xE0000, "\U000e007f"
_TAGS = r"[\U000e0020-\U000e007f]"
_SUBDIVISIONS = ("gbeng", "gbsct", "gbwls")
_SEPARATORS = " \t,;|"


def _indicators(letters: str) -> str:
    return "".join(chr(_FIRST_INDICATOR + ord(letter) - ord("A")) for letter in letters)


def _tags(letters: str) -> str:
    return "".join(chr(_TAG_OFFSET + ord(letter)) for letter in letters) + _CANCEL_TAG


REGIONS = frozenset(group[0] + second for group in _REGIONS.split() for second in group[1:])

# Atomic throughout: once a sequence has begun wrongly, no shorter one is tried in its place.
_ELEMENT = rf"""(?>
    \U0001f3f4 {EMOJI_STYLE}?+ (?: {"|".join(map(_tags, _SUBDIVISIONS))} | (?!{_TAGS}) )
  | (?: \p{{Emoji_Modifier_Base}} \p{{Emoji_Modifier}}?+ | [\p{{Emoji}}--[0-9\#*\U0001f3f4\p{{RI}}]] ) {EMOJI_STYLE}?+
)"""
_ONE_EMOJI = regex.compile(
    rf"""
    {"|".join(map(_indicators, sorted(REGIONS)))}
  | [0-9\#*] {EMOJI_STYLE}?+ {KEYCAP}
  | {_ELEMENT} (?: {JOINER} {_ELEMENT} )*+ (?!{JOINER})
    """,
    regex.VERSION1 | regex.VERBOSE,
)
_DRAWN_AS_EMOJI = regex.compile(r"[\p{Emoji_Presentation}--\p{RI}]", regex.VERSION1)
_NEITHER_NAMED = regex.compile(rf"[{EMOJI_STYLE}{JOINER}\p{{Emoji_Modifier}}]")


def drawn_as_emoji(text: str) -> bool:
    """Whether a text has a character that is a colour picture unless a variation selector asks for the text style."""
    return _DRAWN_AS_EMOJI.search(text) is not None


def split_emoji(text: str, name: str = "emoji") -> tuple[str, ...]:
    """The emoji in a text such as "😀👍🏽" or "😀, 👍🏽", in order, each once.

    Those drawn as text by default (☺, ❤) get the emoji variation selector. Raises SealError, naming `name`, for
    anything that is not an emoji.
    """
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in _SEPARATORS:
            at += 1
            continue
        one = _ONE_EMOJI.match(text, at)
        if one is None:
            raise SealError(f"{name}: {_shown(text[at:])} is not an emoji; give emoji themselves, such as {DEFAULT}.")
        found.append(_styled(one.group()))
        at = one.end()
    return tuple(dict.fromkeys(found))


def emoji_by_words(lines: Sequence[str], names: Sequence[str]) -> list[tuple[str, ...]]:
    """Each sticker's emoji by the words in its name, from lines such as "sad = 😢" or "happy, waving = 🙋".

    A line applies if all its words are in the name. If several apply, their emoji are joined in the order of the lines.
    One line without "=" serves the names that no other line fits. Raises SealError for what is not an emoji, for lines
    without words, and for a name left without emoji.
    """
    known, others = [], []
    for i, line in enumerate(lines, start=1):
        words, equals, text = line.rpartition("=")
        where = f"emoji, line {i}"
        found = split_emoji(text, where)
        wanted = {f" {one} " for part in words.split(",") if (one := _words(part))}
        if equals and not (wanted and found):
            raise SealError(f"{where}: {line!r} wants words before the = and emoji after it, such as sad = {SAD}.")
        if equals:
            known.append((wanted, found))
        elif found:
            others.append(found)
    if len(others) > 1:
        raise SealError(
            f"emoji: {len(others)} lines without =; where others have words (sad = {SAD}), only one may go without, "
            "for all stickers that no other line is for."
        )
    result = []
    for i, name in enumerate(names, start=1):
        said = f" {_words(name)} "
        here = [found for wanted, found in known if all(part in said for part in wanted)] or others
        if not here:
            remedy = (
                f"add a line such as {name} = {DEFAULT}"
                if name
                else "wire names (SEAL Sticker Attribute Sweep's labels)"
            )
            raise SealError(
                f"emoji: no line is for sticker {i} ({name or 'no name'}); {remedy}, or a line with an emoji alone, "
                "for all others."
            )
        result.append(tuple(dict.fromkeys(emoji for found in here for emoji in found)))
    return result


def _words(text: str) -> str:
    """The text's words in lower case, separated by single spaces."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def check_emoji(found: Sequence[str], least: int, most: int, label: str, name: str = "emoji") -> None:
    """Raises SealError if a sticker has fewer or more emoji than the platform (`label`) takes."""
    if not least <= len(found) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        shown = " ".join(found[:8]) + (" ..." if len(found) > 8 else "")
        raise SealError(f"{name}: {len(found)} emoji ({shown or 'none'}); {label} takes {wanted} a sticker.")


def spoken(emoji: str) -> str:
    """An emoji's name as Discord's tags spell it: 😀 -> grinning_face, 🇩🇪 -> flag_de, 1️⃣ -> keycap_1.

    A joined emoji gets the Unicode names of all its parts, with woman or man first. Skin tones are left out.
    """
    if regex.match(r"\p{RI}", emoji):
        return "flag_" + "".join(chr(ord(c) - _FIRST_INDICATOR + ord("a")) for c in emoji)
    if tags := regex.findall(_TAGS, emoji):
        return "flag_" + "".join(chr(ord(c) - _TAG_OFFSET) for c in tags if c != _CANCEL_TAG)
    if KEYCAP in emoji:
        name = emoji[0] if emoji[0].isdigit() else unicodedata.name(emoji[0])
        return "keycap_" + _tag_word(name)
    who = [name for sign, name in (("\u2640", "woman"), ("\u2642", "man")) if JOINER + sign in emoji]
    parts = _NEITHER_NAMED.sub("", emoji)
    if who:
        parts = [c for c in parts if c not in "\u2640\u2642"]
    return "_".join([*who, *(_tag_word(unicodedata.name(c, "emoji")) for c in parts or emoji[:1])])


def _tag_word(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")


def _styled(emoji: str) -> str:
    return emoji + EMOJI_STYLE if len(emoji) == 1 and not drawn_as_emoji(emoji) else emoji


def _shown(text: str) -> str:
    word = text.split()[0] if text.split() else text
    return repr(word if len(word) <= 24 else word[:24] + "...")
