"""Losses against values worked out by hand, and their gradients."""

import math

import pytest
import torch

from seal_core.method import config
from seal_core.method.losses import MAP_LOSSES, attention_loss, contrast_loss, denoising_errors, leakage, sinkhorn

MASK = torch.zeros(1, 4, 6)
MASK[:, 1:3, 1:4] = 1


def test_denoising_loss_is_the_models_own_mse_where_nothing_is_masked():
    g = torch.Generator().manual_seed(0)
    x0, noise, output = (torch.randn(2, 4, 4, 6, generator=g) for _ in range(3))
    sigma = torch.tensor([0.5, 3.0])
    s = sigma[:, None, None, None]
    noisy = x0 + s * noise
    ones = torch.ones(2, 4, 6)
    epsilon_x0 = noisy - s * output
    got = denoising_errors(epsilon_x0, x0, 1 / sigma.square(), ones, 1.0)
    assert torch.allclose(got, (output - noise).square().mean(dim=(1, 2, 3)), rtol=1e-4)
    # v-prediction: x_t / (s^2+1) - v s / sqrt(s^2+1), with v = (noise - s x0) / sqrt(s^2+1)
    root = (s.square() + 1).sqrt()
    v_x0 = noisy / root.square() - output * s / root
    velocity = (noise - s * x0) / root
    got = denoising_errors(v_x0, x0, (sigma.square() + 1) / sigma.square(), ones, 1.0)
    assert torch.allclose(got, (output - velocity).square().mean(dim=(1, 2, 3)), rtol=1e-4)


def test_denoising_loss_ignores_the_masked_background():
    x0 = torch.zeros(1, 4, 4, 6)
    wrong_outside = (1 - MASK)[:, None].expand(1, 4, 4, 6)
    assert denoising_errors(wrong_outside, x0, torch.ones(1), MASK, 0.0) == 0
    half = denoising_errors(wrong_outside, x0, torch.ones(1), MASK, 0.5)
    # 18 of 24 cells wrong with weight 0.5, mean weight (6 + 9) / 24
    assert half.item() == pytest.approx((18 * 0.5 / 24) / (15 / 24))


def test_mse_is_zero_for_the_mask_itself_at_any_scale():
    assert attention_loss("mse", 0.01 * MASK, MASK) == pytest.approx(0.0, abs=1e-6)
    assert attention_loss("mse", 1 - MASK, MASK) == 1


def test_leak_is_the_share_outside():
    uniform = torch.ones(1, 4, 6)
    assert attention_loss("leak", uniform, MASK).item() == pytest.approx(18 / 24)
    assert leakage(MASK, MASK).item() == 0
    assert leakage(torch.zeros(1, 4, 6), MASK).isfinite().all()


def test_transport_grows_with_the_distance():
    def point(row, column):
        a = torch.full((1, 8, 8), 1e-9)
        a[0, row, column] = 1
        return a

    here = sinkhorn(point(2, 2), point(2, 2)).item()
    near, far = sinkhorn(point(2, 2), point(2, 4)).item(), sinkhorn(point(2, 2), point(6, 6)).item()
    assert here == pytest.approx(0, abs=1e-3)
    assert near == pytest.approx((2 / 8) ** 2, rel=0.05)
    assert far == pytest.approx(2 * (4 / 8) ** 2, rel=0.05)


@pytest.mark.parametrize("kind", ["mse", "leak", "transport"])
def test_descent_moves_attention_into_the_mask(kind):
    logits = torch.zeros(1, 4, 6, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    before = leakage(logits.flatten(1).softmax(1).view_as(logits), MASK).item()
    for _ in range(30):
        attention = logits.flatten(1).softmax(1).view_as(logits)
        loss = attention_loss(kind, attention, MASK)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = leakage(logits.flatten(1).softmax(1).view_as(logits), MASK).item()
    assert torch.isfinite(logits).all()
    assert after < before / 3


def test_attention_loss_is_finite_for_an_empty_map():
    zero = torch.zeros(1, 4, 6, requires_grad=True)
    for kind in ("mse", "leak", "transport"):
        loss = attention_loss(kind, zero, MASK)
        (gradient,) = torch.autograd.grad(loss, zero)
        assert loss.isfinite() and gradient.isfinite().all()


def test_contrast_by_hand():
    tokens = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
    other = torch.tensor([[0.0, 3.0]])
    # both similarities to the partner are 1/tau, to the other 0
    expected = math.log(1 + math.exp(-1 / 0.5))
    assert contrast_loss(tokens, other, 0.5).item() == pytest.approx(expected, rel=1e-5)
    assert contrast_loss(tokens[:1], other).item() == 0


def test_contrast_pulls_together_and_pushes_away():
    g = torch.Generator().manual_seed(1)
    tokens = torch.randn(5, 8, generator=g, requires_grad=True)
    other = torch.randn(1, 8, generator=g)
    optimizer = torch.optim.Adam([tokens], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        contrast_loss(tokens, other).backward()
        optimizer.step()
    # SupCon's floor for K tokens is log(K - 1): all partners alike, and the other one far away.
    assert contrast_loss(tokens, other).item() == pytest.approx(math.log(4), abs=0.01)
    unit = torch.nn.functional.normalize(tokens.detach(), dim=1)
    apart = unit @ torch.nn.functional.normalize(other, dim=1).T
    assert (unit @ unit.T).min() > apart.max()


def test_transport_of_large_maps_is_that_of_maps_of_sixteen_cells():
    small, mask = torch.rand(1, 16, 12, generator=torch.Generator().manual_seed(3)), torch.zeros(1, 16, 12)
    mask[:, 4:10, 3:9] = 1
    large, large_mask = (m.repeat_interleave(4, 1).repeat_interleave(4, 2).requires_grad_() for m in (small, mask))
    assert sinkhorn(large[:, :, :], large_mask).shape == (1,)
    tall = sinkhorn(large[:, :, ::4], large_mask[:, :, ::4])  # 64 x 12: only the long side shrinks
    assert torch.allclose(tall, sinkhorn(small, mask), rtol=1e-4)
    assert torch.autograd.grad(tall.sum(), large)[0].abs().sum() > 0


def test_every_loss_that_a_config_can_name_is_there_and_has_a_weight():
    assert tuple(config.ATTENTION_WEIGHTS) == config.ATTENTION_LOSSES == ("none", *MAP_LOSSES)
