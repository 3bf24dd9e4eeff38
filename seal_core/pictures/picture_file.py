"""The one reader of picture files: upright, with full depth and transparency, and one clear error for damaged files.

Pillow goes by content, whatever a file is called, and would hand PostScript to Ghostscript. So the formats are listed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from ..messages import SealError

if TYPE_CHECKING:
    from torch import Tensor

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""Formats to read if Pillow can (AVIF needs a newer one). Phones' MPO files open as JPEG."""
MOST_PIXELS = 2**27
"""Largest width times height."""


@contextlib.contextmanager
def open_picture(file: Path | IO[bytes], name: str, shown: str | None = None) -> Iterator[Image.Image]:
    """A picture file as Pillow's image, not yet decoded. name: the input, for errors. shown: the file's name in them.

    Raises SealError for files that are missing, too large, not of FORMATS, or damaged, also if that shows in the block.
    """
    shown = shown or str(file)
    try:
        with Image.open(file, formats=readable_formats()) as image:
            if image.width * image.height > MOST_PIXELS:
                raise SealError(f"{name}: {shown} is {image.width} x {image.height} pixels, too large; scale it down.")
            yield image
    except (SealError, MemoryError):
        raise
    except FileNotFoundError:
        raise SealError(f"{name}: {shown} is not there.") from None
    except Image.DecompressionBombError:
        raise SealError(f"{name}: {shown} has too many pixels; scale it down.") from None
    except Exception as error:  # damaged files make Pillow raise anything
        reason = f"{error}" or type(error).__name__
        raise SealError(f"{name}: {shown} is no picture that can be read ({reason}); use PNG, WebP or JPEG.") from None


@lru_cache(maxsize=1)
def readable_formats() -> tuple[str, ...]:
    """Those of FORMATS that this Pillow can open."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def read_picture(path: Path, name: str) -> Tensor:
    """A file's first picture, upright: (H, W, 3), or (H, W, 4) if it has transparency, float32 in [0, 1].

    SealError as `opened`.
    """
    import torch  # late: the pack command reads pictures here too, and needs no torch

    with open_picture(path, name) as image:
        pixels = rgba_pixels(image)
        clear = "A" in image.getbands() or "transparency" in image.info
    return torch.from_numpy(pixels[..., : 4 if clear else 3].astype(np.float32) / 255)


def read_mask(path: Path, name: str) -> Tensor:
    """A mask (H, W) float32 in [0, 1] of a picture file: its alpha where that says something, else its brightness.

    Raises SealError as `read_picture`.
    """
    picture = read_picture(path, name)
    if picture.shape[-1] == 4 and float(picture[..., 3].min()) < 1:
        return picture[..., 3]
    return picture[..., :3].mean(dim=-1)


def rgba_pixels(image: Image.Image) -> np.ndarray:
    """uint8 (H, W, 4) of an opened picture, at its current frame. Stills are turned upright.

    Pillow clips 16-bit grey, and compares a transparent colour with 8-bit ones only.
    """
    depth = _depth(image)
    image.load()
    clear = image.info.get("transparency")
    moves = getattr(image, "is_animated", False) and image.format != "MPO"  # a phone's JPEG with a second picture
    upright = image if moves else ImageOps.exif_transpose(image)
    if image.mode == "F" or image.mode.startswith("I"):
        return _deep(np.asarray(upright), clear)
    if image.mode == "L" and isinstance(clear, int) and depth in (2, 4):
        upright.info["transparency"] = clear * (255 // (2**depth - 1))
    elif image.mode == "RGB" and isinstance(clear, tuple) and depth == 16:
        upright.info["transparency"] = tuple(value >> 8 for value in clear)
    return np.asarray(upright.convert("RGBA"))


def _deep(grey: np.ndarray, clear: int | None) -> np.ndarray:
    """uint8 (H, W, 4) of 16-bit grey (H, W). clear: the transparent value."""
    if grey.dtype.kind == "f" or grey.min(initial=0) < 0 or grey.max(initial=0) > 65535:
        raise ValueError("its grey has more than 16 bits")
    level = ((grey.astype(np.int64) + 128) // 257).astype(np.uint8)
    alpha = np.where(grey == clear, 0, 255).astype(np.uint8) if clear is not None else np.full_like(level, 255)
    return np.dstack([level, level, level, alpha])


def _depth(image: Image.Image) -> int:
    """Bits per channel from a PNG's header; 8 for other files."""
    if image.format != "PNG" or image.fp is None:
        return 8
    place = image.fp.tell()
    image.fp.seek(24)
    depth = image.fp.read(1)
    image.fp.seek(place)
    return depth[0] if depth else 8
