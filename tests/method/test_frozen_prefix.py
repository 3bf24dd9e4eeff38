"""The frozen prefix: exact replay, what is kept, limits, and nothing left behind."""

import pytest
import torch
from tiny import tiny_pipe

from seal_core.hosts.base import Prompt
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.method.attention import route
from seal_core.method.frozen_prefix import FrozenPrefix, cut_at
from seal_core.method.sites import parse_sites, select


@pytest.fixture(scope="module", params=["sd1", "sd2v", "sdxl"])
def host(request):
    return DiffusersHost(tiny_pipe(request.param))


def example(host, rows=2):
    g = torch.Generator().manual_seed(5)
    x = torch.randn(rows, 4, 16, 24, generator=g)
    sigma = host.sigmas[[200, 800][:rows]]
    with torch.no_grad():
        plain = host.encode([Prompt("a sticker of cat"), Prompt("a cat, plain")][:rows], {})
    return x, sigma, plain, plain.cross + 0.3 * torch.randn(plain.cross.shape, generator=g)


def gradient(host, sites, x, sigma, plain, learned):
    learned = learned.clone().requires_grad_()
    with route(sites, learned):
        out = host.denoise(x, sigma, plain)
    return out.detach(), torch.autograd.grad(out.square().mean(), learned)[0]


@pytest.mark.parametrize("text", ["up", "mid", "last", "down.1, up.0", "up.1"])
def test_replay_gives_the_same_output_and_gradient(host, text):
    everything = host.sites()
    sites = everything[-1:] if text == "last" else select(parse_sites(text, everything), everything)
    prefix = FrozenPrefix.find(host.stages(), sites[0], 1 << 30)
    x, sigma, plain, learned = example(host)
    out, grad = gradient(host, sites, x, sigma, plain, learned)
    assert prefix.record([10, 11], lambda: host.denoise(x, sigma, plain))
    with prefix.replay([10, 11], host.device):
        out_again, grad_again = gradient(host, sites, x, sigma, plain, learned)
    assert torch.equal(out, out_again)
    assert torch.allclose(grad, grad_again, rtol=1e-5, atol=1e-9) and grad.abs().sum() > 0
    # rows may be asked for in another order and number
    with prefix.replay([11], host.device):
        alone, _ = gradient(host, sites, x[1:], sigma[1:], plain.rows([1]), learned[1:])
    assert torch.allclose(alone, out[1:], rtol=1e-4, atol=1e-5)


def test_the_prefix_is_not_computed_in_a_replay(host):
    site = host.sites()[-1]
    prefix = FrozenPrefix.find(host.stages(), site, 1 << 30)
    x, sigma, plain, learned = example(host)
    prefix.record([0, 1], lambda: host.denoise(x, sigma, plain))
    ran = []
    names = {m: n for n, m in host.pipe.unet.named_modules()}
    handles = [m.register_forward_hook(lambda m, *_: ran.append(names[m])) for m in names if hasattr(m, "to_q")]
    with prefix.replay([0, 1], host.device):
        gradient(host, [site], x, sigma, plain, learned)
    for h in handles:
        h.remove()
    live = [n for n in ran if n.endswith("attn2")]
    assert live and all(n.startswith("up_blocks") for n in live)
    assert len(live) < len(host.sites()) / 2


def test_only_what_is_read_later_is_kept(host):
    stages = host.stages()
    last, first_up = host.sites()[-1], next(s for s in host.sites() if s.part == "up")
    x, sigma, plain, _ = example(host)
    sizes = {}
    for site in (last, first_up):
        prefix = FrozenPrefix.find(stages, site, 1 << 30)
        prefix.record([0, 1], lambda: host.denoise(x, sigma, plain))
        sizes[site.name] = prefix.bytes
    assert 0 < sizes[last.name] < sizes[first_up.name]


