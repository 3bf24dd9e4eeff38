"""A labelled grid of stickers, with a sweep's two attributes as rows and columns, and scores if given (ours)."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..callbacks import OnProgress, reporting
from ..messages import SealError, notify_user
from .canvas import fit_into, rgba8
from .font import Font, composed, font_runs, graphemes, width_in_ems
from .font_chain import SpareFonts, font_chain, lacking_message, no_spare_fonts
from .layers import layers_of

GROUNDS = ("checkered", "white", "grey", "dark")
MOST = 1024
LARGEST = 8192
"""Longest side of the sheet in pixels. To keep to it cells shrink first, then the columns change."""
SMALLEST = 32
"""Smallest cell in pixels."""
LONGEST = 1000
"""Characters of a label or title that are read; fewer ever fit."""
_TONES = {"checkered": (236, 214), "white": (255, 255), "grey": (150, 150), "dark": (38, 38)}
_PAPER, _INK, _MUTED, _GOOD = (250, 250, 252), (32, 32, 40), (112, 114, 128), (28, 124, 84)


@dataclass(frozen=True)
class Grid:
    """Where pictures go: row by row, `columns` in each. rows, heads, captions: words beside rows, above columns and
    under pictures; each may be empty."""

    columns: int
    rows: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()


def contact_sheet(
    images: Sequence[Tensor],
    labels: Sequence[str] = (),
    scores: Sequence[float] = (),
    *,
    columns: int = 0,
    cell: int = 256,
    ground: str = "checkered",
    title: str = "",
    fonts: Sequence[str | Path] = (),
    spare: SpareFonts = no_spare_fonts,
    progress: OnProgress | None = None,
) -> Tensor:
    """The sheet (1, H, W, 3) float32 in [0, 1].

    images: IMAGEs of any sizes (`layers.layers_of`), each picture fitted into its cell. labels, scores: none, one for
    each batch or one for each picture; labels also as one text with a line for each picture. Labels of a two-attribute
    sweep ("happy, jumping") name rows and columns; with one label a batch, its pictures are numbered columns. columns:
    0 = from the labels, else nearly square. If the sheet would exceed LARGEST pixels, cells shrink; if even that is not
    enough, it becomes nearly square, with a warning. cell: pixels of a cell. ground: one of GROUNDS. fonts, spare:
    files for the words, as in `caption.add_caption`; characters that none has appear as code points (U+65E5), with a
    warning. progress: called as (done, all) for each batch, then for each picture.
    Raises SealError if there is nothing to show, for counts that do not match, unknown choices and unreadable fonts.
    """
    if ground not in GROUNDS:
        raise SealError(f"ground: {ground!r} is not known; choose one of {', '.join(GROUNDS)}.")
    if not SMALLEST <= cell <= 1024:
        raise SealError(f"cell: {cell} is out of range; use {SMALLEST} to 1024 pixels.")
    frames = [list(rgba8(layers_of(batch, name="images"))) for batch in reporting(images, progress)]
    count = sum(map(len, frames))
    if not 1 <= count <= MOST:
        raise SealError(f"image: {count} pictures; a contact sheet holds 1 to {MOST}.")
    if columns < 0 or columns > count:
        raise SealError(f"columns: {columns} for {count} pictures; use 0 (automatic) to {count}.")
    sizes = [len(batch) for batch in frames]
    lines = labels[0].splitlines() if len(labels) == 1 and count > 1 else ()
    labels = lines if len(lines) == count else labels
    words = _each(labels, sizes, "labels")
    grid = arrange(words, sizes, columns, len(labels) == len(sizes))
    marks = _each(scores, sizes, "scores")
    chain = font_chain(_all_words(grid, title), fonts, spare)
    grid, title = _legible(grid, title, chain, spare)
    sheet = _layout(grid, count, cell, chain, bool(marks), bool(title))
    if max(sheet.size) > LARGEST:
        asked = f"{grid.columns} x {math.ceil(count / grid.columns)} pictures"
        message = f"columns: {asked} do not fit into {LARGEST} pixels; they are put in a square instead."
        notify_user(message)
        grid = Grid(math.ceil(math.sqrt(count)), captions=tuple(words))
        sheet = _layout(grid, count, cell, chain, bool(marks), bool(title))
    return _drawn([f for batch in frames for f in batch], grid, marks, sheet, ground, title, chain, progress)


def _all_words(grid: Grid, title: str) -> str:
    return composed("".join(words[:LONGEST] for words in (title, *grid.rows, *grid.heads, *grid.captions)))


def _legible(grid: Grid, title: str, chain: Sequence[Font], spare: SpareFonts) -> tuple[Grid, str]:
    """The words with code points in place of characters that the fonts lack.

    A label must not make a sheet fail at the end of a long sweep, and no two labels may look alike.
    """

    def shown(words: str) -> str:
        spelled = (c if any(f.has(c) for f in chain) else f" U+{ord(c):04X} " for c in composed(words)[:LONGEST])
        return " ".join("".join(spelled).split())

    if lacking := lacking_message(_all_words(grid, title), chain, spare):
        message = f"labels, title: shown as code points, since {lacking}."
        notify_user(message)
    words = {name: tuple(map(shown, getattr(grid, name))) for name in ("rows", "heads", "captions")}
    return replace(grid, **words), shown(title)


def _each(values: Sequence, sizes: Sequence[int], name: str) -> list:
    """One value for each picture, from one for each batch or picture; none stay none."""
    total = sum(sizes)
    if len(values) == 0 or len(values) == total:
        return list(values)
    if len(values) != len(sizes):
        counts = f"{len(values)} for {len(sizes)} inputs with {total} pictures"
        raise SealError(f"{name}: {counts}; wire none, one for each input or one for each picture.")
    return [value for value, size in zip(values, sizes) for _ in range(size)]


def arrange(labels: Sequence[str], sizes: Sequence[int], columns: int = 0, repeated: bool = False) -> Grid:
    """The grid for pictures with these labels. sizes: pictures in each batch. repeated: there was one label a batch."""
    count = sum(sizes)
    deep = sizes[0] if len(set(sizes)) == 1 else 0
    if labels and not columns:
        if repeated and deep > 1:
            return Grid(deep, tuple(labels[::deep]), tuple(f"#{i + 1}" for i in range(deep)))
        found = _two_axes(labels)
        if found:
            return found
    columns = columns or min(count, math.ceil(math.sqrt(count)))
    return Grid(columns, captions=tuple(labels))


def _two_axes(labels: Sequence[str]) -> Grid | None:
    """Rows and columns from labels such as "happy, jumping", listed row by row. Values may contain commas."""
    first = labels[0].split(", ")
    for cut in range(1, len(first)):
        head, tail = ", ".join(first[:cut]), ", ".join(first[cut:])
        columns = 0
        while columns < len(labels) and labels[columns].startswith(f"{head}, "):
            columns += 1
        if not 1 < columns < len(labels) or len(labels) % columns:
            continue
        heads = [label[len(head) + 2 :] for label in labels[:columns]]
        rows = [label.removesuffix(f", {tail}") for label in labels[::columns]]
        if [f"{r}, {c}" for r in rows for c in heads] == list(labels):
            return Grid(columns, tuple(rows), tuple(heads))
    return None


@dataclass(frozen=True)
class _Layout:
    """In pixels: a cell, the gap between two, the em of words (text), the room beside rows and above columns, the step
    to the next cell (wide, high), the top of the first cell, and the sheet's width and height."""

    cell: int
    gap: int
    text: int
    beside: int
    above: int
    wide: int
    high: int
    top: int
    size: tuple[int, int]


