"""Fonts: their characters, which of several draws what, and drawing a run of text."""

from __future__ import annotations

import functools
import mmap
import struct
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import regex
from PIL import Image, ImageDraw, ImageFont

from ..messages import SealError
from .emoji import EMOJI_STYLE, KEYCAP, drawn_as_emoji
from .font_characters import has_table, unicode_characters

BUNDLED = Path(__file__).parent / "fonts" / "MPLUSRounded1c-ExtraBold-subset.ttf"
"""M PLUS Rounded 1c ExtraBold (SIL OFL): Latin, Greek, Cyrillic, kana."""
SUFFIXES = (".ttf", ".otf", ".ttc", ".otc", ".woff")
EM = 160
"""Pixels of the em at which text is measured. Bitmap fonts (colour emoji) have a size of their own."""
_STRIKES = (109, 136, 128, 160, 96, 72, 64, 48, 32, 20, 16)  # common sizes of bitmap fonts
_LARGEST_FILE = 256 << 20  # Apple Color Emoji has about 190 MB
_LARGEST_UNPACKED = 64 << 20
_COLOURS = (b"COLR", b"CBDT", b"sbix")
_MANY_EMOJI = 300
_WIDEST = 16  # ems of one character; the widest in use, a whole phrase (U+FDFD), has about ten
_LARGEST = 1 << 25  # pixels of a run
_FAULTS = (OSError, ValueError, IndexError, OverflowError, MemoryError, SystemError, struct.error, zlib.error)
_TEXT_STYLE = "\ufe0e"


@dataclass(frozen=True, eq=False)
class Font:
    """An opened font file. strike: the one size of a bitmap font in pixels, 0 for an outline font. face: which font of
    a collection (.ttc). coloured: whether its glyphs may have colours of their own."""

    path: str
    name: str
    characters: frozenset[int]
    strike: int = 0
    face: int = 0
    coloured: bool = False

    @functools.cached_property
    def emoji(self) -> bool:
        """Whether it is an emoji font: it has pictures but no letters (its digits are parts of keycaps), or very many
        pictures in colour."""
        if not self.characters & {ord("A"), ord("a")}:
            return drawn_as_emoji("".join(map(chr, self.characters)))
        return self.coloured and sum(drawn_as_emoji(chr(c)) for c in self.characters) > _MANY_EMOJI

    def has(self, character: str) -> bool:
        return ord(character) in self.characters or invisible(character)

    def at(self, size: float) -> ImageFont.FreeTypeFont:
        """Pillow's font with an em of `size` pixels. A bitmap font always has its own size."""
        return _sized(self.path, self.strike or max(1, round(size)), self.face)

    def advance(self, run: str, size: int = EM) -> float:
        """Width of a run in ems. size: pixels of the em; hinting rounds small letters' widths to whole pixels.

        Raises SealError for a damaged font.
        """
        with _damage_told(self.name):
            ems = self.at(size).getlength(run) / (self._em() if self.strike else size)
            if not 0 <= ems <= _WIDEST * (1 + len(run)):
                raise ValueError("impossible width")
        return ems

    def _em(self) -> float:
        """Pixels of an em; a bitmap's picture is about 1.17 em wide."""
        return self.strike * 1.17 if self.strike else EM

    def draw(self, run: str, size: float, rgb: tuple[int, int, int]) -> tuple[np.ndarray, float, float]:
        """A run as a layer (H, W, 4) in [0, 1], with the offset of its left edge and top from the pen on the baseline,
        in pixels (x right, y down). rgb: 0..255; colour glyphs keep their own colours."""
        scale = size / self._em() if self.strike else 1.0
        with _damage_told(self.name):
            font = self.at(size)
            box = font.getbbox(run, anchor="ls")
            width, height = max(1, int(box[2] - box[0]) + 4), max(1, int(box[3] - box[1]) + 4)
            most = _WIDEST * max(font.size, 8)
            if width > most * (1 + len(run)) or max(height, *map(abs, box[1::2])) > most or width * height > _LARGEST:
                raise ValueError("impossible glyphs")  # before memory for such a picture is taken
            picture = Image.new("RGBA", (width, height), (*rgb, 0))
            at = (2 - box[0], 2 - box[1])
            ink, coloured = (*rgb, 255), self.coloured or bool(self.strike)
            ImageDraw.Draw(picture).text(at, run, font=font, fill=ink, anchor="ls", embedded_color=coloured)
        left, top = box[0] - 2.0, box[1] - 2.0
        if scale != 1.0:
            small = max(1, round(width * scale)), max(1, round(height * scale))
            picture = picture.convert("RGBa").resize(small, Image.Resampling.LANCZOS).convert("RGBA")
            left, top = left * scale, top * scale
        return np.asarray(picture, np.float32) / 255, left, top

    def inks(self, character: str) -> bool:
        """Whether it leaves anything where it draws a character. Colours of a newer kind (COLR 1) stay blank."""
        return bool(self.draw(character, 32, (0, 0, 0))[0][..., 3].any())


def invisible(character: str) -> bool:
    """Whether a character needs no ink: spaces, joiners, variation selectors, directional marks."""
    return character.isspace() or unicodedata.category(character) in ("Cf", "Cc") or 0xFE00 <= ord(character) <= 0xFE0F


