"""The built-in stickers: six characters that the tiny model never saw, on busy backgrounds.

Each is a PNG in `data/stickers`, 128 x 128 px: the whole picture in RGB, the exact mask in alpha, so transparent
pixels keep the background's colours. `python -m seal_core.world built-in` drew them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..messages import SealError

FOLDER = Path(__file__).parent / "data" / "stickers"


def _shows(emotion: str, action: str, style: str, background: str) -> Mapping[str, str]:
    shown = {"emotion": emotion, "action": action, "camera": "full body", "style": style, "background": background}
    return MappingProxyType(shown)


BUILT_IN: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "orange cat, running on a beach": _shows("happy", "running", "flat vector", "beach"),
        "pink dog, waving in a forest": _shows("happy", "waving", "comic book", "forest"),
        "teal rabbit, jumping in the snow": _shows("surprised", "jumping", "flat vector", "snowy"),
        "red penguin, sitting in a sunburst": _shows("sad", "sitting", "watercolor", "sunburst"),
        "purple fox, standing in a night city": _shows("angry", "standing", "flat vector", "night city"),
        "brown bear, lying among hearts": _shows("sleepy", "lying down", "pencil drawing", "hearts"),
    }
)
"""Name -> the attributes that the sticker shows. Saved workflows hold the names: add to them, never rename."""


@dataclass(frozen=True, eq=False)
class BuiltInSticker:
    """image (128, 128, 3) and mask (128, 128), uint8, foreground = 255. class_word: the animal."""

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    class_word: str
    attributes: Mapping[str, str]


@lru_cache(maxsize=len(BUILT_IN))
def built_in_sticker(name: str) -> BuiltInSticker:
    """The sticker of a name in BUILT_IN. Raises SealError for other names and for a missing file."""
    if name not in BUILT_IN:
        raise SealError(f"example: there is no {name!r}; choose one of: {'; '.join(BUILT_IN)}.")
    path = FOLDER / file_name(name)
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            rgba = np.array(picture.convert("RGBA"))
    except OSError as error:
        raise SealError(f"example: {path} cannot be read ({error}); reinstall the pack.") from None
    return BuiltInSticker(rgba[..., :3].copy(), rgba[..., 3].copy(), animal_of(name), BUILT_IN[name])


def animal_of(name: str) -> str:
    """The animal of a sticker: "orange cat, running on a beach" -> "cat"."""
    return name.partition(",")[0].split()[-1]


def file_name(name: str) -> str:
    """ "orange cat, running on a beach" -> "orange-cat.png"."""
    return f"{name.partition(',')[0].replace(' ', '-')}.png"
