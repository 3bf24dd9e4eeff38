"""Distances, layers over each other, and colours by name."""

from __future__ import annotations

import numpy as np
from discs import disc

from seal_core.stickers.layers import distance_outside, over, parse_colour


def test_distance_is_exact():
    """Against the true distance from a disc's outline, whose radius is no whole number."""
    y, x = np.mgrid[:96, :96] + 0.5
    true = np.hypot(y - 48, x - 48) - 20.3
    found = distance_outside(disc(96, 20.3))
    away = true > 1
    assert np.abs(found - true)[away].max() < 0.2 and np.abs(found - true)[away].mean() < 0.05
    assert (found[true < -1] == 0).all()
    assert np.isinf(distance_outside(np.zeros((4, 4), np.float32))).all()


def test_over_is_porter_and_duff():
    top, bottom = np.float32([[[1, 0, 0, 0.5]]]), np.float32([[[0, 0, 1, 0.5]]])
    assert np.allclose(over(top, bottom), [[[2 / 3, 0, 1 / 3, 0.75]]])


def test_colours():
    assert np.allclose(parse_colour("#ff000080", "x")[0], [1, 0, 0]) and parse_colour("#ff000080", "x")[1] == 128 / 255
    assert parse_colour(" white ", "x")[1] == 1
