"""The three temporal layers: one interface, loops, padding."""

import pytest
import torch

from seal_core.motion.temporal.temporal_layers import LAYERS, STI, FrameGrid, clip_norm, neighbours

KINDS = tuple(LAYERS)


def layer(kind, width=32, seed=0):
    torch.manual_seed(seed)
    made = LAYERS[kind](width)
    if isinstance(made, STI):
        made.shares.data = torch.tensor([0.6, 0.8])  # both branches
    return made.eval()


def tokens(clips=2, frames=8, rows=4, columns=6, width=32, seed=1):
    return torch.randn(clips, frames, rows * columns, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(2, 8, 4, 6), (1, 1, 1, 1), (3, 5, 3, 5), (1, 2, 1, 4)])
def test_shapes(kind, shape):
    x = tokens(*shape)
    out = layer(kind)(x, FrameGrid(*shape[2:]))
    assert out.shape == x.shape and bool(out.isfinite().all())


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_frames_see_each_other_and_clips_do_not(kind):
    x, made, grid = tokens(), layer(kind), FrameGrid(4, 6)
    changed = x.clone()
    changed[0, 3] += torch.randn(changed[0, 3].shape, generator=torch.Generator().manual_seed(5))
    before, after = made(x, grid), made(changed, grid)
    assert all((before[0, f] - after[0, f]).abs().max() > 1e-4 for f in (2, 3, 4))
    torch.testing.assert_close(before[1], after[1])


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_loop_has_no_seam(kind):
    """Beginning the loop at another frame changes nothing else."""
    x, made, grid = tokens(), layer(kind), FrameGrid(4, 6)
    torch.testing.assert_close(made(x.roll(3, 1), grid), made(x, grid).roll(3, 1), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_padding_influences_no_real_frame(kind):
    x, made = tokens(frames=6), layer(kind)
    real = torch.tensor([[True] * 4 + [False] * 2, [True] * 6])
    grid = FrameGrid(4, 6, real)
    other = x.clone()
    other[0, 4:] = 7.0
    before, after = made(x, grid), made(other, grid)
    torch.testing.assert_close(before[0, :4], after[0, :4])
    short = made(x[:1, :4], FrameGrid(4, 6))  # the same clip without its padding
    torch.testing.assert_close(before[0, :4], short[0], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(before[1:], made(x[1:], FrameGrid(4, 6)), atol=1e-4, rtol=1e-3)


def test_neighbours_go_round_the_real_frames():
    x = torch.arange(5.0).view(1, 5, 1, 1)
    before, after = neighbours(x, torch.tensor([[True, True, True, False, False]]))
    assert before.flatten().tolist()[:3] == [2, 0, 1] and after.flatten().tolist()[:3] == [1, 2, 0]
    before, after = neighbours(x, None)
    assert before.flatten().tolist() == [4, 0, 1, 2, 3] and after.flatten().tolist() == [1, 2, 3, 4, 0]


def test_clip_norm_is_group_norm_over_a_clip():
    x, norm = tokens(), torch.nn.GroupNorm(4, 32)
    torch.nn.init.normal_(norm.weight)
    wanted = norm(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    torch.testing.assert_close(clip_norm(x, norm, None), wanted, atol=1e-5, rtol=1e-4)
    every = torch.ones(2, 8, dtype=torch.bool)
    torch.testing.assert_close(clip_norm(x, norm, every), wanted, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_sti_starts_with_detail_alone():
    torch.manual_seed(0)
    made, x, grid = STI(32).eval(), tokens(), FrameGrid(4, 6)
    assert made.shares.tolist() == [0.0, 1.0]
    before = made(x, grid)
    made.attention.to_qkv.weight.mul_(3)
    torch.testing.assert_close(made(x, grid), before)
    made.shares[0] = 0.5
    assert not torch.allclose(made(x, grid), before)


@torch.no_grad()
def test_stis_interaction_joins_all_cells_of_all_frames():
    made, x = layer("sti"), tokens(clips=1)
    made.shares.copy_(torch.tensor([1.0, 0.0]))
    made.norm.weight.fill_(1.0)
    changed = x.clone()
    changed[0, 0, 0] += 5.0  # the first cell of the first frame
    grid = FrameGrid(4, 6)
    seen = (made._interaction(x, grid) - made._interaction(changed, grid)).abs().amax(-1)
    assert bool((seen > 0).all())
    alone = layer("attention")(changed, grid) - layer("attention")(x, grid)
    assert float(alone[0, :, 1:].abs().max()) == 0, "plain temporal attention stays within a cell"
