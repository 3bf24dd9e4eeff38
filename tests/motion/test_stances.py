"""Squash, bend and turn: exactly undone, and without a change of area."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seal_core.motion.stances import Stance, Wave

STANCES = {
    "squashed": Stance(stretch=0.7),
    "bent": Stance(bend=Wave(0.4, 0.2, 0.9)),
    "turned late": Stance(turn=Wave(0.5, 0.1, 0.6)),
    "everything": Stance(right=0.1, up=0.3, stretch=1.3, zoom=0.9, bend=Wave(-0.3, 0.7, 1.2), turn=Wave(0.3, 0.4, 0.5)),
}
X, Y = np.meshgrid(np.linspace(-1, 1, 41), np.linspace(-0.5, 1.5, 41))


@pytest.mark.parametrize("stance", STANCES.values(), ids=STANCES)
def test_the_inverse_undoes_it(stance):
    back = stance.inverse(*stance.forward(X, Y))
    assert np.abs(back[0] - X).max() < 1e-12 and np.abs(back[1] - Y).max() < 1e-12
    assert np.hypot(*(a - b for a, b in zip(stance.forward(X, Y), (X, Y)))).max() > 0.1


@pytest.mark.parametrize("stance", STANCES.values(), ids=STANCES)
def test_area_changes_by_the_zoom_alone(stance):
    step = 1e-5
    (rx, ry), (lx, ly) = stance.forward(X + step, Y), stance.forward(X - step, Y)
    (ux, uy), (dx, dy) = stance.forward(X, Y + step), stance.forward(X, Y - step)
    grown = ((rx - lx) * (uy - dy) - (ux - dx) * (ry - ly)) / (2 * step) ** 2
    assert np.abs(grown - stance.zoom**2).max() < 1e-4


def test_what_it_does_to_a_point():
    assert Stance().moved(0.3, 0.4) == (0.3, 0.4)
    assert Stance(stretch=2.0).moved(1.0, 1.0) == (0.5, 2.0)
    x, y = Stance(turn=Wave(math.pi / 2, 0.25)).moved(1.0, 0.0)
    assert (x, y) == pytest.approx((0, 1)), "anticlockwise, y upwards"
    assert Stance(bend=Wave(0.5, 0.25)).moved(0.0, 0.0) == (0.0, 0.0), "feet stay"
    assert Stance(bend=Wave(0.5, 0.25)).moved(0.0, 1.0) == pytest.approx((0.5, 1.0))
