"""Stickers into a pack: checked first, encoded one by one, written whole or not at all. Nothing is uploaded."""

from __future__ import annotations

import os
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...files.names import is_reserved
from ...messages import SealError, valid_text
from ...progress import Check, Progress, never
from ..emoji import DEFAULT, check_emoji, emoji_by_words, split_emoji
from ..names import FORBIDDEN, folder_name, slug
from ..platforms import SIDES, Motion, Platform, Still, platform_of
from . import platform_files
from .animation_encoder import SUFFIX, encode_animation
from .clip import Clip
from .cover_pictures import write_cover_pictures
from .still_encoder import encode_still

_TRIES = 1000


@dataclass(frozen=True)
class Sticker:
    """A sticker to be: its name, whether it is animated, how to read it, and its emoji."""

    name: str
    animated: bool
    read: Callable[[], Clip]
    emoji: tuple[str, ...] = ()


@dataclass(frozen=True)
class PackRequest:
    """What the user asks for. form: auto or one of the platform's formats; cut: end long animations early instead of
    playing them faster; size: side of the canvas in pixels where the platform leaves a choice (0: its own);
    tags: texts (prompt, workflow) to embed where format and limit allow."""

    platform: str
    title: str
    author: str
    name: str = ""
    form: str = "auto"
    cut: bool = False
    size: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pack:
    """A pack on the disk: its folder, the stickers' files, all files, and the report (also in pack.json)."""

    folder: Path
    stickers: list[Path]
    files: list[Path]
    report: dict[str, Any]


def with_emoji(stickers: Sequence[Sticker], texts: Sequence[str], platform: str) -> list[Sticker]:
    """Stickers with their emoji: one text for all of them, or one each; none where the platform wants some: 😀.

    Texts such as "sad = 😢" go by the words in the stickers' names (`emoji.emoji_by_words`); of what they give, a
    sticker has as many as the platform takes, so that the same texts serve every platform.
    SealError for what is not an emoji, for too many or too few, and for another number of texts.
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


def save_pack(
    stickers: Sequence[Sticker],
    request: PackRequest,
    parent: Path,
    progress: Progress | None = None,
    check: Check = never,
) -> Pack:
    """Write a pack into a new folder in `parent`: NAME, or NAME-2, NAME-3, ... where that exists.

    Everything goes into a hidden folder beside it first (.NAME.xxxxxxxx.tmp), which is renamed at the end and removed
    on any failure, Cancel included; only a process that is killed outright leaves it. progress(done, total) is called
    before each sticker, check() before each frame of each try; both may raise. SealError, with the numbers, for
    whatever the platform does not take.
    """
    row = _sized(platform_of(request.platform), request.size)
    stickers = _checked(stickers, row, request)
    stem = folder_name(request.name) if request.name else slug(request.title) or row.name
    stem = f"{row.name}_{stem}" if is_reserved(stem) else stem
    temporary = parent / f".{stem}.{secrets.token_hex(4)}.tmp"
    try:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            temporary.mkdir()
        except OSError as error:
            raise SealError(f"out: cannot write into {parent} ({error.strerror}); choose another folder.") from None
        report = _fill(temporary, stickers, row, request, stem, progress, check)
        folder = _renamed(temporary, parent, stem)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise SealError(
            f"out: cannot write into {parent} ({error.strerror or error}); nothing is left there."
        ) from None
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    report["folder"] = str(folder)
    files = sorted(path for path in folder.iterdir())
    return Pack(folder, [folder / sticker["file"] for sticker in report["stickers"]], files, report)


def _sized(row: Platform, size: int) -> Platform:
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


def _checked(stickers: Sequence[Sticker], row: Platform, request: PackRequest) -> list[Sticker]:
    """The stickers with names in order. SealError for what can be known before anything is encoded."""
    if not stickers:
        raise SealError("images: no sticker in the batch; give at least one picture.")
    names = [(f"name of sticker {i + 1}", sticker.name) for i, sticker in enumerate(stickers)]
    for key, text in (("title", request.title), ("author", request.author), ("name", request.name), *names):
        valid_text(text, key)
    for key, text, (least, most) in (("title", request.title, row.title), ("author", request.author, row.author)):
        length = platform_files.counted_length(text, row.wide_counts_two)
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
    some = any(request.form in spec.formats for spec in kinds.values())  # then the others have their best
    for is_animated, spec in kinds.items():
        _form(spec, request.form, row.label, is_animated, some)
    return [replace(sticker, name=_named(sticker.name, i, row)) for i, sticker in enumerate(stickers)]


def _form(spec: Still | Motion, form: str, label: str, animated: bool, others: bool = False) -> str:
    """The format to use. others: one that is not for this kind is for the pack's other kind."""
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


