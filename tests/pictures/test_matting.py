"""Colours and opacity along a subject's edge."""

from __future__ import annotations

import numpy as np
from discs import disc, disc_picture
from scipy import ndimage

from seal_core.pictures.matting import sample_matte, unexplained_share
from seal_core.stickers.cutout import cutout


def test_unexplained_are_lines_along_the_edge():
    """A crisp edge is a mixture of both sides, noise or not; a thin line of a third colour is none."""
    alpha, noise = disc(), np.random.default_rng(0).normal(0, 0.01, (64, 64, 3)).astype(np.float32)
    crisp = disc_picture(alpha)[0].numpy()
    rim = np.abs(alpha - ndimage.minimum_filter(alpha, 3))[..., None]
    lined = crisp * (1 - rim) + rim * np.float32([0.1, 0.1, 0.6])
    assert unexplained_share(crisp, alpha) < 0.01 and unexplained_share(crisp + noise, alpha) < 0.02
    assert unexplained_share(lined, alpha) > 0.2
    assert unexplained_share(crisp, np.zeros_like(alpha)) == unexplained_share(crisp, np.ones_like(alpha)) == 1


def test_sampled_finds_a_hair():
    """A one-pixel line that covers half of its pixels: its own colour is never shown pure."""
    alpha = np.zeros((48, 48), np.float32)
    alpha[14:34, 14:34] = 1
    alpha[24, 34:44] = 0.9
    cut, mask = cutout(disc_picture(alpha, front=(0.1, 0.1, 0.1), back=(1, 1, 1)))
    assert (mask[0, 24, 34:44] > 0.5).all() and (mask[0, 22, 34:44] == 0).all()
    assert cut[0, 24, 40, :3].max() < 0.25


def test_sampled_leaves_what_it_cannot_tell():
    image = np.random.default_rng(1).random((16, 16, 3), np.float32)
    for mask in (np.zeros((16, 16), np.float32), np.ones((16, 16), np.float32)):
        colours, alpha = sample_matte(image, mask)
        assert colours is image and alpha is mask