def test_memory_limit(host):
    site = host.sites()[-1]
    x, sigma, plain, _ = example(host)
    probe = FrozenPrefix.find(host.stages(), site, 1 << 30)
    probe.record([0, 1], lambda: host.denoise(x, sigma, plain))
    small = FrozenPrefix.find(host.stages(), site, probe.bytes)
    assert small.record([0, 1], lambda: host.denoise(x, sigma, plain))
    assert not small.record([2, 3], lambda: host.denoise(x, sigma, plain))
    assert small.has([0, 1]) and not small.has([1, 2]) and small.bytes <= small.limit


def test_a_full_pool_does_not_run_the_prefix_again(host):
    site = host.sites()[-1]
    x, sigma, plain, _ = example(host)
    full = FrozenPrefix.find(host.stages(), site, 1000)
    runs = []
    for _ in range(3):
        assert not full.record([0, 1], lambda: runs.append(1) or host.denoise(x, sigma, plain))
    assert len(runs) == 1 and full.bytes == 0


def test_room_for_a_part_of_a_batch_is_used(host):
    """Else every further batch would run the prefix in vain."""
    site = host.sites()[-1]
    x, sigma, plain, _ = example(host)
    two = FrozenPrefix.find(host.stages(), site, 1 << 30)
    two.record([0, 1], lambda: host.denoise(x, sigma, plain))
    three = FrozenPrefix.find(host.stages(), site, two.bytes * 3 // 2)
    runs = []
    for keys in ([0, 1], [2, 3], [4, 5], [6, 7]):
        three.record(keys, lambda: runs.append(1) or host.denoise(x, sigma, plain))
    assert len(runs) == 2 and three.has([0, 1, 2]) and not three.has([3])
    assert three.bytes == two.bytes * 3 // 2


def test_a_draw_that_comes_twice_is_kept_and_counted_once(host):
    site = host.sites()[-1]
    x, sigma, plain, _ = example(host)
    once = FrozenPrefix.find(host.stages(), site, 1 << 30)
    once.record([0, 1], lambda: host.denoise(x, sigma, plain))
    again = FrozenPrefix.find(host.stages(), site, once.bytes)
    for keys in ([0, 0], [0, 1], [1, 0]):
        assert again.record(keys, lambda: host.denoise(x, sigma, plain))
    assert again.bytes == once.bytes


def test_draws_of_other_sizes_keep_their_own_shapes(host):
    """Every layer of the prefix answers in the size of the draw that is asked for, not of the last one kept."""
    site = host.sites()[-1]
    prefix = FrozenPrefix.find(host.stages(), site, 1 << 30)
    x, sigma, plain, _ = example(host)
    prefix.record([0, 1], lambda: host.denoise(x, sigma, plain))
    prefix.record([2, 3], lambda: host.denoise(x.transpose(2, 3).contiguous(), sigma, plain))
    seen = []
    first = host.stages()[0].layers[0]
    with prefix.replay([0, 1], host.device):
        seen.append(first(x).shape)
    with prefix.replay([2, 3], host.device):
        seen.append(first(x).shape)
    assert seen[0][-2:] == x.shape[-2:] and seen[1][-2:] == x.shape[-2:][::-1]


def test_no_prefix_before_the_first_site_or_without_stages(host):
    if host.sites()[0].scale == 1:  # SDXL has a level without text before its first site
        assert FrozenPrefix.find(host.stages(), host.sites()[0], 1 << 30) is None
    assert FrozenPrefix.find(None, host.sites()[-1], 1 << 30) is None
    assert cut_at(host.stages(), host.sites()[-1])[0] > 1


def test_nothing_stays_after_an_exception(host):
    site = host.sites()[-1]
    x, sigma, plain, _ = example(host)
    with torch.no_grad():
        before = host.denoise(x, sigma, plain)
    prefix = FrozenPrefix.find(host.stages(), site, 1 << 30)

    def fails():
        host.denoise(x, sigma, plain)
        raise MemoryError

    assert prefix.record([0, 1], lambda: host.denoise(x, sigma, plain))
    with pytest.raises(MemoryError), prefix.replay([0, 1], host.device):
        fails()
    modules = list(host.pipe.unet.modules())
    assert not [m for m in modules if m._forward_hooks or m._forward_pre_hooks or "forward" in vars(m)]
    with torch.no_grad():
        assert torch.equal(before, host.denoise(x, sigma, plain))