def _fill(
    folder: Path,
    stickers: Sequence[Sticker],
    row: Platform,
    request: PackRequest,
    stem: str,
    progress: Progress | None,
    check: Check,
) -> dict[str, Any]:
    """Everything that belongs into the pack's folder; returns the report."""
    entries, notes = [], []
    cover = None
    for i, sticker in enumerate(stickers):
        if progress is not None:
            progress(i, len(stickers))
        label = f"sticker {i + 1}" + (f" ({sticker.name})" if sticker.name else "")
        clip = sticker.read()
        cover = cover if cover is not None else clip
        try:
            entry, data = _encoded(clip, row, request, check)
        except SealError as error:
            raise SealError(f"images: {label}: {error}") from None
        part = "" if row.numbered else slug(sticker.name)
        file = f"{i + 1:02d}" + (f"_{part}" if part else "") + entry.pop("suffix")
        notes += [f"{label}: {note}" for note in entry.pop("notes")]
        (folder / file).write_bytes(data)
        entries.append({"file": file, "name": sticker.name, "emoji": list(sticker.emoji), **entry})
    assert cover is not None
    moving = all(sticker.animated for sticker in stickers)
    extras = write_cover_pictures(folder, cover, row, moving, request.cut, notes, check)
    report = {
        "platform": row.name,
        "title": request.title,
        "author": request.author,
        "animated": any(sticker.animated for sticker in stickers),
        "stickers": entries,
        "extras": extras,
        "notes": notes,
    }
    platform_files.add_platform_files(folder, report, row, stem)
    if progress is not None:
        progress(len(stickers), len(stickers))
    return report


def _encoded(clip: Clip, row: Platform, request: PackRequest, check: Check) -> tuple[dict[str, Any], bytes]:
    spec = row.motion if clip.animated else row.still
    form = _form(spec, request.form, row.label, clip.animated, others=True)
    entry: dict[str, Any] = {"format": form, "suffix": f".{SUFFIX.get(form, form)}", "notes": []}
    if clip.animated:
        made = encode_animation(clip, row.motion, form, request.tags, request.cut, check)
        found, size = made.found, made.size
        entry |= {"frames": made.frames, "seconds": round(made.milliseconds / 1000, 3), "notes": list(made.notes)}
    else:
        found, size = encode_still(clip.frames[0], row.still, form, request.tags, check)
    if found.rung.scale < 1 or found.rung.frames < 1:
        entry["notes"].append(f"to fit into {spec.max_bytes:,} bytes: {found.rung}")
    if (clip.frames[..., 3] == 255).all():
        entry["notes"].append("has no transparent pixel; cut it out first (SEALStickerCutout) to get a sticker's shape")
    limit = {"limit": spec.max_bytes} if spec.max_bytes < 1 << 40 else {}
    entry |= {"width": size[0], "height": size[1], "bytes": len(found.data), **limit, "setting": str(found.rung)}
    return entry, found.data


def _renamed(temporary: Path, parent: Path, stem: str) -> Path:
    """The folder under its final name, which nothing had before."""
    for count in range(1, _TRIES):
        target = parent / (stem if count == 1 else f"{stem}-{count}")
        if target.exists():
            continue
        try:
            os.rename(temporary, target)
        except OSError:
            if target.exists():  # someone else was quicker
                continue
            raise
        return target
    raise SealError(f"name: {parent} has {_TRIES} packs called {stem}; choose another name.")
