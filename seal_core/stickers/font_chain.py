"""Which fonts draw a text: those asked for, the bundled one, and where characters are lacking, whatever is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ..messages import SealError
from .emoji import drawn_as_emoji
from .font import Font, graphemes, invisible, missing_characters, open_font, wants_picture
from .system_fonts import FontFile, east_asian

SpareFonts = Callable[[str], Iterable[FontFile]]
"""From a text to the fonts to try for characters that the others lack, best first. It is asked only if some do."""

_MOST_SPARE = 300
"""How many spare fonts are opened for one text."""


def no_spare_fonts(text: str) -> Iterable[FontFile]:
    return ()


def font_chain(text: str, fonts: Sequence[str | Path] = (), spare: SpareFonts = no_spare_fonts) -> list[Font]:
    """The fonts for a text, in the order in which `font.font_runs` tries them for each character.

    fonts: files that were asked for; then comes the bundled font. Where these lack a character, or a picture of an
    emoji, spare fonts follow that have it; damaged ones are passed over. East Asian characters leave the bundled font,
    which has kana only, if one of the others has all of them: a word in two weights looks broken.
    Raises SealError naming `font` for files among `fonts` that are no fonts.
    """
    chain = [*map(open_font, fonts), open_font()]
    bundled = len(chain) - 1
    if lacking := _lacking(text, chain):
        for file, _ in zip(spare(text), range(_MOST_SPARE)):
            font = _opened(file)
            if font is not None and _helps(font, lacking, chain):
                chain.append(font)
                lacking = _lacking(text, chain)
                if not lacking:
                    break
    own = {c for c in text if east_asian(c)}
    if not all(map(chain[bundled].has, own)) and any(all(map(f.has, own)) for f in chain[bundled + 1 :]):
        kept = chain[bundled].characters - set(map(ord, own))
        chain[bundled] = replace(chain[bundled], characters=kept)
    return chain


def lacking_message(text: str, chain: Sequence[Font], spare: SpareFonts) -> str:
    """Which characters of a text the fonts lack and which font to install, or "" where they have all.

    spare: what `font_chain` was given.
    """
    lacking = missing_characters(text, chain)
    if not lacking:
        return ""
    those = [c for c in text if not any(f.has(c) for f in chain)]
    advice = []
    if any(map(drawn_as_emoji, those)):
        advice.append("Noto Color Emoji for emoji (Debian, Ubuntu: fonts-noto-color-emoji)")
    if any(map(east_asian, those)):
        advice.append("Noto Sans CJK for Chinese, Japanese and Korean (Debian, Ubuntu: fonts-noto-cjk)")
    names = ", ".join(f.name for f in chain)
    if spare is no_spare_fonts:
        return f"{names} lacks {lacking}; let font be automatic, or choose a font file that has them"
    install = " and ".join(advice) or "a font that has them (there is a Noto Sans for every script)"
    return f"{names} lacks {lacking}; install {install}, or put its file into ComfyUI's models/fonts"


def _lacking(text: str, chain: Sequence[Font]) -> set[str]:
    """The characters that no font has, and those of emoji that no emoji font has."""
    found = {c for c in text if not any(f.has(c) for f in chain)}
    for cluster in graphemes(text):
        if wants_picture(cluster) and not any(f.emoji and all(map(f.has, cluster)) for f in chain):
            found.update(c for c in cluster if not invisible(c))
    return found


def _helps(font: Font, lacking: Iterable[str], chain: Sequence[Font]) -> bool:
    """Whether a font has some of what is lacking, and draws it."""
    there = [c for c in lacking if font.has(c) and (font.emoji or not any(f.has(c) for f in chain))]
    try:
        return any(map(font.inks, there[:4]))
    except SealError:
        return False


def _opened(file: FontFile) -> Font | None:
    for face in dict.fromkeys((file.face, 0)):  # another edition of a collection may have fewer
        try:
            return open_font(file.path, face)
        except SealError:
            continue  # nobody asked for this one
    return None
