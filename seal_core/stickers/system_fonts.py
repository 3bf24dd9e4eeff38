"""The emoji and East Asian fonts that operating systems bring or people install there, by their file names."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import regex

from .font_folders import installed_fonts


@dataclass(frozen=True)
class FontFile:
    """A font file. face: which font of a collection (.ttc)."""

    path: Path
    face: int = 0


EMOJI_FONTS = (
    "NotoColorEmoji.ttf",  # Linux, Android
    "Apple Color Emoji.ttc",  # macOS
    "seguiemj.ttf",  # Windows: Segoe UI Emoji
    "Twemoji.ttf",
    "TwemojiMozilla.ttf",
)
"""Colour emoji, the ones to try first at the top."""

_ALL = {"ja": 0, "ko": 1, "zh": 2}
EAST_ASIAN_FONTS: Mapping[str, Mapping[str, int]] = {
    # A caption is read from far away: heavy weights first.
    "NotoSansCJK-Black.ttc": _ALL,
    "NotoSansCJK-Bold.ttc": _ALL,
    "SourceHanSans-Bold.ttc": _ALL,
    "ヒラギノ角ゴシック W8.ttc": {"ja": 0},  # macOS: Hiragino Sans
    "ヒラギノ角ゴシック W6.ttc": {"ja": 0},
    "AppleSDGothicNeo.ttc": {"ko": 0},
    "PingFang.ttc": {"zh": 0},
    "Hiragino Sans GB.ttc": {"zh": 0},
    "STHeiti Medium.ttc": {"zh": 0},
    "YuGothB.ttc": {"ja": 0},  # Windows: Yu Gothic, Meiryo, Malgun Gothic, Microsoft YaHei and JhengHei
    "meiryob.ttc": {"ja": 0},
    "malgunbd.ttf": {"ko": 0},
    "malgun.ttf": {"ko": 0},
    "msyhbd.ttc": {"zh": 0},
    "msyh.ttc": {"zh": 0},
    "msjhbd.ttc": {"zh": 0},
    "simhei.ttf": {"zh": 0},
    "msgothic.ttc": {"ja": 0},
    "NanumGothicExtraBold.ttf": {"ko": 0},  # Linux distributions' others
    "NanumGothicBold.ttf": {"ko": 0},
    "ipagp.ttf": {"ja": 0},
    "TakaoPGothic.ttf": {"ja": 0},
    "NotoSansCJK-Regular.ttc": _ALL,
    "wqy-zenhei.ttc": {"zh": 0},
    "wqy-microhei.ttc": {"zh": 0},
    "DroidSansFallbackFull.ttf": {"zh": 0},
}
"""File -> language -> which font of the file draws that language's shapes of the characters that languages share."""

_EAST_ASIAN = regex.compile(r"[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


def east_asian(character: str) -> bool:
    """Whether a character is Chinese, Japanese or Korean, their punctuation included."""
    return _EAST_ASIAN.match(character) is not None


def language_of(text: str) -> str:
    """ja where a text has kana, ko where it has Hangul, else zh."""
    if regex.search(r"[\p{Hiragana}\p{Katakana}]", text):
        return "ja"
    return "ko" if regex.search(r"\p{Hangul}", text) else "zh"


def system_fonts(text: str = "") -> list[FontFile]:
    """The emoji fonts found in the system, then its East Asian fonts: those for the text's language first."""
    found = {_folded(path.name): path for path in installed_fonts()}
    language = language_of(text)
    ranked = sorted(EAST_ASIAN_FONTS.items(), key=lambda item: language not in item[1])  # keeps the order otherwise
    named = [*((name, 0) for name in EMOJI_FONTS), *((name, faces.get(language, 0)) for name, faces in ranked)]
    return [FontFile(found[_folded(name)], face) for name, face in named if _folded(name) in found]


def _folded(name: str) -> str:
    """A file's name for comparisons; macOS stores it decomposed."""
    return unicodedata.normalize("NFC", name).casefold()
