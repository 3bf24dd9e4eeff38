"""Whether a mask is the edge's opacity, and whether a picture has a soft edge at all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from discs import disc, disc_picture
from scipy import ndimage

from seal_core.pictures.matting import has_hard_edge, is_opacity
from seal_core.stickers.cutout import cutout


def test_opacity_explains_the_soft_pixels_and_a_rough_outline_does_not():
    alpha = disc(192, 60)
    composed = disc_picture(alpha)[0].numpy()
    straight = np.where(alpha[..., None] > 0, np.float32([0.9, 0.3, 0.1]), 0).astype(np.float32)
    assert is_opacity(composed, alpha) and is_opacity(straight, alpha)
    for rough in (ndimage.gaussian_filter(alpha, 1.5), np.roll(alpha, 2, 1), (alpha > 0.5) * 1.0):
        assert not is_opacity(composed, rough.astype(np.float32))
    for flat in (np.zeros_like(alpha), np.ones_like(alpha)):
        assert not is_opacity(composed, flat)


@pytest.mark.parametrize("rough", ["blurred", "moved", "too small"])
def test_masks_of_others_get_their_edge_drawn_anew(rough):
    """Wired in from Remove Background, RMBG or SAM: right to a few pixels, blurred or hard."""
    alpha = disc(384, 120)
    given = {
        "blurred": ndimage.gaussian_filter(alpha, 1.5),
        "moved": np.roll(alpha > 0.5, 2, 1).astype(np.float32),
        "too small": (disc(384, 117) > 0.5).astype(np.float32),
    }[rough]
    found = cutout(disc_picture(alpha), torch.from_numpy(given)[None])[1][0].numpy()
    near = np.abs(ndimage.distance_transform_edt(alpha > 0.5) - ndimage.distance_transform_edt(alpha <= 0.5)) < 4
    assert np.abs(found - alpha)[near].mean() < 0.5 * np.abs(given - alpha)[near].mean()
    assert np.abs(found - alpha)[near].mean() < 0.05


def test_pixel_art_has_a_hard_edge():
    alpha = disc()
    assert not has_hard_edge(disc_picture(alpha)[0].numpy(), alpha > 0.5)
    assert has_hard_edge(disc_picture((alpha > 0.5).astype(np.float32))[0].numpy(), alpha > 0.5)
    assert has_hard_edge(disc_picture(alpha)[0].numpy(), np.ones_like(alpha) > 0)


def test_a_hair_is_found():
    """A one-pixel line that covers nearly all of its pixels: its own colour is hardly ever shown pure."""
    alpha = disc(256, 50)
    alpha[127:129, 178:230] = 1
    alpha[129, 178:230] = 0.4
    cut, mask = cutout(disc_picture(alpha, front=(0.1, 0.1, 0.1), back=(1, 1, 1)))
    assert (mask[0, 127:129, 180:228] > 0.5).float().mean() > 0.95 and (mask[0, 120, 190:230] < 0.1).all()
    assert cut[0, 128, 220, :3].max() < 0.25