def _layout(grid: Grid, count: int, most: int, chain: Sequence[Font], scored: bool, titled: bool) -> _Layout:
    """The layout with the largest cells, up to `most` pixels, that fits into LARGEST; else with SMALLEST cells."""
    rows = math.ceil(count / grid.columns)

    def of(cell: int) -> _Layout:
        gap, text = max(4, cell // 24), max(11, cell // 14)
        longest = max((width_in_ems(r, chain, text) * text for r in grid.rows), default=0)
        beside = round(min(cell * 0.9, longest)) + (gap if grid.rows else 0)
        above = round(text * 1.6) if grid.heads else 0
        under = round(text * 1.5) * (bool(grid.captions) + scored)
        wide, high = cell + gap, cell + under + gap
        top = gap + (round(text * 2.8) if titled else 0) + above
        size = gap + beside + grid.columns * wide, top + rows * high
        return _Layout(cell, gap, text, beside, above, wide, high, top, size)

    if max(of(most).size) <= LARGEST:
        return of(most)
    return of(SMALLEST - 1 + max(1, bisect_right(range(SMALLEST, most), LARGEST, key=lambda c: max(of(c).size))))


def _drawn(
    frames: Sequence[np.ndarray],
    grid: Grid,
    scores: Sequence[float],
    layout: _Layout,
    ground: str,
    title: str,
    chain: Sequence[Font],
    progress: OnProgress | None,
) -> Tensor:
    cell, gap, text, beside, above = layout.cell, layout.gap, layout.text, layout.beside, layout.above
    wide, high, top = layout.wide, layout.high, layout.top
    sheet = Image.new("RGB", layout.size, _PAPER)
    if title:
        _write(sheet, (gap, gap + text * 1.1), title, sheet.width - 2 * gap, chain, round(text * 1.5), align=0)
    for i, words in enumerate(grid.heads):
        _write(sheet, (gap + beside + i * wide + cell / 2, top - above * 0.6), words, cell, chain, text)
    for i, words in enumerate(grid.rows):
        _write(sheet, (beside, top + i * high + cell / 2), words, beside - gap / 2, chain, text, align=1)
    behind = _behind(cell, ground)
    best = max((s for s in scores if not math.isnan(s)), default=math.nan)
    for i, frame in enumerate(reporting(frames, progress)):
        x, y = gap + beside + i % grid.columns * wide, top + i // grid.columns * high
        sheet.paste(behind, (x, y))
        picture = Image.fromarray(fit_into(frame, cell, cell, margin=max(1, cell // 64)))
        sheet.paste(picture, (x, y), picture)
        at = (x + cell / 2, y + cell + text * 0.8)
        if grid.captions:
            _write(sheet, at, grid.captions[i], cell, chain, text)
            at = (at[0], at[1] + text * 1.5)
        if len(scores):
            ink = _GOOD if scores[i] == best else _MUTED
            _write(sheet, at, f"{scores[i]:.3g}", cell, chain, text, ink)
    return torch.from_numpy(np.divide(np.asarray(sheet), 255, dtype=np.float32))[None]


def _write(
    sheet: Image.Image,
    at: tuple[float, float],
    words: str,
    room: float,
    chain: Sequence[Font],
    size: int,
    ink: tuple[int, int, int] = _INK,
    align: float = 0.5,
) -> None:
    """Writes words, shortened to `room` pixels, vertically centred on `at`. They start (align 0), are centred (0.5) or
    end (1) there."""
    words = _short(words, chain, size, room)
    pen = at[0] - width_in_ems(words, chain, size) * size * align
    ascent, descent = chain[-1].at(size).getmetrics()
    for font, run in font_runs(words, chain):
        layer, left, top = font.draw(run, size, ink)
        picture = Image.fromarray((layer * 255).round().astype(np.uint8))
        sheet.paste(picture, (round(pen + left), round(at[1] + (ascent - descent) / 2 + top)), picture)
        pen += font.advance(run, size) * size


def _short(words: str, chain: Sequence[Font], size: int, room: float) -> str:
    """Words shortened to `room` pixels, with dots in place of what is left out."""
    if width_in_ems(words, chain, size) * size <= room:
        return words
    parts = graphemes(words)

    def needed(count: int) -> float:
        return width_in_ems("".join(parts[:count]) + "\u2026", chain, size) * size

    return "".join(parts[: bisect_right(range(1, len(parts)), room, key=needed)]).rstrip() + "\u2026"


def _behind(cell: int, ground: str) -> Image.Image:
    y, x = np.indices((cell, cell)) // max(4, cell // 16)
    tones = np.where((y + x) % 2 == 0, *_TONES[ground]).astype(np.uint8)
    return Image.fromarray(np.repeat(tones[..., None], 3, 2))
