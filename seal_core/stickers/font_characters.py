"""A font file's characters, from its Unicode cmap (OpenType, ISO 14496-22), in bounded time for any file."""

from __future__ import annotations

import mmap
import struct
import zlib

import numpy as np

Bytes = bytes | mmap.mmap
"""A font file's content; large ones are not read whole."""

_LAST = 0x10FFFF
_MOST_BYTES = 16 << 20
"""A cmap that gives every code point a group of its own takes 13 MB."""
_MOST_SUBTABLES = 32


def unicode_characters(data: Bytes, face: int = 0) -> frozenset[int]:
    """Code points that an OpenType file (.ttf, .otf, .ttc, .woff) maps to a glyph. face: which font of a collection.

    Raises ValueError, IndexError, struct.error or zlib.error if it is damaged or no font.
    """
    return frozenset(np.flatnonzero(_mapped(_table(data, b"cmap", face))).tolist())


def has_table(data: Bytes, name: bytes, face: int = 0) -> bool:
    """Whether a font file has a table of this name. Raises struct.error for a damaged one."""
    return _entry(data, name, face) is not None


def _entry(data: Bytes, name: bytes, face: int) -> int | None:
    """Where a table's entry begins, or None. Raises ValueError for a face that the file does not have."""
    collection, at = data[:4] == b"ttcf", 12 + 4 * face
    if face >= (struct.unpack(">I", data[8:12])[0] if collection else 1):
        raise ValueError(f"no font {face}")
    start = struct.unpack(">I", data[at : at + 4])[0] if collection else 0
    woff = data[:4] == b"wOFF"
    count = struct.unpack(">H", data[12:14] if woff else data[start + 4 : start + 6])[0]
    entries = (44 + 20 * i if woff else start + 12 + 16 * i for i in range(count))
    return next((at for at in entries if data[at : at + 4] == name), None)


def _table(data: Bytes, name: bytes, face: int) -> bytes:
    """A table's bytes. Raises ValueError where there is none."""
    at = _entry(data, name, face)
    if at is None:
        raise ValueError(f"no {name!r}")
    if data[:4] != b"wOFF":
        offset, length = struct.unpack(">II", data[at + 8 : at + 16])
        return data[offset : offset + min(length, _MOST_BYTES)]
    offset, packed, length = struct.unpack(">III", data[at + 4 : at + 16])
    table = data[offset : offset + packed]
    return zlib.decompressobj().decompress(table, min(length, _MOST_BYTES)) if packed < length else table


def _mapped(table: bytes) -> np.ndarray:
    """Whether any Unicode subtable has each code point, bool."""
    found, read = np.zeros(_LAST + 1, bool), set()
    for i in range(struct.unpack(">H", table[2:4])[0]):
        platform, encoding, offset = struct.unpack(">HHI", table[4 + 8 * i : 12 + 8 * i])
        if offset in read or not ((platform == 0 and encoding != 5) or (platform == 3 and encoding in (1, 10))):
            continue
        read.add(offset)
        if len(read) > _MOST_SUBTABLES:
            raise ValueError("too many subtables")
        form = struct.unpack(">H", table[offset : offset + 2])[0]
        if form in _FORMATS:
            found |= _FORMATS[form](table[offset:])
    if not found.any():
        raise ValueError("no Unicode cmap")
    return found


def _format4(table: bytes) -> np.ndarray:
    """Segments of the first 65,536 code points, which do not overlap."""
    segments = struct.unpack(">H", table[6:8])[0] // 2
    words = np.frombuffer(table[: len(table) // 2 * 2], ">u2").astype(np.int64)
    ends, starts, deltas, offsets = (words[at + k * segments :][:segments] for k, at in enumerate((7, 8, 8, 8)))
    lengths = np.maximum(ends - starts + 1, 0)
    if lengths.sum() > 1 << 17 or len(offsets) < segments:
        raise ValueError("segments overlap or are cut off")
    segment = np.repeat(np.arange(segments), lengths)
    within = np.arange(len(segment)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    codes = starts[segment] + within
    at = 8 + 3 * segments + segment + offsets[segment] // 2 + within
    listed = np.where(at < len(words), words[np.minimum(at, len(words) - 1)], 0)
    glyphs = np.where(offsets[segment] == 0, codes, listed)
    glyphs = np.where((offsets[segment] == 0) | (listed > 0), (glyphs + deltas[segment]) % 65536, 0)
    found = np.zeros(_LAST + 1, bool)
    found[codes[(glyphs > 0) & (codes < 0xFFFF)]] = True
    return found


def _format12(table: bytes) -> np.ndarray:
    """Groups of any code points. Overlapping groups cost no more than others."""
    count = struct.unpack(">I", table[12:16])[0]
    body = table[16 : 16 + 12 * count]
    first, last, glyph = np.frombuffer(body[: len(body) // 12 * 12], ">u4").reshape(-1, 3).astype(np.int64).T
    first = first + (glyph == 0)
    real = (first <= last) & (last <= _LAST)
    steps = np.bincount(first[real], minlength=_LAST + 2) - np.bincount(last[real] + 1, minlength=_LAST + 2)
    return np.cumsum(steps)[: _LAST + 1] > 0


_FORMATS = {4: _format4, 12: _format12}
