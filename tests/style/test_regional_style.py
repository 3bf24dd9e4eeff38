from dataclasses import replace

import numpy as np
import pytest
import torch
from style_kit import halves, made_regions
from tiny_host import SIZE, small_host

from seal_core.hosts.base import Prompt
from seal_core.messages import SealError
from seal_core.method.sites import parse_sites, select
from seal_core.style.matching import Pair, Pairs
from seal_core.style.own_colours import in_own_colours, transferred
from seal_core.style.pictures_to_regions import RegionSettings, regions_of
from seal_core.style.previews import in_one_batch, pairs_preview, region_colour, regions_preview
from seal_core.style.regional_style import RestyleSettings, restyle
from seal_core.style.style_attention import attend, attend_to_zeros, self_attention_tap

FEW = RegionSettings(most=3, steps=3)


@pytest.fixture(scope="module")
def host():
    return small_host()


@pytest.fixture(scope="module")
def null(host):
    return host.encode([Prompt("")], {})


@pytest.fixture(scope="module")
def pairs(host):
    mask = torch.zeros(SIZE, SIZE)
    mask[:, : SIZE // 2] = 1
    content, style = (
        regions_of(host, image[None], mask, FEW)[0]
        for image in (halves(size=SIZE), halves((0.2, 0.8, 0.2), (0.9, 0.9, 0.1), SIZE))
    )
    chosen = [Pair(i, 0, style.inside.index(inside)) for i, inside in enumerate(content.inside)]
    return Pairs(content, (style,), tuple(chosen))


def test_regions_of_pictures_have_the_models_sizes_and_report_progress(host):
    told = []
    image = torch.rand(2, 96, 48, 4, generator=torch.Generator().manual_seed(0))
    image[..., 3] = 0
    image[:, 20:60, 10:30, 3] = 1
    found = regions_of(host, image, None, FEW, lambda done, total: told.append((done, total)))
    assert told == [(i, 6) for i in range(1, 7)]
    assert [tuple(r.image.shape) for r in found] == [(64, 64, 3)] * 2  # 64 x 32 rounded to multiples of 64
    assert all(r.latents.shape == (1, 4, 8, 8) and True in r.inside for r in found)
    again = regions_of(host, image, None, FEW)
    assert all((a.labels == b.labels).all() for a, b in zip(found, again))


def style_distance(host, null, pairs, latents) -> float:
    """How far the self-attentions of a picture lie from what they would find in the style, at a middle level."""
    sites = select(parse_sites("appearance", host.sites()), host.sites())
    sigma = host.sigmas[[500]]
    seen = []
    with torch.no_grad():
        for x in (latents, pairs.styles[0].latents):
            with self_attention_tap(sites) as tapped:
                host.denoise(x * (1 + sigma**2).sqrt(), sigma, null)
            seen.append(tapped)
    own, style = seen
    return sum(
        float((attend(s, own[s.name].q, own[s.name].k, own[s.name].v)
               - attend(s, own[s.name].q, style[s.name].k, style[s.name].v)).abs().mean())
        for s in sites
    )  # fmt: skip


def test_restyling_nears_the_style_and_leaves_the_model_alone(host, null, pairs):
    weights = {k: v.clone() for k, v in host.unet.state_dict().items()}
    seen = []
    found = restyle(host, pairs, null, RestyleSettings(steps=20), lambda step, steps, x: seen.append((step, steps)))
    assert seen == [(i, 20) for i in range(1, 21)] and found.shape == pairs.content.latents.shape
    assert style_distance(host, null, pairs, found) < 0.9 * style_distance(host, null, pairs, pairs.content.latents)
    assert all((v == weights[k]).all() for k, v in host.unet.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in host.unet.modules())
    again = restyle(host, pairs, null, RestyleSettings(steps=20))
    assert torch.equal(found, again)


def test_without_strength_or_pairs_the_picture_stays(host, null, pairs):
    assert torch.equal(restyle(host, pairs, null, RestyleSettings(steps=3, strength=0)), pairs.content.latents)
    alone = replace(pairs, pairs=tuple(Pair(p.region, None) for p in pairs.pairs))
    assert torch.equal(restyle(host, alone, null, RestyleSettings(steps=3)), pairs.content.latents)


def test_regions_take_from_their_own_source_only(host, null, pairs):
    """A style picture that changes where nobody looks changes nothing; without regions it does."""
    inside = pairs.styles[0].inside
    only = replace(pairs, pairs=tuple(Pair(p.region, 0, inside.index(True)) for p in pairs.pairs))
    settings = RestyleSettings(steps=2)
    # Keys and values change everywhere with a picture, so the change is made in what was recorded of it.
    site = select(parse_sites("appearance", host.sites()), host.sites())[0]
    with self_attention_tap([site]) as seen, torch.no_grad():
        host.denoise(pairs.styles[0].latents, host.sigmas[[500]], null)
    q, k, v = (getattr(seen[site.name], n) for n in "qkv")
    at = pairs.styles[0].at(*site.map_size(8, 8))
    source = inside.index(True)
    allowed = (at == source)[None].expand(len(at), -1)
    changed = torch.where((at == source)[None, :, None], v, v + 5)
    assert torch.equal(attend(site, q, k, v, allowed), attend(site, q, k, changed, allowed))
    assert not torch.allclose(attend(site, q, k, v), attend(site, q, k, changed))
    regional, anywhere = (restyle(host, only, null, replace(settings, regional=r)) for r in (True, False))
    assert not torch.allclose(regional, anywhere)


def test_attention_to_zeros_is_attention_times_the_share_that_stays(host, null, pairs):
    """The published form: what is hidden keeps its weight in the softmax, with a score and a value of 0."""
    site = select(parse_sites("appearance", host.sites()), host.sites())[0]
    with self_attention_tap([site]) as seen, torch.no_grad():
        host.denoise(pairs.styles[0].latents, host.sigmas[[500]], null)
    q, k, v = (getattr(seen[site.name], n) for n in "qkv")
    at = torch.arange(q.shape[1]) % 2
    allowed = at[:, None] == at[None]
    heads = site.block.attn1.heads
    scores, values = (q[0].unflatten(1, (heads, -1)), k[0].unflatten(1, (heads, -1))), v[0].unflatten(1, (heads, -1))
    weights = torch.einsum("phc,khc->hpk", *scores) / (q.shape[2] // heads) ** 0.5
    shares = (weights * allowed).softmax(dim=2) * allowed
    expected = torch.einsum("hpk,khc->phc", shares, values).flatten(1)
    found = attend_to_zeros(site, q, k, v, allowed)
    assert torch.allclose(found[0], expected, atol=1e-5)
    assert float(shares.sum(2).mean()) < 0.9 and not torch.allclose(found, attend(site, q, k, v, allowed), atol=1e-4)
    assert torch.allclose(attend_to_zeros(site, q, k, v, torch.ones_like(allowed)), attend(site, q, k, v), atol=1e-5)


def test_baselines_are_settings_and_go_downhill_too(host, null, pairs):
    def gram_distance(latents):
        site = select(parse_sites("appearance", host.sites()), host.sites())[0]
        grams = []
        for x in (latents, pairs.styles[0].latents):
            with self_attention_tap([site]) as seen, torch.no_grad():
                host.denoise(x * (1 + host.sigmas[500] ** 2).sqrt(), host.sigmas[[500]], null)
            grams.append(seen[site.name].v.transpose(1, 2) @ seen[site.name].v)
        return float((grams[0] - grams[1]).abs().mean())

    found = {t: restyle(host, pairs, null, RestyleSettings(steps=20, target=t)) for t in ("attention", "zeros", "gram")}
    assert gram_distance(found["gram"]) < 0.9 * gram_distance(pairs.content.latents)
    assert not torch.allclose(found["zeros"], found["attention"]) and not torch.allclose(found["gram"], found["zeros"])
    still = restyle(host, pairs, null, RestyleSettings(steps=3, strength=0, target="gram"))
    assert torch.allclose(still, pairs.content.latents, atol=1e-4)


def test_cancel_leaves_nothing_behind(host, null, pairs):
    def stop(step, steps, latents):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restyle(host, pairs, null, RestyleSettings(steps=5), stop)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in host.unet.modules())


@pytest.mark.parametrize(
    ("setting", "value"), [("steps", 0), ("strength", 1.5), ("content_weight", -1), ("target", "lpips")]
)
def test_settings_out_of_range_are_refused(setting, value):
    with pytest.raises(SealError, match=setting):
        RestyleSettings(**{setting: value})


def test_colours_take_mean_and_spread_and_flat_ones_are_not_amplified():
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(500, 3)) @ np.array([[0.3, 0.1, 0], [0, 0.2, 0.1], [0, 0, 0.3]]) + 0.5
    wanted = rng.normal(size=(400, 3)) * [0.4, 0.3, 0.2] + [0.2, 0.5, 0.7]
    moved = transferred(mixed, wanted)
    assert np.allclose(moved.mean(0), wanted.mean(0)) and np.allclose(np.cov(moved.T), np.cov(wanted.T), atol=0.02)
    flat = 0.5 + 0.002 * rng.normal(size=(500, 3))
    assert transferred(flat, wanted).std(0).max() < 0.02


