"""Names of stickers and of packs' folders that every disk takes."""

from __future__ import annotations

import re
import unicodedata

from ...files.safe_names import is_windows_device
from ...messages import SealError

_NAME_BYTES = 200
"""File systems take 255 bytes, and a number, an archive's ending or a hidden folder's mark is added."""
FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')


def folder_name(name: str) -> str:
    """`name` itself if it can name a folder. Raises SealError for separators and whatever some disk does not take."""
    if FORBIDDEN.search(name) or name.strip(" .") != name or not name or len(name) > 64:
        raise SealError(
            f'name: {name!r} cannot be a folder; no / \\ : * ? " < > |, 1 to 64 characters, no dot at the ends.'
        )
    if len(name.encode()) > _NAME_BYTES:
        raise SealError(f"name: {len(name.encode())} bytes are too long for a folder; use at most {_NAME_BYTES}.")
    if is_windows_device(name):
        raise SealError(f"name: {name!r} is reserved by Windows; choose another, such as my-{name}.")
    return name


def pack_folder_name(name: str, title: str, platform: str) -> str:
    """The name of a pack's folder: `name`, or else the title, with the platform in it: My_Cat-telegram.

    Packs of the same stickers for several platforms can so be told apart. Raises SealError for an impossible name.
    """
    stem = folder_name(name) if name else slug(title)
    if platform in stem.lower():
        return stem
    return f"{stem}-{platform}" if stem else platform


def name_from_file(name: str) -> str:
    """A file's name as a sticker's: characters that some disk does not take become spaces."""
    return " ".join(FORBIDDEN.sub(" ", name).split())


def slug(text: str) -> str:
    """A text as part of a file name: letters, digits, _ and -, at most 40 characters. May be empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_-")[:40].strip("_-")
