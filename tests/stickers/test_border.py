"""Outlines around whatever is drawn are as wide as asked: hairlines, dots and lone pixels, hard and soft."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from seal_core.stickers.border import Border, add_border, outline_layer
from seal_core.stickers.caption import Caption, caption_layer

SIDE, FINE = 40, 4


@st.composite
def drawings(draw):
    """(SIDE, SIDE) opacity of a few hairlines, diagonals, dots and lone pixels, and perhaps a body beside them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    alpha = np.zeros((SIDE, SIDE), np.float32)
    for kind in draw(
        st.lists(st.sampled_from(["line", "pixel", "row", "diagonal", "dot", "body"]), min_size=1, max_size=4)
    ):
        part = np.zeros_like(alpha)
        y, x = rng.integers(1, SIDE - 1, 2)
        long = int(rng.integers(1, 20))
        if kind == "line":
            (a, b), half = rng.uniform(4, SIDE - 4, (2, 2)), rng.uniform(0.4, 1.2)
            part = _line(a, b, half)
        elif kind == "pixel":
            part[y, x] = 1
        elif kind == "row":
            part[y, x : x + long] = 1
            part = part.T if rng.random() < 0.5 else part
        elif kind == "diagonal":
            steps = np.arange(min(long, SIDE - y, SIDE - x))
            part[y + steps, x + steps] = 1
            part = part[:, ::-1] if rng.random() < 0.5 else part
        else:
            part = _line(np.float64([y, x]), np.float64([y, x]), rng.uniform(0.5, 2) if kind == "dot" else 6.3)
        alpha = np.maximum(alpha, part * (1 if rng.random() < 0.6 else rng.uniform(0.55, 1)))
    look = draw(st.sampled_from(["as drawn", "hard", "veiled"]))
    if look == "hard":
        alpha = (alpha > 0.5).astype(np.float32)
    elif look == "veiled":  # opacities that say nothing, as scaling leaves them
        alpha = np.maximum(alpha, 0.009 * rng.random(alpha.shape)).astype(np.float32)
    return alpha


def _line(a, b, half):
    """Coverage of a line from a to b (y, x) with round ends, `half` pixels to either side."""
    y, x = (np.mgrid[: SIDE * FINE, : SIDE * FINE] + 0.5) / FINE
    along = b - a
    share = np.clip(((y - a[0]) * along[0] + (x - a[1]) * along[1]) / max(along @ along, 1e-9), 0, 1)
    away = np.hypot(y - a[0] - share * along[0], x - a[1] - share * along[1])
    return (away < half).reshape(SIDE, FINE, SIDE, FINE).mean((1, 3)).astype(np.float32)


def _from(art):
    """(SIDE, SIDE) how far each pixel's centre is from the nearest of these pixels' squares."""
    rows, columns = np.nonzero(art & ~ndimage.binary_erosion(art))  # the inner ones are never the nearest
    y, x = np.nonzero(~art)
    apart = [np.maximum(np.abs(a[..., None] - b) - 0.5, 0) for a, b in ((y, rows), (x, columns))]
    away = np.zeros(art.shape)
    away[y, x] = np.hypot(*apart).min(-1, initial=np.inf)
    return away


def check(alpha, line, width, smooth):
    """A line reaches no pixel beyond its width + 1 from the art but in inner corners, and all within width - 1."""
    seen, solid = _from(alpha > 0.01), _from(alpha > 0.5)
    beyond = seen > width + 1
    if smooth:  # rounded inner corners: what a disc of this radius that keeps its distance from the art does not reach
        free = _from(np.pad(alpha > 0.01, 20)) > width + smooth + 1
        beyond &= ndimage.distance_transform_edt(~free)[20:-20, 20:-20] < smooth - 1
    assert line[beyond].max(initial=0) < 0.02
    assert line[solid <= width - 1].min(initial=1) > 0.5


@settings(max_examples=100, deadline=None)
@given(alpha=drawings(), width=st.floats(1, 9), smooth=st.sampled_from([0.0, 3.0, 6.0]))
def test_no_outline_is_wider_or_narrower_than_asked(alpha, width, smooth):
    check(alpha, outline_layer(alpha, Border(width, smooth=smooth))[..., 3], width, smooth)


@pytest.mark.parametrize("detail", ["whisker", "diagonal", "dot", "alone"])
def test_a_one_pixel_detail_has_a_line_of_the_width_asked(detail):
    alpha = np.zeros((80, 80), np.float32)
    if detail != "alone":
        alpha[30:50, 30:50] = 1
    if detail == "whisker":
        alpha[40, 50:66] = 1
    elif detail == "diagonal":
        alpha[np.arange(50, 62), np.arange(50, 62)] = 1
    else:
        alpha[40, 58] = 1
    image = torch.from_numpy(np.dstack([np.ones((80, 80, 3), np.float32), alpha]))[None]
    made = add_border(image, border=Border(8, smooth=0))[1][0].numpy()
    assert made.shape == (80, 80)
    rows, columns = np.nonzero(alpha)
    y, x = np.nonzero(made > 0.02)
    reach = np.hypot(y[:, None] - rows, x[:, None] - columns).min(1).max()
    assert 8 <= reach <= 9.5


@pytest.mark.parametrize("text", ["...", "tired...", "no?", "Hello", "привет", "ありがとう", "100% so tired..."])
def test_the_line_around_small_captions_is_as_wide_as_asked(text):
    checked = 0
    for height, stroke in itertools.product(range(54, 90, 2), (12, 50)):
        block = caption_layer(Caption(text, stroke=stroke, fill="#ff0000", stroke_colour="#0000ff"), 300, height)
        shown = block[..., 3]
        away = _from(block[..., 0] * shown > 0.01)  # from the letters, which alone are red
        most = 1.5 * stroke / 100 * height * 0.16 / 1.06  # half of the line's width more in inner corners
        assert shown[away > most + 1].max(initial=0) < 0.02, (height, stroke)
        checked += int((shown > 0.5).sum())
    assert checked > 1000