def composed(text: str) -> str:
    """A text as fonts expect it: in NFC, and without control characters, which they would draw as boxes."""
    text = unicodedata.normalize("NFC", text)
    return "".join(c for c in text if c.isspace() or unicodedata.category(c) != "Cc")


def missing_characters(text: str, chain: Sequence[Font]) -> str:
    """The characters of a text that no font of the chain has, as "漢 (U+6F22) 字 (U+5B57)"; empty if there are none."""
    found = sorted({c for c in text if not any(f.has(c) for f in chain)})
    return " ".join(f"{c} (U+{ord(c):04X})" for c in found[:8]) + (" ..." if len(found) > 8 else "")


def graphemes(line: str) -> list[str]:
    """A line cut into what a reader takes for one character: a letter with its accents, a flag, an emoji (UAX 29)."""
    return regex.findall(r"\X", line)


def font_runs(line: str, chain: Sequence[Font]) -> list[tuple[Font, str]]:
    """A line cut where its font changes. What needs no ink stays with the text before it.

    Each character comes from the first font of the chain that has it; the caller has checked that one does. Emoji
    prefer emoji fonts. Digits, punctuation and whatever asks for the text style prefer the others.
    """
    found: list[tuple[Font, str]] = []
    for cluster in graphemes(line):
        order = _preferred(cluster, chain)
        whole = next((f for f in order if all(map(f.has, cluster))), None)
        for part in [cluster] if whole else cluster:
            # In an emoji font a space is as wide as a picture.
            stays = found and all(map(invisible, part)) and not (found[-1][0].emoji and part.isspace())
            font = found[-1][0] if stays else whole or next(f for f in order if f.has(part))
            if found and found[-1][0] is font:
                found[-1] = (font, found[-1][1] + part)
            else:
                found.append((font, part))
    return found


def wants_picture(cluster: str) -> bool:
    """Whether a grapheme is an emoji in the picture style (Unicode Technical Standard 51, section 2)."""
    if _TEXT_STYLE in cluster:
        return False
    pictured = drawn_as_emoji(cluster[0]) or bool(regex.match(r"\p{RI}", cluster))
    return pictured or EMOJI_STYLE in cluster or KEYCAP in cluster


def _preferred(cluster: str, chain: Sequence[Font]) -> list[Font]:
    """The fonts in the order in which to try them for a grapheme."""
    if _TEXT_STYLE in cluster:
        return sorted(chain, key=lambda f: f.emoji)
    if wants_picture(cluster):
        return sorted(chain, key=lambda f: not f.emoji)
    # Below the arrows lie digits, #, *, © and spaces. For dingbats such as ❤ the order of the files decides.
    return sorted(chain, key=lambda f: f.emoji) if cluster[0] < "\u2190" else list(chain)


def width_in_ems(line: str, chain: Sequence[Font], size: int = EM) -> float:
    """Width of a line in ems of `size` pixels."""
    return sum(font.advance(run, size) for font, run in font_runs(line, chain))


@functools.lru_cache(maxsize=64)
def _sized(path: str, size: int, face: int = 0) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size, face)


def open_font(path: str | Path = BUNDLED, face: int = 0) -> Font:
    """A font from a file. face: which one of a collection.

    Raises SealError naming `font` if the file is missing or no readable font.
    """
    path = Path(path)
    try:
        changed = path.stat().st_mtime_ns if path.is_file() else None
    except (OSError, ValueError):  # a name that is too long or impossible on this disk
        changed = None
    if changed is None:
        raise SealError(f"font: there is no file {str(path)[-80:]!r}; leave it empty for the built-in font.")
    return _opened(str(path), changed, face)


@functools.lru_cache(maxsize=32)
def _opened(path: str, changed: int, face: int) -> Font:
    file = Path(path)
    with _damage_told(file.name):
        if file.suffix.lower() not in SUFFIXES or not 0 < file.stat().st_size <= _LARGEST_FILE:
            raise SealError(
                f"font: {file.name!r} is not a font that can be read; use {', '.join(SUFFIXES)} up to 256 MiB."
            )
        with open(file, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[:4] == b"wOFF" and int.from_bytes(data[16:20], "big") > _LARGEST_UNPACKED:
                raise ValueError("unpacks to too much")
            characters = unicode_characters(data, face)
            coloured = any(has_table(data, name, face) for name in _COLOURS)
        strike = _strike(path, face)
        name = " ".join(filter(None, ImageFont.truetype(path, strike or EM, face).getname()))
    return Font(path, name[:64], characters, strike, face, coloured)


@contextmanager
def _damage_told(name: str) -> Iterator[None]:
    """Turns whatever a damaged font makes Pillow raise into a SealError."""
    try:
        yield
    except SealError:
        raise
    except (*_FAULTS, Image.DecompressionBombError):
        raise SealError(f"font: {name!r} is damaged or no font; use another file.") from None


def _strike(path: str, face: int) -> int:
    """0 for an outline font, else the size at which a bitmap font opens."""
    try:
        ImageFont.truetype(path, EM, face)
        return 0
    except OSError:
        for size in _STRIKES:
            try:
                ImageFont.truetype(path, size, face)
                return size
            except OSError:
                continue
    raise ValueError("no size fits")
