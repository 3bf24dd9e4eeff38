"""The built-in stickers: a few characters that the tiny model never saw, on grounds that are not plain."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..messages import SealError
from ..world.renderer.characters import character
from ..world.renderer.contexts import Context
from ..world.renderer.seeds import EXAMPLES as SEEDS

if TYPE_CHECKING:
    from ..world.renderer.render import Sticker

EXAMPLES: Mapping[str, tuple[int, Context]] = MappingProxyType(
    {
        "orange cat, running on a beach": (SEEDS[1], Context("happy", "running", "full body", "flat vector", "beach")),
        "pink dog, waving in a forest": (SEEDS[27], Context("happy", "waving", "full body", "comic book", "forest")),
        "teal rabbit, jumping in the snow": (
            SEEDS[17],
            Context("surprised", "jumping", "full body", "flat vector", "snowy"),
        ),
        "red penguin, sitting in a sunburst": (
            SEEDS[13],
            Context("sad", "sitting", "full body", "watercolor", "sunburst"),
        ),
        "purple fox, standing in a night city": (
            SEEDS[2],
            Context("angry", "standing", "full body", "flat vector", "night city"),
        ),
        "brown bear, lying among hearts": (
            SEEDS[4],
            Context("sleepy", "lying down", "full body", "pencil drawing", "hearts"),
        ),
    }
)
"""Name -> (character seed, context). Saved workflows hold the names: add to them, do not change them."""


@lru_cache(maxsize=len(EXAMPLES))
def example(name: str) -> Sticker:
    """A built-in sticker at 128 px: image, exact mask, context. Raises SealError for names not in EXAMPLES."""
    from ..world.renderer.render import render

    if name not in EXAMPLES:
        raise SealError(f"example: there is no {name!r}; choose one of: {'; '.join(EXAMPLES)}.")
    seed, context = EXAMPLES[name]
    return render(character(seed), context, seed)
