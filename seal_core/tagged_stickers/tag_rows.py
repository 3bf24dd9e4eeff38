"""Rows of a file of tags (JSON, JSON lines or CSV), each with the line on which it begins."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..messages import SealError

TAG_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
_MAX_FILE = 64 << 20


class RowError(Exception):
    """Why one row cannot be used. image: the picture that it names, if that is known."""

    image: Path | None = None


def read_tag_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """(line, row) of a tags file, lines counted from 1; for a row that cannot be read, its RowError.

    Raises SealError, naming `tags`, for a file that cannot be read at all.
    """
    kind = path.suffix.lower()
    if kind not in TAG_SUFFIXES:
        raise SealError(f"tags: {path.name} is none of {', '.join(TAG_SUFFIXES)}; save the tags as one of these.")
    try:
        if path.stat().st_size > _MAX_FILE:
            raise SealError(f"tags: {path} is over {_MAX_FILE >> 20} MB, too large for a list of stickers; split it.")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SealError(f"tags: {path} is not there.") from None
    except UnicodeDecodeError as error:
        raise SealError(f"tags: {path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from None
    except OSError as error:
        raise SealError(f"tags: {path} cannot be read ({error.strerror or error}).") from None
    read = {".csv": _csv_rows, ".tsv": _csv_rows, ".json": _json_rows}.get(kind, _line_rows)
    yield from read(text, path)


def _line_rows(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    for line, row in enumerate(text.split("\n"), 1):
        if row.strip():
            try:
                yield line, json.loads(row, object_pairs_hook=_once)
            except (ValueError, RecursionError) as error:
                yield line, RowError(f"not valid JSON ({error})")


def _json_rows(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    """Rows of a JSON list. Decoded one element at a time, to know the line on which each begins."""
    decoder = json.JSONDecoder(object_pairs_hook=_once)
    space = re.compile(r"\s*")
    line, counted = 1, 0

    def after(at: int) -> int:
        match = space.match(text, at)
        return match.end() if match else at

    def broken(error: object) -> SealError:
        return SealError(f"tags: {path}: line {line}: not valid JSON ({error}); correct it.")

    start = after(0)
    if text[start : start + 1] != "[":
        raise SealError(f"tags: {path}: must be a list of objects, one a picture; one a line is JSON lines (.jsonl).")
    at = after(start + 1)
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise broken(error) from None
        yield line, value
        at = after(end)
        if text[at : at + 1] == ",":
            at = after(at + 1)
        elif text[at : at + 1] != "]":
            raise broken("a comma or ] is missing")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any] | RowError:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            return RowError(f"{key!r} stands there twice")
        found[key] = value
    return found


def _csv_rows(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    first = text.split("\n", 1)[0]
    mark = max("\t;,", key=first.count) if first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    heads: list[str] = []
    line = 1
    try:
        for cells in reader:
            begin, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not heads:
                heads = [cell.strip() for cell in cells]
                twice = [head for i, head in enumerate(heads) if head and head in heads[:i]]
                if twice:
                    raise SealError(f"tags: {path}: line {begin}: the column {twice[0]!r} is there twice; rename one.")
            elif len(cells) > len(heads):
                yield begin, RowError(f"{len(cells)} cells for {len(heads)} columns; put quotes around commas")
            else:
                yield begin, dict(zip(heads, cells))
    except csv.Error as error:
        yield line, RowError(f"not valid CSV ({error}); nothing after it was read")
