"""Clips on a host: identity at the start, the model untouched, given frames, shared noise, the sampler as it is."""

import pytest
import torch
from tiny_host import SIZE, small_host

from seal_core.hosts.base import Prompt
from seal_core.messages import SealError
from seal_core.method.sampling import sample
from seal_core.motion.temporal.clip_host import clip_host, repeated, shared_noise
from seal_core.motion.temporal.clip_loss import ClipBatch, clip_loss
from seal_core.motion.temporal.motion_file import load_motion, save_motion
from seal_core.motion.temporal.motion_layers import MotionLayers, motion_sites, site_width
from seal_core.motion.temporal.temporal_layers import LAYERS

KINDS = tuple(LAYERS)
CLIPS, FRAMES, CELLS = 2, 3, SIZE // 8


@pytest.fixture(scope="module")
def host():
    return small_host()


@pytest.fixture(scope="module")
def context(host):
    with torch.no_grad():
        return repeated(host.encode([Prompt("a sticker of a cat"), Prompt("a dog")], {}), FRAMES)


def moving(host, kind, seed=3):
    """Layers that do something."""
    layers = MotionLayers.of_sites(kind, host.sites())
    generator = torch.Generator().manual_seed(seed)
    for layer in layers.layers.values():
        layer.out.weight.data = 0.2 * torch.randn(layer.out.weight.shape, generator=generator)
    return layers


def noisy(clips=CLIPS, seed=0):
    return torch.randn(clips * FRAMES, 4, CELLS, CELLS, generator=torch.Generator().manual_seed(seed)) * 3


