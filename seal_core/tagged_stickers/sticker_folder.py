"""Folders of real stickers with tags: reads the six attributes from JSON, JSON lines or CSV and checks the pictures.

A folder holds pictures and one file of tags, a row a picture:

    {"image": "mochi/01.png", "concept": "mochi", "class": "cat", "emotion": "happy", "Camera Composition": "close-up"}

JSON: a list of such objects; JSON lines: one object a line; CSV: the same names in its first row. Attributes have the
names that `attributes.canonical_attribute` knows, aliases included; other columns are kept as they are. Nothing is
guessed: every row that cannot be used is listed with its line.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..messages import SealError
from ..pictures.picture_file import open_picture
from ..prompts.attributes import ATTRIBUTES, canonical_attribute, clean_value
from .tag_rows import TAG_SUFFIXES, RowError, read_tag_rows

NAMES = ("stickers", "attributes", "tags", "metadata", "annotations", "labels", "captions")
"""Names that the file of tags may have, best first, each with one of TAG_SUFFIXES."""
SMALLEST, LARGEST = 16, 16384
"""Shortest and longest side, in pixels, of a usable picture."""
_COLUMNS = {
    "image": ("image", "images", "file", "file name", "filename", "path", "picture", "sticker", "image path", "img"),
    "concept": ("concept", "character", "subject", "identity", "id", "name"),
    "class_word": ("class", "class word", "category", "species", "class name"),
    "mask": ("mask", "mask path", "alpha"),
}
_LISTED = 20


@dataclass(frozen=True)
class Tagged:
    """One sticker. attributes: canonical name -> value, in the schema's order, without empty ones.

    concept: which character it shows (where no column says so: its sub-folder's name, else its own). line: where
    in the tags file (1 = first). size: (width, height). extra: columns that are none of ours, as text.
    """

    image: Path
    attributes: Mapping[str, str]
    concept: str
    line: int
    size: tuple[int, int]
    class_word: str = ""
    mask: Path | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """A row that cannot be used, and why. line: in the tags file, 1 = first. image: of the picture that it names, if
    it names one."""

    line: int
    reason: str
    image: Path | None = None

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True)
class TaggedFolder:
    """What a folder holds. problems: the rows that were left out, by line."""

    folder: Path
    tags: Path
    records: tuple[Tagged, ...]
    problems: tuple[Problem, ...]

    def concepts(self) -> dict[str, list[Tagged]]:
        """The stickers of each character, in the file's order."""
        found: dict[str, list[Tagged]] = {}
        for record in self.records:
            found.setdefault(record.concept, []).append(record)
        return found


def read_sticker_folder(
    folder: Path | str, tags: Path | str | None = None, strict: bool = True, decode: bool = True
) -> TaggedFolder:
    """The tagged stickers of a folder.

    tags: the file of tags; None = the one in the folder (`tags_file`).
    strict: raise SealError, listing every bad row by line number; else they are left out and listed in `problems`.
    decode: read every picture to its end; else only its header, which tells its format and size (ten thousand rows
    take seconds then).
    Raises SealError, naming `folder` or `tags`, where there is no such folder, no or several tag files, a file that
    cannot be read, or no row that can be used.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SealError(f"folder: {folder} is not a folder; give one with pictures and a file of tags.")
    path = Path(tags) if tags else tags_file(folder)
    if path is None:
        raise SealError(f"folder: {folder} has no file of tags; add {NAMES[0]}.jsonl, .json or .csv (see the docs).")
    top = folder.resolve()
    records: list[Tagged] = []
    problems: list[Problem] = []
    first_line: dict[Path, int] = {}
    for line, row in read_tag_rows(path):
        try:
            record = _record(_Checks(folder, top, decode), line, row)
            if record.image in first_line:
                raise RowError(f"{_shown(record.image, folder)} has tags on line {first_line[record.image]} already")
        except RowError as error:
            problems.append(Problem(line, str(error), error.image))
        else:
            first_line[record.image] = line
            records.append(record)
    if problems and (strict or not records):
        raise SealError(_complaint(path, problems, len(records)))
    if not records:
        raise SealError(f'tags: {path} holds no rows; write e.g. {{"image": "a.png", "emotion": "sad"}}.')
    return TaggedFolder(folder, path, tuple(records), tuple(problems))


def _complaint(path: Path, problems: Sequence[Problem], good: int) -> str:
    count = f"{len(problems)} of {good + len(problems)} rows cannot be used"
    listed = "\n".join(f"  {problem}" for problem in problems[:_LISTED])
    more = f"\n  ... and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
    return f"tags: {path}: {count}; correct or delete them.\n{listed}{more}"


def tags_file(folder: Path) -> Path | None:
    """The file of tags in a folder: the one with the best of NAMES, else the only file with one of TAG_SUFFIXES; None
    where there is none. Raises SealError where several may be meant."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in TAG_SUFFIXES and p.is_file())
    named = [p for name in NAMES for p in files if p.stem.lower() == name]
    best = [p for p in named if p.stem.lower() == named[0].stem.lower()] or files
    if len(best) > 1:
        raise SealError(f"folder: {folder} has {', '.join(p.name for p in best)}; say which one holds the tags.")
    return best[0] if best else None


def _column(name: str) -> str:
    """What a column is: one of _COLUMNS, an attribute, or "" for neither."""
    plain = " ".join(re.split(r"[\s_-]+", name.strip().lower()))
    for column, names in _COLUMNS.items():
        if plain in names:
            return column
    try:
        return canonical_attribute(name)
    except SealError:
        return ""


@dataclass(frozen=True)
class _Checks:
    """How files are checked. top: the folder without links in its path."""

    folder: Path
    top: Path
    decode: bool


def _record(checks: _Checks, line: int, row: Any) -> Tagged:
    if isinstance(row, RowError):
        raise row
    if not isinstance(row, dict):
        raise RowError(f"{str(row)[:60]!r} is not an object of names and values")
    for value in row.values():
        if isinstance(value, RowError):
            raise value
    nested = row.get("attributes") or row.get("tags")
    if isinstance(nested, dict):
        row = {k: v for k, v in row.items() if k not in ("attributes", "tags")} | nested
    try:
        found, extra = _sorted(row)
        if not found.get("image"):
            raise RowError("names no picture; add `image`")
        return _of_picture(checks, line, _inside(checks, found["image"], "image"), found, extra)
    except RowError as error:
        named = [value for key, value in row.items() if isinstance(key, str) and _column(key) == "image"]
        if named and isinstance(named[0], str) and named[0].strip():
            error.image = checks.folder / named[0].strip().replace("\\", "/")
        raise


def _of_picture(checks: _Checks, line: int, image: Path, found: Mapping[str, str], extra: Mapping[str, str]) -> Tagged:
    size = _checked(image, checks, "image")
    attributes = _attributes(found)
    mask = _inside(checks, found["mask"], "mask") if found.get("mask") else None
    if mask is not None and _checked(mask, checks, "mask") != size:
        raise RowError(f"mask: {_shown(mask, checks.folder)} is not the size of its picture")
    concept = found.get("concept") or (image.parent.name if image.parent != checks.folder else image.stem)
    return Tagged(image, attributes, concept, line, size, found.get("class_word", ""), mask, extra)


def _sorted(row: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """The row's values by column (one of _COLUMNS or an attribute), and the columns that are not ours."""
    found: dict[str, str] = {}
    extra: dict[str, str] = {}
    for key, value in row.items():
        column = _column(key) if isinstance(key, str) else ""
        if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
            value = ", ".join(value)
        if not column:
            extra[str(key)] = value if isinstance(value, str) else json.dumps(value, default=str)
            continue
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        if not isinstance(value, str) and not (column == "concept" and isinstance(value, int)):
            raise RowError(f"{key} is {json.dumps(value, default=str)[:60]}; write text")
        if column in found:
            raise RowError(f"{column} is given twice (as {key!r} too)")
        found[column] = str(value).strip()
    return found, extra


def _attributes(found: Mapping[str, str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name in ATTRIBUTES:
        try:
            value = clean_value(name, found.get(name))
        except SealError as error:
            raise RowError(str(error)) from None
        if value:
            values[name] = value
    if not values and not found.get("class_word"):
        raise RowError(f"has no class and none of the attributes {', '.join(ATTRIBUTES)}")
    return values


def _inside(checks: _Checks, name: str, what: str) -> Path:
    """The named file of the folder. Raises RowError for one outside it, also through links."""
    name = name.replace("\\", "/")
    if os.path.isabs(name) or re.match(r"^[A-Za-z]:", name) or ".." in name.split("/") or "\0" in name:
        raise RowError(f"{what}: {name!r} leaves the folder; write the path relative to it")
    path = checks.folder / name
    if not Path(os.path.realpath(path)).is_relative_to(checks.top):
        raise RowError(f"{what}: {name!r} is a link that leaves the folder")
    return path


def _checked(path: Path, checks: _Checks, what: str) -> tuple[int, int]:
    """(width, height) of a picture. Raises RowError, saying why, where it cannot be used."""
    name = _shown(path, checks.folder)
    shown = f"{what}: {name}"
    if not path.is_file():
        raise RowError(f"{shown} is not there")
    try:
        with open_picture(path, what, name) as file:
            width, height = file.size
            if min(width, height) < SMALLEST or max(width, height) > LARGEST:
                raise SealError(f"{shown} is {width} x {height} px; sides must have {SMALLEST} to {LARGEST}")
            if checks.decode:
                file.load()
    except SealError as error:
        raise RowError(str(error)) from None
    return width, height


def _shown(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
