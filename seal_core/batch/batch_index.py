"""The index of a batch: a row for each picture, as JSON lines for programs and as a page for people."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..files.whole_file import write_output
from ..masks.methods import FoundSubject
from ..messages import escaped_surrogates
from .index_page import index_page

JSON_LINES, PAGE = "index.jsonl", "index.html"
PAUSE, SHARE = 5.0, 0.02
"""Seconds between two writings during a batch, at least, and the share of the time that they may take."""
DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class IndexRow:
    """What became of one picture. Paths are relative to the index's folder; "" for what there is not.

    scores: `learned` and `leaks`, by what share the model restores the subject elsewhere and the sticker's own ground
    better (see `method.probe`), `outside`, the share of the attention that is not on the subject. mask: its `method`,
    `confidence` (0 to 1, the overlap with the truth that can be expected) and `doubts`, what a person should look at.
    error: why there is no concept, and the remedy.
    """

    picture: str
    name: str = ""
    state: str = DONE
    class_word: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    report: str = ""
    preview: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    mask: Mapping[str, Any] = field(default_factory=dict)
    starts_as: str = ""
    warnings: Sequence[str] = ()
    error: str = ""
    pictures: Sequence[str] = ()
    pack: str = ""


def scores_of(report: Mapping[str, Any]) -> dict[str, float]:
    """The scores of a training's report; empty for files of versions that tell none."""
    restored, outside = report.get("restored"), report.get("leakage")
    found = {"learned": restored["subject"]["gain"], "leaks": restored["ground"]["gain"]} if restored else {}
    return {**found, **({"outside": round(outside["after"], 4)} if isinstance(outside, dict) else {})}


def about_mask(found: FoundSubject | None) -> dict[str, Any]:
    """`IndexRow.mask` of what was found; None = the mask was given."""
    if found is None:
        return {"method": "given", "confidence": 1.0, "doubts": []}
    return {"method": found.method, "confidence": round(float(found.confidence), 4), "doubts": list(found.doubts)}


class BatchIndex:
    """The rows so far, written now and then; the same rows give the same bytes."""

    def __init__(self, folder: Path, title: str, order: Sequence[str]) -> None:
        """order: the `picture` of every row to come, in which they are listed."""
        self._folder, self._title = folder, title
        self._order = {picture: place for place, picture in enumerate(order)}
        self._rows: dict[str, IndexRow] = {}
        self._due = 0.0

    def add(self, row: IndexRow) -> None:
        """Take a row; rows that are known are replaced."""
        self._rows[row.picture] = row
        if time.monotonic() >= self._due:
            self.write()

    def rows(self) -> list[IndexRow]:
        """In the order of the pictures."""
        return sorted(self._rows.values(), key=lambda row: self._order[row.picture])

    def write(self) -> Path:
        """Write both files; returns the page's path. Raises SealError naming `out`."""
        started = time.monotonic()
        rows = [asdict(row) for row in self.rows()]
        lines = [json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n" for row in rows]
        write_output(self._folder / JSON_LINES, escaped_surrogates("".join(lines)).encode())
        page = index_page(self._title, rows, len(self._order))
        write_output(self._folder / PAGE, escaped_surrogates(page).encode())
        took = time.monotonic() - started
        self._due = time.monotonic() + max(PAUSE, took / SHARE)
        return self._folder / PAGE
