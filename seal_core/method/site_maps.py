"""Maps of a U-Net's sites for people to click on: how many sites each part has at each size of its attention maps.

Sites come from walking the model. These tables only show what is expected before a model has been walked; a test
compares them with models.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..hosts.base import Site

SiteRun = tuple[str, int, int]
"""(part, side of the maps in cells for a square picture at the model's own resolution, sites in a row of this size)."""

SITE_MAPS: dict[str, tuple[SiteRun, ...]] = {
    "SD 1.x, 2.x": (
        ("down", 64, 2), ("down", 32, 2), ("down", 16, 2), ("mid", 8, 1),
        ("up", 16, 3), ("up", 32, 3), ("up", 64, 3),
    ),
    "SDXL": (("down", 64, 4), ("down", 32, 20), ("mid", 32, 10), ("up", 32, 30), ("up", 64, 6)),
    "included": (
        ("down", 16, 1), ("down", 8, 1), ("down", 4, 1), ("mid", 4, 1), ("up", 4, 2), ("up", 8, 2), ("up", 16, 2),
    ),
}  # fmt: skip
"""Kind of model -> its sites in execution order. SD 2.x at 768 pixels has maps half as large again."""


def site_map(sites: Sequence[Site], resolution: int) -> list[SiteRun]:
    """The same of a walked model. resolution: of a square picture, in pixels."""
    sizes = ((site.part, site.map_size(resolution // 8, resolution // 8)[0]) for site in sites)
    return [(part, side, len(list(run))) for (part, side), run in itertools.groupby(sizes)]