def batch(host, context, **changes):
    latents, noise = noisy(seed=4).unflatten(0, (CLIPS, FRAMES)), noisy(seed=5).unflatten(0, (CLIPS, FRAMES)) / 3
    known = torch.zeros(CLIPS, FRAMES, dtype=torch.bool)
    values = {"latents": latents, "context": context, "sigma": host.sigmas[[300, 800]], "noise": noise, "known": known}
    return ClipBatch(**{**values, **changes})


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_untrained_layers_change_no_bit(host, context, kind):
    layers = MotionLayers.of_sites(kind, host.sites())
    assert len(layers.layers) == len(motion_sites(host.sites())) == 10
    x, sigma = noisy(), torch.full((CLIPS * FRAMES,), 3.0)
    drawn = clip_host(host, layers, FRAMES, CLIPS).denoise(x, sigma, context)
    assert torch.equal(drawn, host.denoise(x, sigma, context))
    assert not torch.equal(clip_host(host, moving(host, kind), FRAMES, CLIPS).denoise(x, sigma, context), drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_the_layers_only(host, context, kind):
    layers = moving(host, kind)
    model = [*host.unet.parameters(), *host.pipe.text_encoder.parameters()]
    before, flags = [p.detach().clone() for p in model], [p.requires_grad for p in model]
    clip_loss(host, layers, batch(host, context)).backward()
    assert all(p.grad is None for p in model)
    without = [n for n, p in layers.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    still = {"to_qkv", "to_out", "attention.norm"} if kind == "sti" else set()  # w1 is 0 at the start
    assert [n for n in without if not any(part in n for part in still)] == []
    assert all(torch.equal(a, b.detach()) for a, b in zip(before, model))
    assert flags == [p.requires_grad for p in model]


@torch.no_grad()
def test_nothing_stays_on_the_model_also_after_an_error(host, context):
    x, sigma = noisy(), torch.full((CLIPS * FRAMES,), 3.0)
    before = host.denoise(x, sigma, context)
    layers = moving(host, "sti")
    drawing = clip_host(host, layers, FRAMES, CLIPS)
    drawing.denoise(x, sigma, context)
    layers.layers["mid_0"].out = torch.nn.Linear(3, 3)
    with pytest.raises(RuntimeError):
        drawing.denoise(x, sigma, context)
    assert not any(site.block._forward_hooks for site in host.sites())
    assert torch.equal(host.denoise(x, sigma, context), before)


@torch.no_grad()
def test_given_frames_come_back_and_the_others_see_them(host, context):
    known = torch.tensor([[False, True, False], [False, False, False]])
    given, x, sigma = noisy(seed=7), noisy(), torch.full((CLIPS * FRAMES,), 9.0)
    layers = moving(host, "attention")
    drawn = clip_host(host, layers, FRAMES, CLIPS, known, given).denoise(x, sigma, context)
    free = clip_host(host, layers, FRAMES, CLIPS).denoise(x, sigma, context)
    assert torch.equal(drawn[1], given[1])
    assert not torch.allclose(drawn[0], free[0]) and not torch.equal(drawn[3], given[3])
    torch.testing.assert_close(drawn[3:], free[3:])  # the other clip


@torch.no_grad()
def test_the_sampler_draws_clips_as_it_is(host, context):
    empty = host.encode([Prompt("")], {})
    known, given = torch.zeros(CLIPS, FRAMES, dtype=torch.bool), noisy(seed=7)
    known[:, 0] = True

    def drawn(layers, known=None, given=None, shared=0.0, cfg=3.0):
        drawing = clip_host(host, layers, FRAMES, CLIPS, known, given, shared=shared)
        g = torch.Generator().manual_seed(1)
        return sample(drawing, context, empty, height=SIZE, width=SIZE, steps=3, cfg=cfg, generator=g)

    g = torch.Generator().manual_seed(1)
    alone = sample(host, context, empty, height=SIZE, width=SIZE, steps=3, cfg=3.0, generator=g)
    assert torch.equal(drawn(MotionLayers.of_sites("sti", host.sites())), alone)
    clips = drawn(moving(host, "sti"), known, given, 0.5)
    torch.testing.assert_close(clips[0::FRAMES], given[0::FRAMES], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(clips[1], given[1], atol=0.1)
    same = drawn(None, shared=1.0)  # all the noise shared: each clip is one picture
    torch.testing.assert_close(same[0], same[1], atol=1e-4, rtol=1e-4)


def test_shared_noise_has_unit_variance_and_the_correlation_asked_for():
    noise = torch.randn(4 * 20_000, 1, generator=torch.Generator().manual_seed(0))
    for share in (0.0, 0.5, 1.0):
        frames = shared_noise(noise, 4, share).view(-1, 4)
        wanted = torch.full((4, 4), share) + (1 - share) * torch.eye(4)
        torch.testing.assert_close(frames.T @ frames / len(frames), wanted, atol=0.03, rtol=0)
    torch.testing.assert_close(shared_noise(noise, 1, 0.7), noise)
    assert torch.equal(shared_noise(noise, 4, 0.0), noise)


@torch.no_grad()
def test_loss_counts_real_frames_that_were_not_given(host, context):
    known = torch.tensor([[True, False, False], [False, False, False]])
    real = torch.tensor([[True, True, False], [True, True, True]])
    first = clip_loss(host, None, batch(host, context, known=known, real=real))
    wild = batch(host, context, known=known, real=real)
    wild.latents[0, 2] += 50.0  # padding
    torch.testing.assert_close(clip_loss(host, None, wild), first)
    wild.latents[0, 1] += 50.0
    assert float(clip_loss(host, None, wild)) > 1.5 * float(first)
    focus = torch.ones(CLIPS, FRAMES, CELLS, CELLS)
    torch.testing.assert_close(clip_loss(host, None, batch(host, context, known=known, real=real, focus=focus)), first)


def test_only_the_sites_asked_for(host):
    layers = MotionLayers.of_sites("conv3d", host.sites(), "mid, up.0-1")
    assert [name for name, _ in layers.widths] == ["mid.0", "up.0", "up.1"]
    assert [site.name for site in layers.sites_in(host.sites())] == ["mid.0", "up.0", "up.1"]
    assert site_width(host.sites()[0]) == 32


@torch.no_grad()
def test_round_trip_of_the_file(host, context, tmp_path):
    layers = moving(host, "sti")
    loaded, card = load_motion(save_motion(layers, tmp_path / "wave.safetensors", {"steps": 3}))
    assert card == {"steps": 3} and loaded.kind == "sti" and loaded.widths == layers.widths
    x, sigma = noisy(), torch.full((CLIPS * FRAMES,), 3.0)
    one, two = (clip_host(host, m, FRAMES, CLIPS).denoise(x, sigma, context) for m in (layers, loaded))
    torch.testing.assert_close(one, two, atol=0.02, rtol=0.02)
    again = save_motion(loaded, tmp_path / "again.safetensors", card)
    assert again.read_bytes() == (tmp_path / "wave.safetensors").read_bytes()


def test_bad_input(host, context, tmp_path):
    with pytest.raises(SealError, match="layer: 'lstm' is not known"):
        MotionLayers.of_sites("lstm", host.sites())
    foreign = MotionLayers("sti", [("up.0", 64)])
    with pytest.raises(SealError, match=r"motion: .* no transformer up.0 of 64 channels"):
        clip_host(host, foreign, FRAMES)
    with pytest.raises(SealError, match="frames: 5 pictures are not whole clips"):
        clip_host(host, None, FRAMES).denoise(noisy()[:5], torch.ones(5), context)
    with pytest.raises(SealError, match=r"known: .* give both"):
        clip_host(host, None, FRAMES, 1, torch.zeros(1, FRAMES, dtype=torch.bool))
    with pytest.raises(SealError, match="shared"):
        clip_host(host, None, FRAMES, shared=2.0)
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(SealError, match="motion"):
        load_motion(tmp_path / "x.safetensors")
    with pytest.raises(SealError, match="no file"):
        load_motion(tmp_path / "none.safetensors")
