"""What counts as one emoji, decided from a small table: no network, no other library.

The grammar is that of Unicode Technical Standard 51 (flags, keycaps, skin tones, joined sequences); the code points
are those with the property Emoji in Unicode 17. Joined sequences are checked by their grammar, not against the list of
those that fonts draw as one picture.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from ..messages import SealError

DEFAULT, SAD = "😀", "😢"
"""Not written out in the lines that raise: a traceback shows them, also where no console can."""
EMOJI_STYLE, JOINER, KEYCAP = "\ufe0f", "\u200d", "\u20e3"

_EMOJI = """
    A9 AE 203C 2049 2122 2139 2194-2199 21A9-21AA 231A-231B 2328 23CF 23E9-23F3 23F8-23FA 24C2 25AA-25AB 25B6 25C0
    25FB-25FE 2600-2604 260E 2611 2614-2615 2618 261D 2620 2622-2623 2626 262A 262E-262F 2638-263A 2640 2642
    2648-2653 265F-2660 2663 2665-2666 2668 267B 267E-267F 2692-2697 2699 269B-269C 26A0-26A1 26A7 26AA-26AB
    26B0-26B1 26BD-26BE 26C4-26C5 26C8 26CE-26CF 26D1 26D3-26D4 26E9-26EA 26F0-26F5 26F7-26FA 26FD 2702 2705
    2708-270D 270F 2712 2714 2716 271D 2721 2728 2733-2734 2744 2747 274C 274E 2753-2755 2757 2763-2764 2795-2797
    27A1 27B0 27BF 2934-2935 2B05-2B07 2B1B-2B1C 2B50 2B55 3030 303D 3297 3299 1F004 1F0CF 1F170-1F171 1F17E-1F17F
    1F18E 1F191-1F19A 1F201-1F202 1F21A 1F22F 1F232-1F23A 1F250-1F251 1F300-1F321 1F324-1F393 1F396-1F397
    1F399-1F39B 1F39E-1F3F0 1F3F3-1F3F5 1F3F7-1F4FD 1F4FF-1F53D 1F549-1F54E 1F550-1F567 1F56F-1F570 1F573-1F57A
    1F587 1F58A-1F58D 1F590 1F595-1F596 1F5A4-1F5A5 1F5A8 1F5B1-1F5B2 1F5BC 1F5C2-1F5C4 1F5D1-1F5D3 1F5DC-1F5DE
    1F5E1 1F5E3 1F5E8 1F5EF 1F5F3 1F5FA-1F64F 1F680-1F6C5 1F6CB-1F6D2 1F6D5-1F6D9 1F6DC-1F6E5 1F6E9 1F6EB-1F6EC
    1F6F0 1F6F3-1F6FC 1F7E0-1F7EB 1F7F0 1F90C-1F93A 1F93C-1F945 1F947-1F9FF 1FA70-1FA7C 1FA80-1FAC6 1FAC8
    1FACC-1FADD 1FADF-1FAEB 1FAEF-1FAFA
"""
_DRAWN_AS_EMOJI = """
    231A-231B 23E9-23EC 23F0 23F3 25FD-25FE 2614-2615 2648-2653 267F 2693 26A1 26AA-26AB 26BD-26BE 26C4-26C5 26CE
    26D4 26EA 26F2-26F3 26F5 26FA 26FD 2705 270A-270B 2728 274C 274E 2753-2755 2757 2795-2797 27B0 27BF 2B1B-2B1C
    2B50 2B55 1F004 1F0CF 1F18E 1F191-1F19A 1F201 1F21A 1F22F 1F232-1F236 1F238-1F23A 1F250-1F251 1F300-1F320
    1F32D-1F335 1F337-1F37C 1F37E-1F393 1F3A0-1F3CA 1F3CF-1F3D3 1F3E0-1F3F0 1F3F4 1F3F8-1F43E 1F440 1F442-1F4FC
    1F4FF-1F53D 1F54B-1F54E 1F550-1F567 1F57A 1F595-1F596 1F5A4 1F5FB-1F64F 1F680-1F6C5 1F6CC 1F6D0-1F6D2
    1F6D5-1F6D9 1F6DC-1F6DF 1F6EB-1F6EC 1F6F4-1F6FC 1F7E0-1F7EB 1F7F0 1F90C-1F93A 1F93C-1F945 1F947-1F9FF
    1FA70-1FA7C 1FA80-1FAC6 1FAC8 1FACC-1FADD 1FADF-1FAEB 1FAEF-1FAFA
