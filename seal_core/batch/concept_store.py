"""The concepts of a batch on disk: one group of files each, whole or not there, found again by what they were made of.

    concepts/NAME.safetensors .json .jpg    embedding, report, preview sheet; perhaps .lora.safetensors and .mask.png

The reports are the batch's memory: `batch.key` in one says of what its concept was made. Nothing else has to be kept
for a batch that was killed to go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..files.safe_names import TAKEN_BY, folder_entries
from ..files.whole_file import Content, temporary_folders, write_new_files
from .batch_index import IndexRow, scores_of

CONCEPTS = "concepts"
EMBEDDING, REPORT, PREVIEW, FOUND_MASK = ".safetensors", ".json", ".jpg", ".mask.png"


class ConceptStore:
    """Concepts below `folder`. Reads all reports at once, then knows what was there."""

    def __init__(self, out: Path) -> None:
        self.folder = out / CONCEPTS
        self._known: dict[str, IndexRow] = {}
        for entry in folder_entries(self.folder):
            if entry.name.endswith(REPORT) and not entry.name.startswith("."):
                for key, row in _read(Path(entry.path)):
                    self._known.setdefault(key, row)

    def row(self, key: str) -> IndexRow | None:
        """What was made of the same before, or None."""
        return self._known.get(key)


def stored_row(out: Path, name: str, key: str) -> IndexRow | None:
    """The row of a concept that another process may have finished in the meantime."""
    folder, number = out / CONCEPTS, 1
    while (path := folder / f"{name if number == 1 else f'{name}-{number}'}{REPORT}").exists():
        for known, row in _read(path):
            if known == key:
                return row
        number += 1
    return None


def store_concept(out: Path, name: str, report: Mapping[str, Any], files: Mapping[str, bytes]) -> IndexRow:
    """Write a concept's files and its report under one free name. files: suffix -> content, EMBEDDING among them.

    report: `batch` in it holds `key`, `picture` and `mask`. Raises SealError naming `out` where the disk refuses.
    """
    written: dict[str, Any] = {}

    def report_bytes(free: str) -> bytes:
        batch = {**report["batch"], "bytes": {suffix: len(content) for suffix, content in files.items()}}
        warned = list(report["warnings"])
        if free != name:
            warned.insert(0, f"name: {name} was taken in {CONCEPTS}; this concept is saved as {free}.")
        written.update({**report, "batch": batch, "file": f"{free}{EMBEDDING}", "warnings": warned})
        return json.dumps(written, indent=1, sort_keys=True).encode()

    group: dict[str, Content] = {**files, REPORT: report_bytes}
    write_new_files(out / CONCEPTS, name, group, "out", taken_by=TAKEN_BY, elsewhere=temporary_folders())
    return _row(written)


def _read(path: Path) -> Iterator[tuple[str, IndexRow]]:
    """(key, row) of a report whose files are all there, else nothing."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        row, batch = _row(report), report["batch"]
        whole = row.file == f"{CONCEPTS}/{path.stem}{EMBEDDING}"
        for suffix, size in batch["bytes"].items():
            whole = whole and path.with_name(f"{path.stem}{suffix}").stat().st_size == size
        if whole:
            yield batch["key"], row
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # of another program, or damaged: its picture is learned anew, under a free name


def _row(report: Mapping[str, Any]) -> IndexRow:
    batch = report["batch"]
    stem = report["file"].removesuffix(EMBEDDING)
    return IndexRow(
        picture=batch["picture"],
        name=stem,
        class_word=report["config"]["tokens"]["class_word"],
        attributes=dict(report["config"]["attributes"]),
        file=f"{CONCEPTS}/{report['file']}",
        report=f"{CONCEPTS}/{stem}{REPORT}",
        preview=f"{CONCEPTS}/{stem}{PREVIEW}",
        scores=scores_of(report),
        mask=batch["mask"],
        starts_as=(report.get("described") or {"text": ""})["text"],
        warnings=report["warnings"],
    )
