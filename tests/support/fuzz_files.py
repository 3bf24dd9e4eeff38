"""Files for the fuzz tests: valid ones of every kind, damaged and malicious."""

from __future__ import annotations

import functools
import io
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save

# -- damage to any file ----------------------------------------------------------------------------

_WORDS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\1\0\0", b"\1")
_STEPS = st.tuples(
    st.sampled_from(("byte", "byte", "word", "cut", "drop", "double", "splice", "fill")),
    st.one_of(st.integers(0, 80), st.integers(0, 2000), st.integers(0, 2**20)),
    st.integers(0, 255),
    st.integers(1, 64),
)


def damaged(files: Mapping[str, bytes]) -> st.SearchStrategy[tuple[str, bytes]]:
    """(name, content) of one of the files with up to six changes; none at times."""
    names = sorted(files)

    def make(name: str, other: str, steps: list[tuple[str, int, int, int]]) -> tuple[str, bytes]:
        data = bytearray(files[name])
        for kind, place, value, length in steps:
            _change(data, kind, place % max(1, len(data)), value, length, files[other])
        return name, bytes(data)

    return st.builds(make, st.sampled_from(names), st.sampled_from(names), st.lists(_STEPS, max_size=6))


def _change(data: bytearray, kind: str, at: int, value: int, length: int, other: bytes) -> None:
    if kind == "byte":
        data[at : at + 1] = bytes([value])
    elif kind == "word":
        word = _WORDS[value % len(_WORDS)]
        data[at : at + len(word)] = word
    elif kind == "cut":
        del data[max(at, 1) :]
    elif kind == "drop":
        del data[at : at + length]
    elif kind == "double":
        data[at:at] = data[at : at + length] * (1 + value)
    elif kind == "fill":
        data[at : at + length] = bytes([value]) * length
    else:
        data[at:] = other[at:]


