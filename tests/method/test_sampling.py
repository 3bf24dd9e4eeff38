"""Contexts of a learned concept, the noise schedule and the sampler."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny import tiny_pipe

from seal_core.concept.concept import Concept
from seal_core.concept.settings import Layers
from seal_core.hosts.base import Context, Family, Prompt
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.messages import SealError
from seal_core.method.sampling import RoutedContext, generate_context, sample, schedule, subject_prompt


@pytest.fixture(scope="module", params=["sd1", "sdxl"])
def host(request):
    return DiffusersHost(tiny_pipe(request.param))


def concept(host, count=2, **changes):
    generator = torch.Generator().manual_seed(0)
    vectors = {e: torch.randn(count, w, generator=generator) for e, w in host.family.widths}
    return replace(Concept("my-cat", "cat", vectors, host.family, file="my-cat-2"), **changes)


def tail(host, count=3):
    width = sum(w for _, w in host.family.widths)
    vectors = {"tail": torch.randn(count, width, generator=torch.Generator().manual_seed(0))}
    return concept(host, vectors=vectors, carrier="tail")


def draw(host, positive, steps=3, cfg=4.0, size=(64, 96), **more):
    generator = torch.Generator().manual_seed(3)
    negative = host.encode([Prompt("")], {})
    return sample(
        host, positive, negative, height=size[0], width=size[1], steps=steps, cfg=cfg, generator=generator, **more
    )


class Gaussian:
    """A host whose data are normally distributed: the ideal denoiser is known."""

    device = torch.device("cpu")
    sigmas = torch.logspace(-1.5, 1.2, 1000)
    spread = 0.5

    def add_noise(self, x_0, noise, sigma):
        return x_0 + sigma[:, None, None, None] * noise

    def denoise(self, x, sigma, context):
        return x * (self.spread**2 / (self.spread**2 + sigma**2))[:, None, None, None]


def test_euler_solves_the_ode():
    """With the ideal denoiser of N(0, s^2) the flow only scales the noise: by s / sqrt(s^2 + sigma_max^2)."""
    host, empty = Gaussian(), Context(torch.zeros(2, 1, 1))
    generator = torch.Generator().manual_seed(0)
    x = sample(host, empty, empty, height=64, width=64, steps=400, cfg=1.0, generator=generator)
    noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * host.sigmas[-1]
    scale = host.spread / (host.spread**2 + host.sigmas[-1] ** 2).sqrt()
    assert torch.allclose(x, noise * scale, rtol=0.05)


def test_euler_solves_the_flow_of_a_host_that_mixes_picture_and_noise():
    """Flow matching, x_t = (1 - s) x_0 + s n: all comes from noise at level 1, and N(0, spread^2) is met again."""

    class Flow(Gaussian):
        sigmas = torch.arange(1, 1001) / 1000

        def add_noise(self, x_0, noise, sigma):
            s = sigma[:, None, None, None]
            return (1 - s) * x_0 + s * noise

        def denoise(self, x, sigma, context):
            s = sigma[:, None, None, None]
            return x * (1 - s) * self.spread**2 / (((1 - s) * self.spread) ** 2 + s**2)

    host, empty = Flow(), Context(torch.zeros(2, 1, 1))
    generator = torch.Generator().manual_seed(0)
    x = sample(host, empty, empty, height=64, width=64, steps=400, cfg=1.0, generator=generator)
    noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(x, noise * host.spread, rtol=0.05)


def test_schedule():
    sigmas = torch.logspace(-1.5, 1.2, 1000)
    timesteps, levels = schedule(sigmas, 7)
    assert timesteps[0] == 999 and timesteps[-1] == 0 and levels[-1] == 0
    assert torch.allclose(levels[[0, 6]], sigmas[[999, 0]]) and (levels.diff() < 0).all()
    assert schedule(sigmas, 1)[1].tolist() == [sigmas[-1].item(), 0]
    with pytest.raises(SealError, match="steps: 0"):
        schedule(sigmas, 0)


def test_the_window_counts_from_the_noisiest():
    routed = RoutedContext(Context(torch.zeros(1)), Context(torch.zeros(1)), (), 0.2, 0.6)
    assert [routed.active(t, 1000) for t in (1000, 801, 800, 400, 399, 0)] == [False, False, True, True, False, False]


@pytest.mark.parametrize("name", ["my-cat", "embedding:my-cat-2", "embedding:my-cat-2.safetensors"])
def test_names_of_the_subject(host, name):
    assert subject_prompt(concept(host), f"a {name} jumping") == Prompt("a {concept} jumping")


@pytest.mark.parametrize("text", ["a cat jumping", "my-cats", "not-my-cat", "embedding:my-cat", "{}", ""])
def test_text_without_the_subject(host, text):
    with pytest.raises(SealError, match=r"prompt: .*my-cat"):
        subject_prompt(concept(host), text)


def test_contexts(host):
    learned = concept(host, layers=Layers("up.1, mid.0", 0.25, 0.75))
    made = generate_context(host, learned, "a sticker of my-cat, sleepy")
    plain = host.encode([Prompt("a sticker of cat, sleepy")], {})
    direct = host.encode([Prompt("a sticker of {concept}, sleepy")], {"concept": learned.vectors})
    assert torch.equal(made.plain.cross, plain.cross) and torch.equal(made.learned.cross, direct.cross)
    assert [s.name for s in made.sites] == ["mid.0", "up.1"]
    assert (made.start_percent, made.end_percent) == (0.25, 0.75)
    if plain.pooled is not None:  # the pooled vector would carry the token past the restriction
        assert torch.equal(made.learned.pooled, plain.pooled)


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), -1e6])
def test_a_strength_that_is_no_number(host, strength):
    with pytest.raises(SealError, match=r"^strength: "):
        generate_context(host, concept(host), "a my-cat", strength)


def test_strength_goes_from_class_word_to_learned(host):
    one = concept(host, 1)
    contexts = [generate_context(host, one, "a my-cat", s).learned.cross for s in (0.0, 1e-4, 1.0)]
    assert torch.equal(contexts[0], generate_context(host, one, "a my-cat").plain.cross)
    assert torch.allclose(contexts[0], contexts[1], atol=1e-2) and not torch.allclose(contexts[1], contexts[2])


def test_tail(host):
    one = tail(host)
    made = generate_context(host, one, "a my-cat")
    assert torch.equal(made.learned.cross[:, :-3], made.plain.cross[:, :-3])
    assert torch.allclose(made.learned.cross[0, -3:], 0.8 * one.vectors["tail"])
    with pytest.warns(UserWarning, match="learned tail"):
        generate_context(host, one, "my-cat " + "cat " * 73)


def test_another_family(host):
    with pytest.raises(SealError, match="embedding: my-cat was trained for sd1"):
        generate_context(host, concept(host, family=Family("sd1", (("clip_l", 768),))), "my-cat")


def test_same_seed_same_latents(host):
    made = generate_context(host, concept(host), "a my-cat")
    first, second = draw(host, made), draw(host, made)
    assert first.shape == (1, 4, 8, 12) and first.isfinite().all() and torch.equal(first, second)


def test_an_old_list_of_every_site_enters_everywhere(host):
    names = [s.name for s in host.sites()]
    for text in (", ".join(names), ", ".join([*names, "up.40"])):
        assert len(generate_context(host, concept(host, layers=Layers(text)), "my-cat").sites) == len(names)


def test_everywhere_equals_the_plain_embedding(host):
    """Routed to all sites at all times the sampler sees what the learned context alone gives."""
    made = generate_context(host, concept(host), "a my-cat")
    assert torch.allclose(draw(host, made), draw(host, made.learned), atol=1e-5)


def test_nowhere_equals_the_class_word(host):
    made = generate_context(host, concept(host), "a my-cat")
    nowhere = replace(made, sites=())
    never = replace(made, start_percent=0.3, end_percent=0.31)
    assert torch.equal(draw(host, nowhere), draw(host, made.plain))
    assert torch.equal(draw(host, never), draw(host, made.plain))
    assert not torch.equal(draw(host, made), draw(host, made.plain))


def test_guidance(host):
    """cfg 1 needs no negative; with the positive as the negative guidance changes nothing; rows are independent."""
    plain = host.encode([Prompt("a cat")], {})
    generator = torch.Generator().manual_seed(3)
    same = sample(host, plain, plain, height=64, width=96, steps=3, cfg=7.0, generator=generator)
    assert torch.allclose(same, draw(host, plain, cfg=1.0), atol=1e-4)
    two = draw(host, plain.rows([0, 0]))
    assert torch.allclose(two[:1], draw(host, plain), atol=1e-3) and not torch.allclose(two[0], two[1], atol=1)


def test_on_step_and_sizes(host):
    seen = []
    plain = host.encode([Prompt("a cat")], {})
    last = draw(host, plain, on_step=lambda step, steps, x0: seen.append((step, steps, x0)))
    assert [s[:2] for s in seen] == [(1, 3), (2, 3), (3, 3)]
    assert torch.allclose(seen[-1][2], last, atol=1e-5)  # the last step goes to x_0 itself
    with pytest.raises(SealError, match="size: 30 x 64"):
        draw(host, plain, size=(64, 30))


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_concept_guidance_goes_on_from_the_class_word_to_the_concept(host, cfg):
    """One step is linear in it, and it costs nothing where there is no concept or no window."""
    context = generate_context(host, concept(host), "a my-cat jumping")
    by_much = [draw(host, context, steps=1, cfg=cfg, concept_cfg=much) for much in (0.0, 1.0, 2.0)]
    assert not torch.allclose(by_much[0], by_much[1], atol=1e-4)
    assert torch.allclose(by_much[2] - by_much[1], by_much[1] - by_much[0], atol=1e-3)
    assert torch.equal(draw(host, context.plain, cfg=cfg, concept_cfg=2.0), draw(host, context.plain, cfg=cfg))
    never = replace(context, start_percent=0.99999, end_percent=0.99999)
    assert torch.equal(draw(host, never, cfg=cfg, concept_cfg=2.0), draw(host, never, cfg=cfg))
