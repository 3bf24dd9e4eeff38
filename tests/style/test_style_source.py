import pytest
import torch
from style_kit import halves
from tiny_host import SIZE, small_host

from seal_core.concept.settings import Layers
from seal_core.hosts.base import Prompt
from seal_core.messages import SealError
from seal_core.method.sampling import RoutedContext, sample
from seal_core.style.style_source import StyledHost, StyleSource, in_style, with_reference


@pytest.fixture(scope="module")
def host():
    return small_host()


@pytest.fixture(scope="module")
def latents(host):
    return host.encode_image(halves(size=SIZE)[None])


def drawn(host, source=None, cfg=3.0, seed=1):
    null, prompt = (host.encode([Prompt(text)], {}) for text in ("", "a sticker of a cat"))
    artist = StyledHost(host, source, null) if source else host
    generator = torch.Generator().manual_seed(seed)
    return sample(artist, prompt, null, height=SIZE, width=SIZE, steps=4, cfg=cfg, generator=generator)


def test_a_style_changes_what_is_drawn_and_nothing_stays_behind(host, latents):
    plain = drawn(host)
    styled = drawn(host, StyleSource((latents,), (None,)))
    assert not torch.allclose(plain, styled) and torch.isfinite(styled).all()
    assert torch.equal(styled, drawn(host, StyleSource((latents,), (None,))))
    assert torch.equal(plain, drawn(host))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in host.unet.modules())


def test_no_strength_or_no_time_is_no_style(host, latents):
    plain = drawn(host)
    assert torch.allclose(plain, drawn(host, StyleSource((latents,), (None,), strength=0.0)), atol=1e-5)
    never = StyleSource((latents,), (None,), layers=Layers("up", 0.9999, 1.0))
    late = StyleSource((latents,), (None,), layers=Layers("up", 0.5, 1.0))
    assert torch.equal(plain, drawn(host, never)) and not torch.allclose(plain, drawn(host, late))


def test_places_that_are_masked_out_or_not_asked_for_do_not_take_part(host, latents):
    mask = torch.zeros(SIZE, SIZE)
    mask[:, : SIZE // 2] = 1
    assert not torch.allclose(
        drawn(host, StyleSource((latents,), (mask,))), drawn(host, StyleSource((latents,), (1 - mask,)))
    )
    source, null = StyleSource((latents,), (None,)), host.encode([Prompt("")], {})
    x, sigma = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)), host.sigmas[[300]]
    before = host.denoise(x, sigma, null)
    runs = [lambda: host.denoise(latents, sigma, null)]
    with in_style(source, host.sites(), runs, torch.zeros(8, 8)):
        assert torch.equal(host.denoise(x, sigma, null), before)
    with in_style(source, host.sites(), runs, torch.ones(8, 8)):
        assert not torch.allclose(host.denoise(x, sigma, null), before)


def test_beside_its_own_places_a_drawing_of_the_reference_finds_itself(host, latents):
    """Looking at its own places twice changes nothing; looking at another picture's does, but less than at it alone."""
    null = host.encode([Prompt("")], {})
    sigma = host.sigmas[[300]]
    x = host.add_noise(latents, torch.randn(latents.shape, generator=torch.Generator().manual_seed(0)), sigma)
    own = host.denoise(x, sigma, null)

    def seen(source, picture, rows=None):
        with in_style(source, host.sites(), [lambda: host.denoise(picture, sigma, null)], rows=rows):
            return host.denoise(x, sigma, null)

    beside = StyleSource((latents,), (None,), beside=True)
    assert torch.allclose(seen(beside, x), own, atol=1e-5)
    other = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
    both, alone = seen(beside, other), seen(StyleSource((latents,), (None,)), other)
    assert 1e-4 < float((both - own).abs().mean()) < float((alone - own).abs().mean())
    assert torch.equal(seen(beside, other, torch.zeros(1)), own), "a row that does not look"


def test_a_learned_concept_is_drawn_with_its_sticker_in_sight(host):
    """Its routing is for what is drawn: the reference's passes are over before, and have rows of their own."""
    sticker, mask = halves(size=SIZE), torch.ones(SIZE, SIZE)
    null, word, learned = (host.encode([Prompt(text)] * 2, {}) for text in ("", "a cat", "a dog"))
    routed = RoutedContext(learned, word, tuple(host.sites()))

    def drawn_by(artist):
        generator = torch.Generator().manual_seed(1)
        return sample(artist, routed, null, height=SIZE, width=SIZE, steps=4, cfg=3.0, generator=generator)

    own, seen = drawn_by(host), drawn_by(with_reference(host, sticker, mask, 4))
    assert torch.isfinite(seen).all() and not torch.allclose(own, seen)
    assert torch.allclose(own, drawn_by(with_reference(host, sticker, mask, 4, 0.0)), atol=1e-5)


def test_several_style_pictures_of_any_size(host, latents):
    wide = host.encode_image(halves(size=2 * SIZE)[None, :SIZE])
    both = StyleSource((latents, wide), (None, None))
    assert torch.isfinite(drawn(host, both)).all()
    assert not torch.allclose(drawn(host, both), drawn(host, StyleSource((latents,), (None,))))


def test_bad_settings_are_refused(host, latents):
    with pytest.raises(SealError, match="strength"):
        StyleSource((latents,), (None,), strength=2.0)
    with pytest.raises(SealError, match="layers"):
        drawn(host, StyleSource((latents,), (None,), layers=Layers("up.99")))
