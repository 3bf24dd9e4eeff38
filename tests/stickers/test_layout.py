"""Stickers placed on a platform's canvas."""

from __future__ import annotations

import pytest
import torch

from seal_core.messages import SealError
from seal_core.stickers.layout import LAYOUTS, lay_out
from seal_core.stickers.platforms import PLATFORMS


@pytest.mark.parametrize("animated", [False, True])
@pytest.mark.parametrize("platform", [n for n in LAYOUTS if n != "custom"])
@pytest.mark.parametrize("shape", [(40, 90), (90, 40), (64, 64), (3, 200)])
def test_layouts_meet_the_platform(platform, animated, shape):
    image = torch.ones(2, *shape, 4)
    out, mask = lay_out(image, platform=platform, animated=animated)
    height, width = out.shape[1:3]
    form = PLATFORMS[platform].motion if animated else PLATFORMS[platform].still
    if form.canvas == "exact":
        assert (width, height) == (form.width, form.height)
    elif form.canvas == "longest":
        assert max(width, height) == form.width and min(width, height) <= form.height
    else:
        assert width <= form.width and height <= form.height and width % 2 == height % 2 == 0
    rows, columns = (torch.nonzero(mask[0].amax(d) > 0.5).flatten() for d in (1, 0))
    ratio = (columns[-1] - columns[0] + 1) / (rows[-1] - rows[0] + 1)
    assert ratio == pytest.approx(shape[1] / shape[0], rel=0.35 if 3 in shape else 0.03), "not distorted"


def test_layout_centres_keeps_margin_and_register():
    small = torch.zeros(2, 64, 64, 4)
    small[0, 10:20, 40:60] = 1
    small[1, 12:16, 42:50] = 1
    _, mask = lay_out(small, platform="custom", width=200, height=120, margin=10)
    rows, columns = (torch.nonzero(mask[0].amax(d) > 0.5).flatten() for d in (1, 0))
    assert columns[0] == 12 and 199 - columns[-1] == 12 and abs(rows[0] - (119 - rows[-1])) <= 1
    assert mask[1].sum() == pytest.approx(0.16 * float(mask[0].sum()), rel=0.1), "scaled alike"
    stands = lay_out(small, platform="custom", width=100, height=200, margin=10, anchor="bottom")[1]
    assert torch.nonzero(stands[0].amax(1) > 0.5).flatten()[-1] == 200 - 10 - 1
    as_is = lay_out(small, platform="custom", enlarge=False)[1]
    assert as_is[0].sum() == 200
    for name, value in (("platform", "plain"), ("margin", 50), ("anchor", "left")):
        with pytest.raises(SealError, match=f"^{name}"):
            lay_out(small, **{name: value})
    with pytest.raises(SealError, match="shows nothing"):
        lay_out(small * 0)