"""
_TAKES_SKIN_TONE = """
    261D 26F9 270A-270D 1F385 1F3C2-1F3C4 1F3C7 1F3CA-1F3CC 1F442-1F443 1F446-1F450 1F466-1F478 1F47C 1F481-1F483
    1F485-1F487 1F48F 1F491 1F4AA 1F574-1F575 1F57A 1F590 1F595-1F596 1F645-1F647 1F64B-1F64F 1F6A3 1F6B4-1F6B6
    1F6C0 1F6CC 1F90C 1F90F 1F918-1F91F 1F926 1F930-1F939 1F93C-1F93E 1F977 1F9B5-1F9B6 1F9B8-1F9B9 1F9BB
    1F9CD-1F9CF 1F9D1-1F9DD 1FAC3-1FAC5 1FAF0-1FAFA
"""
_REGIONS = """
    ACDEFGILMOQRSTUWXZ BABDEFGHIJLMNOQRSTVWYZ CACDFGHIKLMNOPQRUVWXYZ DEGJKMOZ EACEGHRSTU FIJKMOR GABDEFGHILMNPQRSTUWY
    HKMNRTU ICDELMNOQRST JEMOP KEGHIMNPRWYZ LABCIKRSTUVY MACDEFGHKLMNOPQRSTUVWXYZ NACEFGILOPRUZ OM PAEFGHKLMNRSTWY QA
    REOSUW SABCDEGHIJKLMNORSTVXYZ TACDFGHJKLMNORTVWZ UAGMNSYZ VACEGINU WFS XK YET ZAMW
