"""Borders and shadows: as wide and soft as asked around any drawing, hairlines and lone pixels included."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from discs import disc, disc_picture, disc_sticker
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from seal_core.messages import SealError
from seal_core.stickers.border import Border, Shadow, add_border, outline_layer
from seal_core.stickers.caption import Caption, caption_layer


def test_border_is_as_wide_as_asked():
    """The area of line and subject is that of a disc whose radius is larger by the width, to half a percent."""
    out, mask = add_border(disc_sticker(), border=Border(width=9, colour="#00ff00", smooth=0))
    assert abs(float(mask.sum()) - np.pi * 29**2) < 0.005 * np.pi * 29**2
    middle = out.shape[1] // 2
    assert torch.allclose(out[0, middle, 32 + 25, :3], torch.tensor([0.0, 1.0, 0.0]), atol=1e-3)
    assert (out[0, middle, 32 + 5, :3] - torch.tensor([0.9, 0.3, 0.1])).abs().max() < 1e-3
    rounded = add_border(disc_sticker(), border=Border(width=9, smooth=8))[1]
    assert abs(float(rounded.sum() - mask.sum())) < 0.01 * float(mask.sum()), "nothing to round on a disc"


def test_gap_leaves_a_ring_of_nothing():
    _, mask = add_border(disc_sticker(), border=Border(width=5, gap=6, smooth=0))
    row = mask[0, mask.shape[1] // 2]
    centre = mask.shape[2] // 2
    assert [round(float(row[centre + r]), 2) for r in (10, 23, 28, 32)] == [1, 0, 1, 0]


def test_nothing_is_clipped_and_frames_stay_in_register():
    batch = torch.cat([disc_sticker(64, 31), disc_sticker(64, 12)])
    line, shadow = Border(width=10, softness=4, smooth=12), Shadow(0.5, x=20, y=-15, blur=8)
    out, mask = add_border(batch, border=line, shadow=shadow)
    edges = torch.cat([mask[:, 0], mask[:, -1], mask[:, :, 0], mask[:, :, -1]], 1)
    assert edges.max() < 0.01, "all that is drawn fits"
    assert out.shape[0] == 2 and out.shape[2] > 64 + 2 * 10 + 20 and out.shape[1] > 64 + 2 * 10 + 15
    alone = add_border(batch[:1], border=line, shadow=shadow)[0]
    assert torch.equal(out[0], alone[0]), "the larger frame decides, the other one has the same canvas"
    roomy = add_border(disc_sticker(96, 10), border=Border(width=4))[0]
    assert roomy.shape == (1, 96, 96, 4), "no more canvas where there is room"


def test_shadow_falls_where_it_should():
    out, _ = add_border(disc_sticker(96, 15), border=Border(width=0), shadow=Shadow(0.6, x=12, y=0, blur=2))
    row = out[0, 48]
    assert row[48 + 20, 3] == pytest.approx(0.6, abs=0.02) and row[48 + 20, :3].max() < 0.01
    assert row[48 - 20, 3] < 0.01


def test_inner_corners_are_rounded_and_holes_filled():
    ring = np.maximum(disc(96, 22, (48, 30)), disc(96, 22, (48, 66))) * (1 - disc(96, 10, (48, 30)))
    image = torch.from_numpy(np.dstack([np.ones((96, 96, 3), np.float32), ring]))[None]
    sharp, smooth, filled = (
        add_border(image, border=Border(2, smooth=s, filled=f))[1] for s, f in ((0, False), (12, False), (0, True))
    )
    top = sharp.shape[1] // 2 - 17
    assert smooth[0, : top + 1, 48].sum() > sharp[0, : top + 1, 48].sum() + 1
    assert sharp[0, 48, 30] == 0 and filled[0, 48, 30] == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Border(width=-1), "^width"),
        (lambda: Border(width=float("nan")), "^width"),
        (lambda: Border(colour="whiteish"), "^colour: 'whiteish' is no colour"),
        (lambda: Shadow(opacity=2), "^shadow: "),
        (lambda: add_border(disc_picture(disc())), "^image: has no transparent ground"),
        (lambda: add_border(torch.zeros(2, 8, 8, 4)), r"^image: shows nothing.*picture 1 of 2"),
        (lambda: add_border(disc_sticker(), torch.ones(3, 64, 64)), "^mask"),
    ],
)
def test_bad_borders(call, words):
    with pytest.raises(SealError, match=words):
        call()


CORNERED = np.zeros((26, 22), np.float32)  # at two edges of the frame, with a nook, a hole, faint and half pixels


CORNERED[2:20, :8] = CORNERED[16:, :] = 1


CORNERED[18:20, 12:15], CORNERED[4, 18], CORNERED[6:12, 12:15] = 0, 0.2, 0.7


def grey_sticker(alpha):
    """(1, H, W, 4): grey with this alpha (H, W)."""
    return torch.from_numpy(np.dstack([np.full((*alpha.shape, 3), 0.5, np.float32), alpha]).astype(np.float32))[None]


def centred_disc(size, radius):
    """Coverage of a disc in the middle of a square, (size, size)."""
    y, x = np.indices((size, size)) - (size - 1) / 2
    return (radius + 0.5 - np.hypot(y, x)).clip(0, 1)


@pytest.mark.parametrize("smooth", [0, 0.3, 6, 20])
@pytest.mark.parametrize("softness", [0, 1.5, 13, 40])
def test_nothing_reaches_the_edge_of_the_canvas(smooth, softness):
    shadows = (Shadow(), Shadow(0.7, 4, 6, 6), Shadow(0.7, -30, 0.5, 0), Shadow(1, 0.3, -9.7, 25))
    for width, gap, shadow in itertools.product((0.5, 3, 8), (0, 0.4, 5), shadows):
        mask = add_border(grey_sticker(CORNERED), None, Border(width, "#fff", softness, gap, smooth), shadow)[1][0]
        rim = torch.cat([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert rim.max() == 0, (width, gap, shadow)


@pytest.mark.parametrize("smooth", [0, 0.3, 6, 30])
@pytest.mark.parametrize("softness", [0, 12, 30, 60])
def test_soft_edge_fades_as_asked(smooth, softness):
    """Around a disc, which has no inner corner to round, the line is the same whatever `smooth` is."""
    mask = add_border(grey_sticker(centred_disc(61, 20)), None, Border(width=10, softness=softness, smooth=smooth))[1][
        0
    ].numpy()
    soft, middle = max(softness, 1), len(mask) // 2
    away = np.arange(len(mask) - middle) - 20  # from the disc's edge, to the right of its middle
    share = ((10 - away) / soft + 0.5).clip(0, 1)
    expected = share * share * (3 - 2 * share) if softness else share
    assert np.abs(mask[middle, middle:] - expected)[away > 0].max() < 0.03


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