# -- pictures --------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def picture_files() -> dict[str, bytes]:
    """file name -> a small file of every supported kind and of some others."""
    rng = np.random.default_rng(0)
    shown = np.zeros((24, 32, 4), np.uint8)
    shown[4:20, 6:26] = (*rng.integers(0, 255, 3), 255)
    rgba, rgb = Image.fromarray(shown), Image.fromarray(rng.integers(0, 255, (24, 32, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "turned"
    frames = [Image.fromarray(np.roll(shown, i, 1)) for i in range(4)]
    moving: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 80, "loop": 0}
    wanted: list[tuple[str, str, Image.Image, dict[str, Any]]] = [
        ("rgba.png", "PNG", rgba, {}), ("rgb.png", "PNG", rgb, {"exif": exif}),
        ("palette.png", "PNG", rgba.quantize(8), {}), ("bits.png", "PNG", rgb.convert("1"), {}),
        ("deep.png", "PNG", Image.fromarray(rng.integers(0, 65535, (9, 9), np.uint16)), {}),
        ("grey.png", "PNG", rgb.convert("L"), {"transparency": 7}), ("alpha.webp", "WEBP", rgba, {"lossless": True}),
        ("photo.webp", "WEBP", rgb, {}), ("moves.webp", "WEBP", frames[0], moving),
        ("moves.gif", "GIF", frames[0], moving), ("moves.png", "PNG", frames[0], moving),
        ("still.gif", "GIF", rgb, {}), ("photo.jpg", "JPEG", rgb, {"exif": exif}),
        ("print.jpg", "JPEG", rgb.convert("CMYK"), {}), ("plain.bmp", "BMP", rgb, {}), ("plain.tif", "TIFF", rgb, {}),
        ("packed.tif", "TIFF", rgba, {"compression": "tiff_lzw"}), ("float.tif", "TIFF", rgb.convert("F"), {}),
    ]  # fmt: skip
    files = {}
    for name, kind, picture, options in wanted:
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        files[name] = buffer.getvalue()
    return files | {
        "script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n",
        "text.png": b"hello",
        "none.png": b"",
    }


def with_checksums(png: bytes) -> bytes:
    """A PNG with its checksums corrected, so that readers accept the changed chunks."""
    data, at = bytearray(png), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(data)


def pictures() -> st.SearchStrategy[tuple[str, bytes]]:
    """(name, content) of picture files, whole and damaged."""

    def make(file: tuple[str, bytes], right: bool) -> tuple[str, bytes]:
        name, data = file
        return name, with_checksums(data) if right and data[:4] == b"\x89PNG" else data

    return st.builds(make, damaged(picture_files()), st.booleans())


# -- fonts -----------------------------------------------------------------------------------------


def fonts(font: bytes) -> st.SearchStrategy[bytes]:
    """A font file, whole and damaged: anywhere, and in its tables' first bytes."""
    count = int.from_bytes(font[4:6], "big")
    starts = [int.from_bytes(font[12 + 16 * i + 8 : 12 + 16 * i + 12], "big") for i in range(count)]
    inside = st.tuples(st.sampled_from(starts), st.integers(0, 60), st.integers(0, 255))

    def make(file: tuple[str, bytes], changes: list[tuple[int, int, int]]) -> bytes:
        data = bytearray(file[1])
        for start, at, value in changes:
            if start + at < len(data):
                data[start + at] = value
        return bytes(data)

    return st.builds(make, damaged({"font.ttf": font}), st.lists(inside, max_size=6))


# -- embeddings ------------------------------------------------------------------------------------

JSON = st.one_of(
    st.sampled_from((None, True, 0, 1, -1, 2, 10**30, 0.5, 1e308, "", "x", "cat", "\ud800", "all", "up", "[]", "sd1")),
    st.sampled_from(([], {}, [[]], ["clip_l", 768], [["clip_l", 7]], [["clip_l", True]], {"a": {"b": [1]}}, ["x"] * 9)),
    st.text(max_size=5),
    st.floats(),
    st.integers(),
)  # fmt: skip


def edited(value: Any, draw: st.DrawFn) -> Any:
    """A JSON value with one part changed, removed or added."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        kind = draw(st.sampled_from(("inside", "inside", "inside", "removed", "added")))
        if kind == "inside":
            return value | {key: edited(value[key], draw)}
        return {k: v for k, v in value.items() if k != key} if kind == "removed" else value | {"more": draw(JSON)}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], edited(value[at], draw), *value[at + 1 :]]
    return draw(JSON)


TENSORS: dict[str, Any] = {
    "ours": {"emb_params": torch.ones(3, 768)}, "xl": {"clip_l": torch.ones(2, 768), "clip_g": torch.ones(2, 1280)},
    "sd2": {"emb_params": torch.ones(1, 1024)}, "tail": {"tail": torch.ones(5, 768)}, "empty": {},
    "odd": {"emb_params": torch.ones(3, 5)}, "nan": {"emb_params": torch.full((1, 768), torch.nan)},
    "whole": {"emb_params": torch.ones(2, 768, dtype=torch.int32)}, "flat": {"x": torch.ones(768)},
    "half": {"emb_params": torch.ones(1, 768).half()}, "huge": {"emb_params": torch.full((1, 768), 6e4).half()},
    "none": {"emb_params": torch.ones(0, 768)}, "four": {"emb_params": torch.ones(2, 1, 1, 768)},
    "scalar": {"x": torch.tensor(1.0)}, "double": {"emb_params": torch.full((1, 768), 1e300, dtype=torch.float64)},
    "lora": {"bundle_emb.a.string_to_param.*": torch.ones(2, 768), "lora_up": torch.ones(4, 4)},
}  # fmt: skip


@st.composite
def safetensors_files(draw: st.DrawFn, ours: Mapping[str, Any]) -> tuple[str, bytes]:
    """A .safetensors file: with our metadata (`ours`, edited), foreign, its bytes damaged at times."""
    tensors = TENSORS[draw(st.sampled_from(("ours", "ours", *TENSORS)))]
    metadata = None
    if draw(st.integers(0, 3)):
        values: Any = dict(ours)
        for _ in range(draw(st.integers(0, 2))):
            values = edited(values, draw)
        text = json.dumps(values)
        deep = "[" * 50_000, '{"format":' * 9000, "NaN", "", text[: draw(st.integers(0, 40))], "9" * 5000
        metadata = {"seal": draw(st.sampled_from((text,) * 12 + deep))}
    data = save(dict(tensors), metadata)
    return draw(damaged({"x.safetensors": data})) if draw(st.integers(0, 2)) == 0 else ("x.safetensors", data)


@functools.lru_cache(maxsize=1)
def pickled_files() -> dict[str, bytes]:
    """name.pt -> Textual Inversion files as several programs wrote them, and other things that torch saves."""
    contents: dict[str, Any] = dict(TENSORS)
    contents |= {f"param {k}": {"string_to_param": {"*": next(iter(v.values()))}} for k, v in TENSORS.items() if v}
    contents |= {"list": [torch.ones(2, 768), {"a": torch.ones(1, 1280)}], "number": 3, "text": "cat", "nothing": None}
    contents |= {"deep": {"string_to_param": {"string_to_param": {}}}, "mixed": {"string_to_param": [1, 2]}}
    files = {}
    for name, content in contents.items():
        for zipped in (True, False):
            buffer = io.BytesIO()
            torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
            files[f"{name}{'' if zipped else ' old'}.pt"] = buffer.getvalue()
    return files