"""
"""Regions with a flag: ISO 3166-1 and what CLDR adds to it, as first letter and second letters."""

_SKIN_TONES = range(0x1F3FB, 0x1F400)
_INDICATORS = range(0x1F1E6, 0x1F200)
_TAGS = range(0xE0020, 0xE0080)
_CANCEL_TAG = 0xE007F
_SUBDIVISIONS = ("gbeng", "gbsct", "gbwls")
_SEPARATORS = " \t,;|"


def _code_points(table: str) -> frozenset[int]:
    spans = [[int(end, 16) for end in span.split("-")] for span in table.split()]
    return frozenset(point for span in spans for point in range(span[0], span[-1] + 1))


EMOJI = _code_points(_EMOJI)
DRAWN_AS_EMOJI = _code_points(_DRAWN_AS_EMOJI)
TAKES_SKIN_TONE = _code_points(_TAKES_SKIN_TONE)
REGIONS = frozenset(group[0] + second for group in _REGIONS.split() for second in group[1:])


def split_emoji(text: str, name: str = "emoji") -> tuple[str, ...]:
    """The emoji of a text such as "😀👍🏽" or "😀, 👍🏽", in their order; repeated ones count once.

    Those that are drawn as text by default (☺, ❤) get the emoji variation selector. SealError (naming `name`) for
    anything that is not an emoji.
    """
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in _SEPARATORS:
            at += 1
            continue
        end = _end(text, at)
        if end == at:
            raise SealError(f"{name}: {_shown(text[at:])} is not an emoji; give emoji themselves, such as {DEFAULT}.")
        found.append(_styled(text[at:end]))
        at = end
    return tuple(dict.fromkeys(found))


def emoji_by_words(lines: Sequence[str], names: Sequence[str]) -> list[tuple[str, ...]]:
    """Each sticker's emoji, by the words in its name: lines such as "sad = 😢" or "happy, waving = 🙋".

    A line counts where all of its words are in the name; those of several lines are joined in the lines' order. One
    line without "=" holds the emoji of names that no other line is for. SealError for what is not an emoji, for lines
    without words, and for a name that is left without emoji.
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
    """The text's words in small letters, with a space between two."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def check_emoji(found: Sequence[str], least: int, most: int, label: str, name: str = "emoji") -> None:
    """SealError if a sticker has fewer or more emoji than the platform (`label`) takes."""
    if not least <= len(found) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        shown = " ".join(found[:8]) + (" ..." if len(found) > 8 else "")
        raise SealError(f"{name}: {len(found)} emoji ({shown or 'none'}); {label} takes {wanted} a sticker.")


def spoken(emoji: str) -> str:
    """What it is called, in the form that Discord's tags have: 😀 -> grinning_face, 🇩🇪 -> flag_de, 1️⃣ -> keycap_1.

    Joined ones have all their parts' Unicode names, with woman or man first, and none has its skin tone.
    """
    points = [ord(c) for c in emoji]
    if points[0] in _INDICATORS:
        return "flag_" + "".join(chr(point - _INDICATORS.start + ord("a")) for point in points)
    if any(point in _TAGS for point in points):
        return "flag_" + "".join(chr(point - 0xE0000) for point in points if point in _TAGS and point != _CANCEL_TAG)
    if KEYCAP in emoji:
        name = emoji[0] if emoji[0].isdigit() else unicodedata.name(emoji[0])
        return "keycap_" + _tag(name)
    who = [name for sign, name in (("\u2640", "woman"), ("\u2642", "man")) if JOINER + sign in emoji]
    parts = [c for c in emoji if c not in (EMOJI_STYLE, JOINER) and ord(c) not in _SKIN_TONES]
    if who:
        parts = [c for c in parts if c not in "\u2640\u2642"]
    return "_".join([*who, *(_tag(unicodedata.name(c, "emoji")) for c in parts or emoji[:1])])


def _tag(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")


def _end(text: str, at: int) -> int:
    """Where the emoji that begins at `at` ends; `at` itself if none begins there."""
    first = ord(text[at])
    if first in _INDICATORS:
        pair = "".join(chr(ord(c) - _INDICATORS.start + ord("A")) for c in text[at : at + 2] if ord(c) in _INDICATORS)
        return at + 2 if pair in REGIONS else at
    if text[at] in "0123456789#*":
        rest = text[at + 1 : at + 3]
        return at + 3 if rest == EMOJI_STYLE + KEYCAP else at + 2 if rest[:1] == KEYCAP else at
    end = _element_end(text, at)
    while end > at and text[end : end + 1] == JOINER:
        following = _element_end(text, end + 1)
        if following == end + 1:
            return at  # a joiner that joins nothing
        end = following
    return end


def _element_end(text: str, at: int) -> int:
    if at >= len(text) or ord(text[at]) not in EMOJI:
        return at
    end = at + 1
    if end < len(text) and ord(text[end]) in _SKIN_TONES and ord(text[at]) in TAKES_SKIN_TONE:
        end += 1
    if text[end : end + 1] == EMOJI_STYLE:
        end += 1
    if text[at] == "\U0001f3f4" and end < len(text) and ord(text[end]) in _TAGS:
        return _tagged_end(text, at, end)
    return end


def _tagged_end(text: str, at: int, end: int) -> int:
    tags = ""
    while end < len(text) and ord(text[end]) in _TAGS and ord(text[end]) != _CANCEL_TAG:
        tags += chr(ord(text[end]) - 0xE0000)
        end += 1
    closed = end < len(text) and ord(text[end]) == _CANCEL_TAG
    return end + 1 if closed and tags in _SUBDIVISIONS else at


def _styled(emoji: str) -> str:
    alone = len(emoji) == 1 and ord(emoji) not in DRAWN_AS_EMOJI
    return emoji + EMOJI_STYLE if alone else emoji


def _shown(text: str) -> str:
    word = text.split()[0] if text.split() else text
    return repr(word if len(word) <= 24 else word[:24] + "...")
