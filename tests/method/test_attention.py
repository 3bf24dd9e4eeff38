"""Tap and route on real (tiny) U-Nets: maps are right, hooks do not change anything and do not stay."""

import pytest
import torch
from tiny import tiny_pipe

from seal_core.hosts.base import Context, Prompt, Site
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.method.attention import route, slot_positions, tap
from seal_core.method.sites import select


@pytest.fixture(scope="module")
def host():
    return DiffusersHost(tiny_pipe("sd1"))


def batch(host, count=2):
    g = torch.Generator().manual_seed(3)
    x = torch.randn(count, 4, 16, 8, generator=g)
    sigma = host.sigmas[[300, 700][:count]]
    with torch.no_grad():
        context = host.encode([Prompt("a sticker of cat"), Prompt("a beach")][:count], {})
    return x, sigma, context


class Fake(torch.nn.Module):
    """A module with queries and keys that the test chooses."""

    heads = 2

    def __init__(self):
        super().__init__()
        self.to_q, self.to_k = torch.nn.Identity(), torch.nn.Identity()


def test_probabilities_by_hand():
    site = Site("up", 0, 1, Fake())
    queries, keys = torch.zeros(1, 2, 4), torch.zeros(1, 3, 4)
    queries[0, 0] = torch.tensor([3.0, 0, 1, 0])
    keys[0, 2] = torch.tensor([2.0, 0, 5, 0])
    with tap([site]) as maps:
        site.module.to_q(queries)
        site.module.to_k(keys)
    scores = torch.tensor([[0, 0, 6.0], [0, 0, 5.0]]) / 2**0.5  # a row a head, 2 channels each
    expected = scores.softmax(-1).mean(0)
    assert torch.allclose(maps.probabilities(site)[0, 0], expected)
    assert torch.allclose(maps.probabilities(site)[0, 1], torch.full((3,), 1 / 3))
    assert torch.allclose(maps.token_maps([(1, 2)], 1, 2)[0, 0, 0], expected[1:].sum())


def test_maps_sum_to_one_over_all_tokens_and_follow_the_latents_shape(host):
    x, sigma, context = batch(host)
    sites = [s for s in host.sites() if s.scale == 2]
    with torch.no_grad(), tap(sites) as maps:
        host.denoise(x, sigma, context)
    everything = maps.token_maps([range(77)] * 2, 16, 8)
    assert everything.shape == (2, 8, 4)
    assert torch.allclose(everything, torch.ones_like(everything), atol=1e-5)


def test_tap_changes_nothing_and_stays_nowhere(host):
    x, sigma, context = batch(host)
    with torch.no_grad():
        before = host.denoise(x, sigma, context)
        with tap(host.sites()):
            inside = host.denoise(x, sigma, context)
        with pytest.raises(KeyError), tap(host.sites()), route(host.sites(), context.cross):
            raise KeyError
        after = host.denoise(x, sigma, context)
    assert torch.equal(before, inside) and torch.equal(before, after)
    hooks = [m for s in host.sites() for m in s.module.modules() if m._forward_hooks or m._forward_pre_hooks]
    assert hooks == []


def test_route_to_every_site_is_the_learned_context_itself(host):
    x, sigma, plain = batch(host)
    learned = Context(plain.cross.flip(0), None)
    with torch.no_grad():
        expected = host.denoise(x, sigma, learned)
        with route(host.sites(), learned.cross):
            got = host.denoise(x, sigma, plain)
        with route([], learned.cross):
            nothing = host.denoise(x, sigma, plain)
        untouched = host.denoise(x, sigma, plain)
    assert torch.equal(got, expected)
    assert torch.equal(nothing, untouched)
    assert not torch.equal(got, untouched)


def test_only_allowed_sites_see_the_learned_context(host):
    x, sigma, plain = batch(host)
    learned = plain.cross + 1
    seen = {}
    hooks = [
        s.module.to_k.register_forward_hook(lambda m, args, out, name=s.name: seen.__setitem__(name, args[0].clone()))
        for s in host.sites()
    ]
    allowed = select(["up.0", "down.1"], host.sites())
    with torch.no_grad(), route(allowed, learned):
        host.denoise(x, sigma, plain)
    for h in hooks:
        h.remove()
    for name, context in seen.items():
        assert torch.equal(context, learned if name in ("up.0", "down.1") else plain.cross), name


def test_gradients_flow_through_maps(host):
    x, sigma, plain = batch(host)
    learned = plain.cross.clone().requires_grad_()
    sites = [s for s in host.sites() if s.scale == 2]
    with tap(sites) as maps, route(sites, learned):
        host.denoise(x, sigma, plain)
    (gradient,) = torch.autograd.grad(maps.token_maps([(3,), (2, 4)], 16, 8).sum(), learned)
    assert gradient[0].abs().sum() > 0 and gradient[1].abs().sum() > 0


def test_slot_positions():
    rows = ({"concept0": (4, 5), "background": (7,)}, {"concept3": (2,)})
    assert slot_positions(rows, "concept") == [(4, 5), (2,)]
    assert slot_positions(rows, "background") == [(7,), ()]
