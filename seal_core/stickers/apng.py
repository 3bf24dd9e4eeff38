"""PNG and animated PNG, still palette-based where wanted: chunks around what Pillow compresses.

Pillow's own APNG writer has no palette with alpha that all frames share, which is what makes stickers small.
Source: the PNG specification, third edition (acTL, fcTL, fdAT).
"""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from PIL import Image

from .palette import quantise

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SOURCE, _NONE = 0, 0


def animated_png(
    frames: np.ndarray,
    durations: Sequence[int],
    plays: int = 0,
    colours: int = 0,
    texts: Mapping[str, str] | None = None,
) -> bytes:
    """uint8 (N, H, W, 4) as APNG, or as a plain PNG where N is 1. Each frame after the first holds only what changes.

    durations: whole milliseconds, up to an hour; plays: 0 = for ever; colours: 0 = all, else a palette of so many (2
    to 256); texts: tEXt chunks, in Latin-1 (others are left out).
    """
    frames = np.where(frames[..., 3:] > 0, frames, 0)  # hidden colours cost bytes
    count, height, width = frames.shape[:3]
    palette = None
    if colours:
        frames, palette = quantise(frames, colours)
    out = [SIGNATURE, chunk(b"IHDR", _header(width, height, palette))]
    for key, text in (texts or {}).items():
        with contextlib.suppress(UnicodeEncodeError):
            out.append(chunk(b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1")))
    if count > 1:
        out.append(chunk(b"acTL", struct.pack(">II", count, plays)))
    if palette is not None:
        out.append(chunk(b"PLTE", palette[:, :3].tobytes()))
        out.append(chunk(b"tRNS", palette[:, 3].tobytes()))
    sequence = 0
    for i, frame in enumerate(frames):
        left, top, right, bottom = (0, 0, width, height) if i == 0 else _changed(frames[i - 1], frame)
        if count > 1:
            box = struct.pack(">IIIII", sequence, right - left, bottom - top, left, top)
            out.append(chunk(b"fcTL", box + struct.pack(">HHBB", *_delay(durations[i]), _NONE, _SOURCE)))
            sequence += 1
        data = _compressed(frame[top:bottom, left:right], palette)
        if i == 0:
            out.append(chunk(b"IDAT", data))
        else:
            out.append(chunk(b"fdAT", struct.pack(">I", sequence) + data))
            sequence += 1
    return b"".join([*out, chunk(b"IEND", b"")])


def chunk(kind: bytes, data: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG file: kind and content."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size


def _header(width: int, height: int, palette: np.ndarray | None) -> bytes:
    depth, kind = (8, 6) if palette is None else (_depth(palette), 3)
    return struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)


def _depth(palette: np.ndarray) -> int:
    """Bits a pixel: what Pillow takes for a palette of this length."""
    return next(bits for bits in (1, 2, 4, 8) if len(palette) <= 1 << bits)


def _compressed(picture: np.ndarray, palette: np.ndarray | None) -> bytes:
    """Pillow's IDAT data: it filters rows in C and is quick.

    Level 9 takes ten times as long as 6 for smooth pictures in all colours, and saves 2 %; with a palette it is cheap.
    """
    image = Image.fromarray(np.ascontiguousarray(picture), "P" if palette is not None else "RGBA")
    options = {}
    if palette is not None:
        image.putpalette(palette[:, :3].tobytes())
        options = {"bits": _depth(palette)}
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6 if palette is None else 9, **options)
    return b"".join(data for kind, data in chunks(buffer.getvalue()) if kind == b"IDAT")


def _delay(milliseconds: int) -> tuple[int, int]:
    """A time as the fraction of a second that fcTL has room for: thousandths where they fit into 16 bits."""
    unit = next(unit for unit in (1, 10, 100) if round(milliseconds / unit) < 1 << 16)
    return round(milliseconds / unit), 1000 // unit


def _changed(before: np.ndarray, after: np.ndarray) -> tuple[int, int, int, int]:
    differ = before != after
    differ = differ.any(axis=-1) if differ.ndim == 3 else differ
    rows, columns = np.flatnonzero(differ.any(axis=1)), np.flatnonzero(differ.any(axis=0))
    if not len(rows):
        return 0, 0, 1, 1  # nothing changes, but the frame's time has to pass
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
