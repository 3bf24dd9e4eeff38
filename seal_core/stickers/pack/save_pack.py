"""Stickers into a pack: checked first, encoded one by one, written whole or not at all. Nothing is uploaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...callbacks import OnProgress, StopCheck, never_stop
from ...files.whole_folder import write_new_folder
from ...messages import SealError
from ..platforms import NO_LIMIT, Platform, platform_of
from .animation_encoder import SUFFIX, encode_animation
from .clip import Clip
from .cover_pictures import write_cover_pictures
from .how_to_upload import upload_line
from .pack_names import pack_folder_name, slug
from .pack_request import PackRequest, Sticker
from .platform_check import checked_stickers, format_for, platform_with_size
from .platform_files import add_platform_files
from .still_encoder import encode_still


@dataclass(frozen=True)
class Pack:
    """A saved pack: its folder, the stickers' files, all files, and the report (also in pack.json)."""

    folder: Path
    stickers: list[Path]
    files: list[Path]
    report: dict[str, Any]


def save_pack(
    stickers: Sequence[Sticker],
    request: PackRequest,
    parent: Path,
    progress: OnProgress | None = None,
    check: StopCheck = never_stop,
) -> Pack:
    """Write a pack into a new folder in `parent`: NAME-PLATFORM, or with -2, -3, ... if that exists.

    The folder appears whole or not at all, also on Cancel (`files.whole_folder`). progress(done, total) is called
    before each sticker, check() before each frame of each try; both may raise.
    Raises SealError, with the numbers, for whatever the platform does not take.
    """
    row = platform_with_size(platform_of(request.platform), request.size)
    stickers = checked_stickers(stickers, row, request)
    stem = pack_folder_name(request.name, request.title, row.name)
    folder, report = write_new_folder(
        parent, stem, lambda hidden: _fill(hidden, stickers, row, request, stem, progress, check), "out"
    )
    report["folder"] = str(folder)
    files = sorted(folder.iterdir())
    return Pack(folder, [folder / sticker["file"] for sticker in report["stickers"]], files, report)


def pack_in_words(pack: Pack) -> str:
    """How many stickers are where, and how to get them into the chat app, in a few lines."""
    row, count = platform_of(pack.report["platform"]), len(pack.stickers)
    what = f"{count} sticker{'s' * (count > 1)} for {row.label}" if row.name != "plain" else f"{count} plain files"
    return f"{what}: {pack.folder}\n{upload_line(pack.report)} All steps: {pack.report['how_to']} in that folder."


def _fill(
    folder: Path,
    stickers: Sequence[Sticker],
    row: Platform,
    request: PackRequest,
    stem: str,
    progress: OnProgress | None,
    check: StopCheck,
) -> dict[str, Any]:
    """Write everything that belongs in the pack's folder. Returns the report."""
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
    add_platform_files(folder, report, row, stem)
    if progress is not None:
        progress(len(stickers), len(stickers))
    return report


def _encoded(clip: Clip, row: Platform, request: PackRequest, check: StopCheck) -> tuple[dict[str, Any], bytes]:
    spec = row.motion if clip.animated else row.still
    form = format_for(spec, request.form, row.label, clip.animated, others=True)
    entry: dict[str, Any] = {"format": form, "suffix": f".{SUFFIX.get(form, form)}", "notes": []}
    if clip.animated:
        made = encode_animation(clip, row.motion, form, request.tags, request.cut, check)
        found, size = made.found, made.size
        entry |= {"frames": made.frames, "seconds": round(made.milliseconds / 1000, 3), "notes": list(made.notes)}
    else:
        found, size = encode_still(clip.frames[0], row.still, form, request.tags, check)
    if found.setting.scale < 1 or found.setting.frames < 1:
        entry["notes"].append(f"to fit into {spec.max_bytes:,} bytes: {found.setting}")
    if (clip.frames[..., 3] == 255).all():
        entry["notes"].append("has no transparent pixel; cut it out first (SEAL Sticker Cutout) for a sticker's shape")
    limit = {"limit": spec.max_bytes} if spec.max_bytes < NO_LIMIT else {}
    entry |= {"width": size[0], "height": size[1], "bytes": len(found.data), **limit, "setting": str(found.setting)}
    return entry, found.data
