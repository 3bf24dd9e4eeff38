"""What a plain ground proves: on drawings whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from seal_core.masks.plain_ground import ALIKE, flood_mask, plain_ground, proven

SIDE = 128
Y, X = np.mgrid[:SIDE, :SIDE].astype(np.float32) / SIDE


def disc(cy, cx, radius):
    return np.hypot(SIDE * Y - cy, SIDE * X - cx) < radius


def bent_gradient():
    """Orange to violet, faster towards the lower right."""
    share = (0.6 * X + 0.8 * Y**2)[..., None] / 1.4
    return np.float32([1.0, 0.6, 0.15]) * (1 - share) + np.float32([0.5, 0.15, 0.75]) * share


def white():
    return np.ones((SIDE, SIDE, 3), np.float32)


def painted(ground, mask, colour=(0.2, 0.45, 0.3)):
    return np.where(mask[..., None], np.float32(colour), ground).astype(np.float32)


def judged(image, likely):
    return proven(plain_ground(image), likely)


def as_likely(mask):
    return np.where(mask, 0.97, 0.03).astype(np.float32)


@pytest.mark.parametrize("ground", [white, bent_gradient])
@pytest.mark.parametrize("centre", [(64, 64), (124, 64)])  # the second one is cut by the frame
def test_the_ground_is_known_behind_a_subject(ground, centre):
    mask = disc(*centre, 40)
    found = plain_ground(painted(ground(), mask))
    assert found.unit == ALIKE[0] and found.away[~mask].max() < 0.5 and found.away[mask].min() > 2
    assert np.array_equal(flood_mask(found), mask)


def test_paper_with_grain_is_still_plain():
    rng = np.random.default_rng(1)
    mask = disc(64, 64, 40)
    image = (painted(white() * 0.9, mask) + rng.normal(0, 0.01, (SIDE, SIDE, 1))).clip(0, 1).astype(np.float32)
    ground = plain_ground(image)
    assert ALIKE[0] <= ground.unit <= ALIKE[1] and ground.like[~mask].mean() > 0.99
    found = flood_mask(ground)
    assert (found & mask).sum() / (found | mask).sum() > 0.98


@pytest.mark.parametrize("pattern", ["dots", "stripes", "horizon"])
def test_what_is_not_plain_is_left_alone(pattern):
    on = {"dots": np.hypot(X * 8 % 1 - 0.1, Y * 8 % 1 - 0.1) < 0.3, "stripes": X * 8 % 1 < 0.5, "horizon": Y > 0.6}
    image = painted(white(), on[pattern], (0.5, 0.7, 0.9))
    assert plain_ground(image) is None and plain_ground(image, sides_needed=4) is None


def test_things_that_were_overlooked_come_back():
    both = disc(64, 40, 22) | disc(64, 100, 14)
    out = judged(painted(bent_gradient(), both), as_likely(disc(64, 40, 22)))[0]
    assert np.array_equal(out > 0.5, both)


def test_many_small_things_are_a_pattern():
    stars = np.hypot(X * 8 % 1 - 0.5, Y * 8 % 1 - 0.5) < 0.2  # none touches the frame
    likely = as_likely(disc(64, 64, 30))
    assert np.array_equal(judged(painted(white(), disc(64, 64, 30) | stars), likely)[0] > 0.5, likely > 0.5)


def test_what_is_brighter_than_the_ground_is_no_shadow():
    """A yellow lamp that fades into orange has no crisp edge there."""
    lamp = ndimage.gaussian_filter(disc(64, 100, 14).astype(np.float32), 4)[..., None]
    ground = np.ones((SIDE, SIDE, 3), np.float32) * np.float32([1.0, 0.6, 0.15])
    image = painted(ground * (1 - lamp) + np.float32([1.0, 0.85, 0.2]) * lamp, disc(64, 50, 30))
    out = judged(image, as_likely(disc(64, 50, 30)))[0]
    assert (out > 0.5)[disc(64, 100, 11)].all() and not (out > 0.5)[~disc(64, 100, 20) & ~disc(64, 50, 30)].any()


def test_a_soft_shadow_proves_nothing():
    mask = disc(60, 60, 30)
    dark = 0.3 * ndimage.gaussian_filter(disc(68, 66, 32).astype(np.float32), 4)
    image = painted(white() * (1 - dark[..., None]), mask)
    likely = as_likely(mask)
    assert np.array_equal(judged(image, likely)[0] > 0.5, mask)


@pytest.mark.parametrize("certainty", [0.9, 0.3])
def test_an_enclosed_place_is_judged_as_a_whole(certainty):
    """As the segmenter sees it on average, whatever it thinks of each pixel."""
    whole, inner = disc(64, 64, 40), disc(64, 64, 34)
    unsure = np.random.default_rng(2).uniform(-0.25, 0.25, inner.shape) + certainty
    likely = np.where(inner, unsure.clip(0, 1), as_likely(whole)).astype(np.float32)
    out, sure = judged(painted(white(), whole & ~inner, (0.1, 0.1, 0.1)), likely)
    assert np.allclose(sure[inner], likely[inner].mean(), atol=0.02), "the decision hides no doubt"
    assert np.array_equal(out > 0.5, whole if certainty > 0.5 else whole & ~inner)


@pytest.mark.parametrize("certainty", [0.7, 0.3])
def test_a_small_gap_does_not_open_an_outline(certainty):
    whole, inner = disc(64, 64, 40), disc(64, 64, 34)
    line = whole & ~inner & ~((np.abs(SIDE * X - 64) < 2) & (Y < 0.5))
    likely = np.where(inner, certainty, as_likely(line)).astype(np.float32)
    out = judged(painted(white(), line, (0.1, 0.1, 0.1)), likely)[0] > 0.5
    truth = whole if certainty > 0.5 else line
    assert (out & truth).sum() / (out | truth).sum() > 0.97


def test_a_soft_shadow_that_was_taken_for_the_subject_is_ground():
    mask, fallen = disc(60, 60, 30), disc(70, 68, 32)
    dark = 0.4 * ndimage.gaussian_filter(fallen.astype(np.float32), 4)
    image = painted(bent_gradient() * (1 - dark[..., None]), mask)
    out = judged(image, np.where(mask, 0.97, 0.6 * (dark > 0.1)).astype(np.float32))[0]
    found = out > 0.5
    assert (found & mask).sum() == mask.sum() and (found & ~mask).sum() < 0.05 * mask.sum()


def test_an_outline_drawing_is_filled_everywhere():
    whole = disc(64, 64, 50)
    lines = whole & (~disc(64, 64, 46) | (np.abs(X - 0.5) < 0.02) | (np.abs(Y - 0.5) < 0.02))
    out = judged(painted(white(), lines, (0.1, 0.1, 0.1)), np.where(lines, 0.9, 0.3 * whole).astype(np.float32))[0]
    assert np.array_equal(out > 0.5, whole)
