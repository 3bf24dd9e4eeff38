"""The tables of known models that the layer picker shows, against the models."""

import pytest
import torch

from seal_core.demo.model import build, host
from seal_core.hosts.base import Site
from seal_core.method.site_maps import SITE_MAPS, site_map


def sites_of(name: str, side: int) -> list[Site]:
    """Sites as the table has them, for maps of `side` cells at scale 1."""
    counts = dict.fromkeys(("down", "mid", "up"), 0)
    sites = []
    for part, cells, count in SITE_MAPS[name]:
        for _ in range(count):
            sites.append(Site(part, counts[part], side // cells, torch.nn.Identity()))
            counts[part] += 1
    return sites


def test_the_included_model() -> None:
    """tests/comfyui/inprocess_routing.py walks SD 1.x and SDXL as ComfyUI builds them."""
    tiny = host(build(0))
    assert tuple(site_map(tiny.sites(), tiny.resolution)) == SITE_MAPS["included"]


@pytest.mark.parametrize(("name", "pixels"), [("SD 1.x, 2.x", 512), ("SDXL", 1024), ("included", 128)])
def test_a_map_says_all_of_its_sites(name: str, pixels: int) -> None:
    assert tuple(site_map(sites_of(name, pixels // 8), pixels)) == SITE_MAPS[name]
