"""Hearts, drops and sparkles: crisp, whole, and with a white line where the sticker has one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seal_core.motion.overlay_shapes import DRAWINGS, Mark, draw_mark

kinds = pytest.mark.parametrize("kind", DRAWINGS)


def drawn(kind: str, rim: float = 0.0, radius: float = 40.0, angle: float = 0.0, side: int = 128) -> np.ndarray:
    canvas = np.zeros((side, side, 4), np.float32)
    draw_mark(canvas, Mark(kind, side / 2, side / 2, radius, angle), rim)
    return canvas


@kinds
def test_a_mark_is_opaque_inside_and_antialiased_at_its_edge(kind):
    canvas = drawn(kind)
    alpha = canvas[..., 3]
    assert canvas.min() >= 0 and alpha.max() == pytest.approx(1) and (canvas[..., :3] <= alpha[..., None] + 1e-6).all()
    soft = ((alpha > 0.02) & (alpha < 0.98)).sum()
    assert 50 < soft < 600, "an edge of about a pixel"
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    assert 60 < rows[-1] - rows[0] < 84 and 40 < columns[-1] - columns[0] < 84, "about the radius to each side"


@kinds
def test_the_white_line_is_of_the_width_asked_for(kind):
    plain, lined = drawn(kind), drawn(kind, rim=5)
    added = (lined[..., 3] > 0.99) & (plain[..., 3] < 0.01)
    assert added.any() and (lined[added][:, :3] > 0.99).all()
    rows = [np.flatnonzero((canvas[..., 3] > 0.5).any(1)) for canvas in (plain, lined)]
    grown = (rows[1][-1] - rows[1][0]) - (rows[0][-1] - rows[0][0])
    assert 9 <= grown <= 17, "5 on each side, and somewhat more at a thin tip"


@kinds
def test_tiny_marks_and_marks_off_the_canvas_do_no_harm(kind):
    assert not drawn(kind, radius=0).any() and not drawn(kind, rim=8, radius=0.4).any()
    tiny = drawn(kind, rim=10, radius=3)[..., 3]
    assert 0 < (tiny > 0.5).sum() < 60, "the line shrinks with it, and leaves no square"
    canvas = np.zeros((20, 20, 4), np.float32)
    for x, y in ((-100, 5), (5, 200), (25, -3)):
        draw_mark(canvas, Mark(kind, x, y, 10), 2)
    assert np.isfinite(canvas).all()


def test_which_way_up():
    heart, drop = drawn("hearts")[..., 3], drawn("sweat")[..., 3]
    assert heart[:64].sum() > heart[64:].sum() and drop[:64].sum() < drop[64:].sum()
    turned = drawn("sweat", angle=math.pi / 2)[..., 3]
    assert turned[:, 64:].sum() > turned[:, :64].sum(), "anticlockwise: the tip points left"
