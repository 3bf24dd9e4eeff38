"""Gradient checkpointing: the same gradients, fewer saved bytes, nothing recorded twice, nothing left behind."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from activation_memory import saved
from quick import quick, reference
from tiny import tiny_pipe

from seal_core.concept.settings import Layers, LowRankSpec, Tokens
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.messages import SealError
from seal_core.method import checkpointing
from seal_core.method.attention import tap
from seal_core.method.config import TrainConfig
from seal_core.method.training import Training, train


@pytest.fixture(scope="module", params=["sd1", "sdxl"])
def host(request):
    return DiffusersHost(tiny_pipe(request.param))


def full(**changes):
    """Every term of the loss, tokens and weights."""
    values = {
        "layers": Layers("up"),
        "weights": LowRankSpec(2, parts="attn2, attn1, ff"),
        "weights_locality": 10.0,
        "tokens": Tokens("<x>", "cat", split=2),
        "contrast_weight": 0.1,
        "pool": 2,
        **changes,
    }
    return quick("paper", **values)


def started(host, config):
    """A training whose weights have moved a little: at first their gradient is zero for one of the factors."""
    run = Training(host, [reference()], config)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for tensor in run.step.weights.parameters():
            tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
    return run


def gradients(host, config, steps=3):
    """Of every learned tensor and step; the replayed pool is full from the second step on."""
    run, found = started(host, config), []
    moved = [*run.learned.parameters(), *run.step.weights.parameters()]
    for _ in range(steps):
        loss, terms = run.step.loss(run.examples.next(1))
        found.append((terms, torch.autograd.grad(loss, moved)))
    return found


@pytest.mark.parametrize("sites", ["up", "all"])
@pytest.mark.parametrize("pool", [0, 2])
def test_the_gradients_are_the_same_to_the_last_bit(host, sites, pool):
    config = full(layers=Layers(sites), pool=pool)
    whole, again = (gradients(host, replace(config, checkpointing=mode)) for mode in ("off", "on"))
    for (terms, one), (same_terms, other) in zip(whole, again, strict=True):
        assert terms == same_terms and set(terms) == {"denoising", "attention", "locality", "contrast"}
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
        assert all(float(a.abs().max()) > 0 for a in one)


def test_the_same_is_learned_and_saved(host):
    one, other = (train(host, [reference()], full(checkpointing=mode)) for mode in ("off", "on"))
    assert one.losses == other.losses
    assert one.report == other.report, "no more than the seconds may tell"
    assert all(torch.equal(w.up, other.concept.weights[n].up) for n, w in one.concept.weights.items())
    assert full().hash() == full(checkpointing="on").hash()
    assert "checkpointing" not in TrainConfig().effective()


@pytest.mark.parametrize("sites", ["up", "all"])
def test_fewer_bytes_are_saved(host, sites):
    kept = {}
    for mode in ("off", "on"):
        run = started(host, full(layers=Layers(sites), checkpointing=mode))
        weights = [*host.unet.parameters(), *(p for e in host._encoders for p in e.model.parameters())]
        with saved(weights, checkpointing) as counted:
            run.step.loss(run.examples.next(1))
        kept[mode] = counted.bytes
    assert kept["on"] < 0.5 * kept["off"], kept


def test_blocks_run_again_on_what_they_read_and_maps_are_recorded_once(host):
    run = started(host, full(checkpointing="on", weights_locality=0.0))
    site = run.step.watched[0]
    batch = run.examples.next(1)
    learned = run.learned.encode(batch.prompts, run.step.plain(batch.prompts))
    read = []
    handle = site.module.to_k.register_forward_pre_hook(lambda module, args: read.append(args[0].detach()))
    with tap([site]) as maps:
        x_0 = run.step.denoise(batch, run.step.plain(batch.prompts), learned, None)
    first = maps.probabilities(site), maps._queries[site.name]
    (x_0.square().mean() + maps.probabilities(site)[..., 1].mean()).backward()
    handle.remove()
    assert len(read) == 2, "once in the pass, once in backward"
    assert maps._queries[site.name] is first[1] and torch.equal(maps.probabilities(site), first[0])
    assert all(float(t.grad.abs().max()) > 0 for t in run.learned.parameters() if t.grad is not None)


def test_the_model_stays_as_it_was_also_after_an_exception(host):
    flags = {n: p.requires_grad for n, p in host.unet.named_parameters()}
    assert any(flags.values()), "a pipeline's weights may ask for gradients"
    modules = [*host.unet.modules(), *(m for e in host._encoders for m in e.model.modules())]

    def left():
        return [(len(m._forward_hooks), len(m._forward_pre_hooks), "forward" in vars(m)) for m in modules]

    train(host, [reference()], full(steps=1))  # transformers' own hooks come with the first pass
    run = started(host, full(checkpointing="on"))
    before = left()
    loss, _ = run.step.loss(run.examples.next(1))
    fails = run.step.allowed[0].block.attn1.to_q.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        loss.backward()
    fails.remove()
    run.step.loss(run.examples.next(1))[0].backward()
    assert left() == before and not any(replaced for *_, replaced in before)
    assert {n: p.requires_grad for n, p in host.unet.named_parameters()} == flags
    assert all(p.grad is None for p in host.unet.parameters())


def test_only_the_tail_runs_twice_and_only_for_a_gradient(host):
    run = started(host, full(checkpointing="on", pool=0, weights_locality=0.0))
    batch, ran = run.examples.next(1), []
    sites = host.sites()
    handles = [s.block.register_forward_hook(lambda *_, n=s.name: ran.append(n)) for s in sites]
    inner = [s.block.attn1.to_q.register_forward_hook(lambda *_, n=s.name: ran.append(f"{n} q")) for s in sites]
    with torch.no_grad():
        run.step.loss(batch)
    once = list(ran)
    ran.clear()
    run.step.loss(batch)[0].backward()
    for handle in (*handles, *inner):
        handle.remove()
    assert sorted(once) == sorted(name for s in sites for name in (s.name, f"{s.name} q"))
    twice = {s.name for s in sites if ran.count(f"{s.name} q") == 2}
    assert twice == {s.name for s in run.step.allowed} == {s.name for s in sites if s.part == "up"}


@pytest.mark.parametrize(("spare", "wanted"), [(None, False), (1 << 40, False), (1 << 10, True)])
def test_auto_goes_by_the_memory_that_is_spare(host, monkeypatch, spare, wanted):
    asked = []
    monkeypatch.setattr(host, "spare_memory", lambda: asked.append(1) or spare)
    run = started(host, full())
    for _ in range(2):
        run.step.loss(run.examples.next(1))[0].backward()
    latents = run.examples.next(1).latents
    assert run.step.checkpointing.wanted(latents) is wanted
    assert len(asked) == 1, "later steps take what earlier ones left in torch's hands"


def test_an_unknown_mode_is_refused():
    with pytest.raises(SealError, match="checkpointing"):
        TrainConfig(checkpointing="sometimes")
