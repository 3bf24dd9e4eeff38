"""The pictures of a folder, each with what is said of it: by a file of tags, its sub-folder's name, a mask beside it.

FOLDER/tags.csv      image,class,emotion        (seal_core.tagged_stickers)
FOLDER/fox/a.png     a fox, since its folder says so
FOLDER/fox/a.mask.png    where it is, white = subject
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..messages import SealError
from ..stickers.pack.read_folder import ENDINGS
from ..tagged_stickers.sticker_folder import Tagged, TaggedFolder, read_sticker_folder, tags_file
from .concept_names import concept_names

READ = (*ENDINGS, ".tif", ".tiff")
MASK = ".mask.png"
"""Ending of a mask beside its picture."""


@dataclass(frozen=True)
class FolderPicture:
    """One picture that becomes a concept.

    shown: its path within the folder. name: the concept's, safe and nobody else's. attributes: canonical name -> value.
    problem: why it cannot be learned, as far as that is known before it is read; "" for nothing.
    """

    image: Path
    shown: str
    name: str = ""
    mask: Path | None = None
    class_word: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def folder_pictures(
    folder: Path, tags: Path | None = None, class_word: str = "", without: Path | None = None
) -> list[FolderPicture]:
    """All pictures below a folder, sorted by path, then the rows of tags that name no picture which is there.

    tags: the file of tags; None = the one in the folder, if there is one. class_word: of all that tags say nothing of;
    empty = the name of their sub-folder. without: a folder to leave out, such as the one for the results.
    Raises SealError, naming `folder` or `tags`, where there is no picture at all or the tags cannot be read.
    """
    if not folder.is_dir():
        raise SealError(f"folder: {folder} is not a folder; give one with pictures.")
    tagged = _tagged(folder, tags, without)
    known = {record.image: record for record in tagged.records} if tagged else {}
    bad = {problem.image: problem for problem in tagged.problems if problem.image} if tagged else {}
    common = {name for name, records in tagged.concepts().items() if len(records) > 1} if tagged else set()
    found, words = [], []
    for path in _files(folder, without):
        shown = path.relative_to(folder).as_posix()
        one = FolderPicture(path, shown, mask=_mask_beside(path))
        record, label = known.pop(path, None), shown
        if record is not None:
            one = _with_tags(one, record, class_word or _class_of(path, folder))
            label = record.concept if record.concept not in common else f"{record.concept}/{path.name}"
        elif (problem := bad.pop(path, None)) is not None and tagged:
            one = replace(one, problem=f"{tagged.tags.name}, {problem}")
        else:
            one = replace(one, class_word=class_word or _class_of(path, folder))
        found.append(one)
        words.append(label)
    if not found and not bad:
        raise SealError(f"folder: no pictures in {folder}; it should hold {', '.join(READ)} files.")
    named = [replace(one, name=name) for one, name in zip(found, concept_names(words), strict=True)]
    return [*named, *_rows_without_picture(tagged, {one.image for one in found})]


def _tagged(folder: Path, tags: Path | None, without: Path | None) -> TaggedFolder | None:
    path = tags or tags_file(folder)
    if path is None or (tags is None and path.parent == without):
        return None
    return read_sticker_folder(folder, path, strict=False, decode=False)


def _with_tags(one: FolderPicture, record: Tagged, class_word: str) -> FolderPicture:
    return replace(
        one,
        mask=record.mask or one.mask,
        class_word=record.class_word or class_word,
        attributes=dict(record.attributes),
    )


def _rows_without_picture(tagged: TaggedFolder | None, there: set[Path]) -> list[FolderPicture]:
    """Rows that cannot be used and name no picture of the folder."""
    if tagged is None:
        return []
    return [
        FolderPicture(tagged.tags, f"{tagged.tags.name}, line {problem.line}", problem=problem.reason)
        for problem in tagged.problems
        if problem.image not in there or "has tags on line" in problem.reason
    ]


def _files(folder: Path, without: Path | None) -> Iterator[Path]:
    left_out = os.path.realpath(without) if without else None
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if name[0] != "." and name != "__MACOSX" and os.path.realpath(os.path.join(place, name)) != left_out
        )
        for name in sorted(names):
            if name[0] != "." and name.lower().endswith(READ) and not name.lower().endswith(MASK):
                yield Path(place, name)


def _mask_beside(path: Path) -> Path | None:
    mask = path.with_name(f"{path.stem}{MASK}")
    return mask if mask.is_file() else None


def _class_of(path: Path, folder: Path) -> str:
    """The name of a picture's sub-folder as words; "" for none."""
    return "" if path.parent == folder else " ".join(path.parent.name.replace("_", " ").replace("-", " ").split())
