"""Pictures of a training: right shapes and ranges, the marks where they belong, odd input survived."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from seal_core.plots import loss_chart
from seal_core.plots.attention_overlay import attention_overlay, heat_colours
from seal_core.plots.look import CURVE, MARK
from seal_core.plots.loss_chart import _log_ticks, _smoothed, _ticks
from seal_core.plots.training_figures import _percent, before_after, loss_plot, preview_panel


def near(picture, colour, reach=0.02):
    """Where a picture (H, W, 3) has a colour (0..255)."""
    return ((picture - torch.tensor(colour) / 255).abs() < reach).all(-1)


def sticker(height=48, width=64):
    g = torch.Generator().manual_seed(0)
    image, mask = torch.rand(height, width, 3, generator=g), torch.zeros(height, width)
    mask[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 1
    return image, mask


def valid(picture):
    assert picture.dtype == torch.float32 and picture.ndim == 3 and picture.shape[-1] == 3
    assert picture.isfinite().all() and picture.min() >= 0 and picture.max() <= 1


LOSSES = [
    [],
    [0.2],
    [0.2, 0.1],
    [0.3] * 40,
    [0.0] * 5,
    [-1.0, 2.0, 0.5],
    [math.nan, 0.2, math.inf, 0.1],
    [math.nan],
    [1e-8, 1e8] * 9,
    list(range(500)),
]


@pytest.mark.parametrize("losses", LOSSES, ids=range(len(LOSSES)))
def test_loss_plot_draws_any_losses(losses):
    picture = loss_plot(losses, [1, 2, 10_000], title="my-cat")
    valid(picture)
    assert picture.shape == (360, 640, 3)
    assert near(picture, CURVE).any() == any(math.isfinite(v) for v in losses)


def test_the_course_falls_where_the_loss_falls():
    picture = loss_plot(np.linspace(1, 0, 300).tolist())[50:]  # below the header, which has the same colour
    rows, columns = near(picture, CURVE, 0.04).nonzero(as_tuple=True)
    left, right = rows[columns < 120].float().mean(), rows[columns > 540].float().mean()
    assert right - left > 150  # pixels down


def test_a_merge_is_marked_at_its_step_and_only_if_it_has_happened():
    losses = [0.1 + 0.001 * (i % 7) for i in range(101)]
    assert not near(loss_plot(losses), MARK).any() and not near(loss_plot(losses, [102]), MARK).any()
    columns = near(loss_plot(losses, [51]), MARK)[200:].nonzero()[:, 1].float()  # below the words
    plain = loss_plot(losses)
    drawn = near(plain, CURVE, 0.04)[50:].nonzero()[:, 1].float()
    assert abs(columns.mean() - (drawn.min() + drawn.max()) / 2) < 6  # step 51 of 1..101 is the middle


def test_a_hundred_thousand_steps_are_drawn_as_two_points_a_column(monkeypatch):
    losses = np.random.default_rng(0).random(100_000).tolist()
    drawn, line = [], loss_chart._line
    monkeypatch.setattr(loss_chart, "_line", lambda draw, x, *rest: drawn.append(len(x)) or line(draw, x, *rest))
    valid(loss_plot(losses))
    assert len(drawn) == 2 and max(drawn) <= 2 * loss_chart.FINE * 640


def test_smoothing_keeps_the_level_and_calms_the_noise():
    noise = np.random.default_rng(0).normal(0.5, 0.1, 600)
    assert abs(_smoothed(noise).mean() - 0.5) < 0.01 and _smoothed(noise).std() < 0.02


@pytest.mark.parametrize("low, high", [(0, 1), (-3, 7), (0.001, 0.0011), (12, 98765)])
def test_ticks_are_round_and_inside(low, high):
    ticks = _ticks(low, high, 5)
    assert 2 <= len(ticks) <= 7 and low <= ticks[0] + 1e-9 and ticks[-1] <= high + 1e-9


def test_log_ticks_cover_few_and_many_decades():
    assert [round(10**t, 6) for t in _log_ticks(-2, 0)] == [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]
    assert 3 <= len(_log_ticks(-9, 9)) <= 9


def test_heat_rises_evenly_in_lightness():
    rgb = heat_colours()
    assert rgb.shape == (256, 3) and rgb.min() >= 0 and rgb.max() <= 1
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lms = np.cbrt(linear @ np.array([[0.4122, 0.2119, 0.0883], [0.5363, 0.6807, 0.2817], [0.0514, 0.1074, 0.6300]]))
    lightness = lms @ np.array([0.2105, 0.7936, -0.0041])  # OKLab's L
    steps = np.diff(lightness)
    assert steps.min() > 0 and steps.max() < 1.5 * steps.mean()
    assert np.abs(np.diff(rgb, axis=0)).max() < 0.06  # no visible seams


@pytest.mark.parametrize("size", [(48, 64), (200, 96)])
def test_overlay_is_bright_where_the_attention_is(size):
    image, mask = sticker(*size)
    attention = torch.zeros(6, 8)
    attention[1, 6] = 2.0
    picture = attention_overlay(image * 0 + 0.5, attention)
    valid(picture)
    assert picture.shape == (*size, 3)
    y, x = divmod(int(picture.mean(-1).argmax()), size[1])
    assert abs((y + 0.5) / size[0] - 1.5 / 6) < 0.1 and abs((x + 0.5) / size[1] - 6.5 / 8) < 0.1
    outlined = attention_overlay(image * 0, attention * 0, mask)
    assert outlined[size[0] // 4].max() > 0.7 and outlined[size[0] // 2, size[1] // 2].max() < 0.3


def test_maps_on_a_graph_in_half_or_with_nan_are_shown():
    image, mask = sticker()
    valid(attention_overlay(image, torch.rand(4, 4, requires_grad=True), mask))
    valid(attention_overlay(image.half(), torch.rand(4, 4).half(), mask))
    for odd in (torch.full((4, 4), torch.nan), torch.zeros(4, 4), torch.full((4, 4), -1.0)):
        valid(attention_overlay(image, odd, mask))
        valid(before_after(image, odd, torch.rand(4, 4), mask, restored(math.nan, 1.0)))
        assert isinstance(preview_panel([0.1], image, odd, mask), Image.Image)


@pytest.mark.parametrize("size", [(16, 16), (48, 64), (900, 300)])
def test_before_after_holds_both_side_by_side(size):
    image, mask = sticker(*size)
    hot = torch.zeros(8, 8)
    hot[4, 4] = 1
    picture = before_after(image * 0 + 0.5, torch.ones(8, 8), hot, mask, restored(0.4, -0.1))
    valid(picture)
    right = picture[:, picture.shape[1] // 2 :]
    assert 256 <= picture.shape[0] <= 1100 and picture.shape[1] > 256
    assert right[: int(picture.shape[0] * 0.7)].mean(-1).max() > 0.5
    below = picture[-int(max(size) * 0.2 + 70) :]
    # Both bars begin in the middle of their half: a gain goes to the right, a loss to the left.
    subject, ground = (near(below, colour).any(0).nonzero().flatten() for colour in (CURVE, MARK))
    assert len(subject) / len(ground) == pytest.approx(4, rel=0.1)
    middle = (int(subject.min()) + int(ground.max())) / 2
    assert middle == pytest.approx(picture.shape[1] / 2, abs=picture.shape[1] * 0.02)
    assert len(before_after(image, hot, hot, mask)) < len(picture)


def restored(subject, ground):
    return {"subject": {"gain": subject}, "ground": {"gain": ground}}


def test_words_of_shares():
    assert [_percent(v) for v in (0.612, 0.0, 1.0, math.nan)] == ["61 %", "0 %", "100 %", "?"]


@pytest.mark.parametrize("size", [256, 512, 768])
@pytest.mark.parametrize("shape", [None, (40, 90, 3), (90, 40, 3)], ids=str)
def test_panel_is_one_square_picture(size, shape):
    drawn = None if shape is None else torch.full(shape, 0.5)
    image, mask = sticker(64, 40)
    panel = preview_panel([0.3, 0.2, 0.25], image, torch.rand(8, 5), mask, drawn, size, steps=10, merges=[2])
    assert isinstance(panel, Image.Image) and panel.mode == "RGB" and panel.size == (size, size)
    assert preview_panel([], image, torch.rand(8, 5), mask, drawn, size).size == (size, size)
