"""Small fonts made of the bundled one: its glyphs under other characters, and glyphs in colour (COLR 0, CPAL 0)."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from seal_core.stickers.font import BUNDLED

DATA = BUNDLED.read_bytes()


def tables_of(data: bytes = DATA) -> dict[bytes, bytes]:
    """Name -> content of a font file's tables."""
    found = {}
    for i in range(struct.unpack(">H", data[4:6])[0]):
        at = 12 + 16 * i
        offset, length = struct.unpack(">II", data[at + 8 : at + 16])
        found[data[at : at + 4]] = data[offset : offset + length]
    return found


def font_of(tables: Mapping[bytes, bytes], start: int = 0) -> bytes:
    """A font file of these tables. start: where it begins in its file, if that is a collection."""
    head = struct.pack(">IHHHH", 0x10000, len(tables), 0, 0, 0)
    at, entries, body = start + len(head) + 16 * len(tables), b"", b""
    for name, table in sorted(tables.items()):
        entries += name + struct.pack(">III", 0, at + len(body), len(table))
        body += table + b"\0" * (-len(table) % 4)
    return head + entries + body


def collection_of(*fonts: Mapping[bytes, bytes]) -> bytes:
    """A collection (.ttc) of fonts, given as their tables."""
    at, starts, body = 12 + 4 * len(fonts), [], b""
    for tables in fonts:
        starts.append(at)
        body += font_of(tables, at)
        at = 12 + 4 * len(fonts) + len(body)
    return b"ttcf" + struct.pack(">HHI", 1, 0, len(fonts)) + struct.pack(f">{len(fonts)}I", *starts) + body


def cmap_of(groups: Mapping[str, int]) -> bytes:
    """A cmap (format 12) with a glyph for each character."""
    body = b"".join(struct.pack(">III", ord(c), ord(c), glyph) for c, glyph in sorted(groups.items()))
    table = struct.pack(">HHIII", 12, 0, 16 + len(body), 0, len(groups)) + body
    return struct.pack(">HHHHI", 0, 1, 3, 10, 12) + table


def tables_for(characters: str, glyph: int = 40) -> dict[bytes, bytes]:
    """The bundled font's tables with one glyph for all these characters and none for others."""
    return tables_of() | {b"cmap": cmap_of(dict.fromkeys(characters, glyph))}


def coloured(tables: Mapping[bytes, bytes], rgb: tuple[int, int, int], glyph: int = 40) -> dict[bytes, bytes]:
    """The same font with this glyph in one colour of its own."""
    red, green, blue = rgb
    palette = struct.pack(">HHHHIH", 0, 1, 1, 1, 14, 0) + bytes((blue, green, red, 255))
    layers = struct.pack(">HHIIH", 0, 1, 14, 20, 1) + struct.pack(">HHH", glyph, 0, 1) + struct.pack(">HH", glyph, 0)
    return {**tables, b"COLR": layers, b"CPAL": palette}


def blank(tables: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The same font whose glyphs leave nothing, as colours of a kind that FreeType does not draw."""
    return {**tables, b"glyf": b"\0" * 4, b"loca": b"\0" * len(tables[b"loca"])}