def test_own_colours_make_the_style_picture_as_the_content(host, pairs):
    same = in_own_colours(pairs, host.encode_image)
    for pair in pairs.pairs:
        own = pairs.content.image[torch.from_numpy(pixels(pairs.content) == pair.region)].mean(0)
        there = pixels(pairs.styles[0]) == pair.source
        assert torch.allclose(same.styles[0].image[torch.from_numpy(there)].mean(0), own, atol=0.03)
    assert not torch.equal(same.styles[0].latents, pairs.styles[0].latents)


def pixels(regions):
    return regions.at_pixels().numpy()


def test_previews_show_regions_in_their_colours():
    regions = made_regions([[0, 0, 1, 1]] * 4, [[1.0, 0], [0, 1.0]])
    shown = regions_preview(regions)
    assert shown.shape == (64, 64, 3)
    for x, number in ((4, 0), (60, 1)):
        expected = 0.6 * torch.tensor(region_colour(number))
        assert torch.allclose(shown[60, x] - 0.4 * regions.image[60, x].mean(), expected, atol=0.02)
    sheet = pairs_preview(Pairs(regions, (regions,), (Pair(0, 0, 1), Pair(1, None))))
    assert sheet.shape == (64, 128, 3)
    assert torch.allclose(
        sheet[60, 4] - 0.4 * regions.image[60, 4].mean(), 0.6 * torch.tensor(region_colour(0)), atol=0.02
    )
    both = in_one_batch([sheet, regions_preview(regions)])
    assert both.shape == (2, 64, 128, 3) and torch.equal(both[0], sheet) and bool((both[1, :, 64:] == 1).all())
    grey = sheet[60, 60]
    assert float(grey.max() - grey.min()) < 0.01
