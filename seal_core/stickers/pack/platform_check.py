"""Whether a platform takes a pack: everything that can be known before the first sticker is encoded."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from ...messages import SealError, require_utf8
from ..platforms import SIDES, Motion, Platform, Still
from .pack_names import FORBIDDEN
from .pack_request import PackRequest, Sticker


def platform_with_size(row: Platform, size: int) -> Platform:
    if not size:
        return row
    if row.still.canvas == "own" and 16 <= size <= 4096:
        return replace(
            row,
            still=replace(row.still, canvas="longest", width=size, height=size),
            motion=replace(row.motion, canvas="longest", width=size, height=size),
        )
    if size == row.still.width == row.still.height:
        return row
    if size not in SIDES.get(row.name, ()):
        choice = {"plain": "16 to 4096"}.get(row.name) or ", ".join(map(str, SIDES.get(row.name, (0,))))
        raise SealError(f"size: {row.label} has no stickers of {size} px; choose {choice} (0 = its own).")
    still, motion = replace(row.still, width=size, height=size), replace(row.motion, width=size, height=size)
    return replace(row, still=still, motion=motion)


def checked_stickers(stickers: Sequence[Sticker], row: Platform, request: PackRequest) -> list[Sticker]:
    """The stickers with valid names. Raises SealError for whatever the platform is known to refuse."""
    if not stickers:
        raise SealError("images: no sticker in the batch; give at least one picture.")
    names = [(f"name of sticker {i + 1}", sticker.name) for i, sticker in enumerate(stickers)]
    for key, text in (("title", request.title), ("author", request.author), ("name", request.name), *names):
        require_utf8(text, key)
    for key, text, (least, most) in (("title", request.title, row.title), ("author", request.author, row.author)):
        length = counted_length(text, row.wide_counts_two)
        if not text.strip() or not least <= length <= most:
            raise SealError(f"{key}: {length} characters; {row.label} takes {least} to {most}.")
        if any(unicodedata.category(c) == "Cc" for c in text):
            raise SealError(f"{key}: {text!r} has line breaks or control characters; write it in one line.")
    animated = [sticker.animated for sticker in stickers]
    if any(animated) and not all(animated) and not row.mixed:
        raise SealError(
            f"images: {sum(animated)} animated and {len(animated) - sum(animated)} static stickers; {row.label} does "
            "not mix them: make two packs."
        )
    counts = row.allowed_counts(any(animated))
    if len(stickers) not in counts:
        takes = f"{counts[0]} to {counts[-1]}" if isinstance(counts, range) else ", ".join(map(str, counts))
        kind = "animated stickers" if any(animated) else "stickers"
        raise SealError(f"images: {len(stickers)} {kind}; a pack for {row.label} has {takes}: add or leave out some.")
    kinds = {is_animated: row.motion if is_animated else row.still for is_animated in animated}
    some = any(request.form in spec.formats for spec in kinds.values())  # the others get their best format
    for is_animated, spec in kinds.items():
        format_for(spec, request.form, row.label, is_animated, some)
    return [replace(sticker, name=_named(sticker.name, i, row)) for i, sticker in enumerate(stickers)]


def format_for(spec: Still | Motion, form: str, label: str, animated: bool, others: bool = False) -> str:
    """The format to use. others: a form that this kind of sticker cannot have is meant for the pack's other kind."""
    if form == "auto" or (others and form not in spec.formats):
        return spec.formats[0]
    if form not in spec.formats:
        kind = "animated" if animated else "static"
        raise SealError(f"format: {label} takes {' or '.join(spec.formats)} for {kind} stickers, not {form}.")
    return form


def _named(name: str, index: int, row: Platform) -> str:
    least, most = row.sticker_name
    if FORBIDDEN.search(name):
        raise SealError(f'names: {name!r} has a character that file names cannot have; use none of / \\ : * ? " < > |.')
    name = name.strip()
    if len(name) < least:
        name = f"sticker {name or index + 1}"
    return name[:most].strip()


def counted_length(text: str, wide_counts_two: bool = False) -> int:
    """Number of characters. wide_counts_two: East Asian wide ones count twice, as LINE counts."""
    if not wide_counts_two:
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WFA" else 1 for c in text)
