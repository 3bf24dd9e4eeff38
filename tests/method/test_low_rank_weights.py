"""Low-rank weights: where they act, what they leave alone, and that they learn."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from quick import quick, reference
from tiny import tiny_pipe

from seal_core.concept.concept import LowRank
from seal_core.concept.low_rank import added, layers_named, linear_layers
from seal_core.concept.settings import Layers, LowRankSpec, Tokens
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.messages import SealError
from seal_core.method.attention import tap
from seal_core.method.low_rank_weights import LowRankWeights
from seal_core.method.training import Training, train


@pytest.fixture(scope="module")
def host():
    return DiffusersHost(tiny_pipe("sd1"))


def low_rank(**changes):
    values = {"layers": Layers("up"), "weights": LowRankSpec(2), "weights_rate": 0.01, "pool": 4, **changes}
    return quick("textual_inversion", **values)


def test_they_start_as_nothing_and_learn(host):
    config = low_rank(steps=30, tokens=Tokens("<x>", "cat", split=1, context_token=False))
    result = train(host, [reference()], config)
    alone = train(host, [reference()], replace(config, weights=LowRankSpec()))
    assert result.losses[0] == alone.losses[0], "up starts at zero"
    assert sum(result.losses[-8:]) < sum(alone.losses[-8:])
    assert all(pair.up.abs().max() > 0 for pair in result.concept.weights.values())
    assert not alone.concept.weights


def test_they_are_in_the_allowed_sites_blocks_and_the_model_stays_as_it_was(host):
    before = {n: t.clone() for n, t in host.unet.state_dict().items()}
    result = train(
        host, [reference()], low_rank(steps=2, layers=Layers("up.1"), weights=LowRankSpec(2, parts="kv, ff"))
    )
    [block] = [s.path for s in host.sites() if s.name == "up.1"]
    assert set(result.concept.weights) == {
        f"{block}.{name}" for name in ("attn2.to_k", "attn2.to_v", "ff.net.0.proj", "ff.net.2")
    }
    assert all(torch.equal(t, before[n]) for n, t in host.unet.state_dict().items())
    assert not any(m._forward_hooks for m in host.unet.modules())


def test_replaying_the_prefix_changes_nothing(host):
    replayed = Training(host, [reference()], low_rank(steps=6))
    assert replayed.step.prefix is not None
    one = replayed.run()
    other = train(host, [reference()], low_rank(steps=6, pool_bytes=0))
    assert one.losses == other.losses
    assert all(torch.equal(w.up, other.concept.weights[n].up) for n, w in one.concept.weights.items())


def test_locality_keeps_what_the_class_word_gives(host):
    """Trained alike, the weights hardly move a prompt without the concept any more."""
    free = low_rank(steps=60, weights_rate=0.03, tokens=Tokens("<x>", "cat", split=1, context_token=False))

    def moved(config):
        run = Training(host, [reference()], config)
        run.run()
        batch = run.examples.next(4)
        plain = run.step.plain(batch.prompts)
        learned = run.learned.encode(batch.prompts, plain)
        weights, run.step.weights = run.step.weights, LowRankWeights([], LowRankSpec(), torch.Generator(), host.device)

        def both():
            return host.denoise(batch.latents, batch.sigma, plain), run.step.denoise(batch, plain, learned, None)

        with torch.no_grad():
            before = both()
            with weights.applied():
                now = both()
        return [float((one - other).square().mean()) for one, other in zip(now, before)]

    loose, kept = moved(free), moved(replace(free, weights_locality=40.0))
    assert kept[0] < 0.05 * loose[0]


def test_locality_is_the_same_with_and_without_the_prefix(host):
    config = low_rank(steps=6, weights_locality=10.0)
    one, other = (train(host, [reference()], c) for c in (config, replace(config, pool_bytes=0)))
    assert one.losses == other.losses


def test_what_the_class_word_gave_is_computed_once_an_example(host, monkeypatch):
    passes = {"with gradient": 0, "without": 0}
    denoise = host.denoise

    def counted(*args):
        passes["with gradient" if torch.is_grad_enabled() else "without"] += 1
        return denoise(*args)

    monkeypatch.setattr(host, "denoise", counted)
    for pool_bytes in (1 << 30, 0):  # without room nothing is kept
        run = Training(host, [reference()], low_rank(pool=6, pool_bytes=pool_bytes, weights_locality=10.0))
        run.step.prefix = None  # its recording pass would count as well
        passes.update(dict.fromkeys(passes, 0))
        asked = []
        for _ in range(18):
            batch = run.examples.next(1)
            asked += [key for key, e in zip(batch.keys, batch.examples, strict=True) if e.timestep % 3 == 0]
            run.step.loss(batch)
        assert len(asked) > len(set(asked)) > 0, "some draw came again"
        assert passes == {"with gradient": 18 + len(asked), "without": len(set(asked)) if pool_bytes else len(asked)}


def test_locality_asks_one_example_in_three_for_all(host):
    """Over all noise levels it is as large as if each were asked; one that none of a batch asks is nothing."""
    run = Training(host, [reference()], low_rank(steps=20, weights_rate=0.03, pool=0, weights_locality=1.0))
    run.run()
    drawn = run.examples.next(60).examples

    def locality(examples):
        with torch.no_grad():
            return float(run.step.terms(run.examples.batch(examples))["locality"])

    asked = [e for e in drawn if e.timestep % 3 == 0]
    others = [e for e in drawn if e.timestep % 3]
    assert locality(others[:8]) == 0 < locality(asked[:4])
    assert locality([*asked[:2], *others[:4]]) == pytest.approx(locality(asked[:2]) / 3, rel=1e-4)


def test_alpha_scales_what_counts_and_the_file_holds_the_product(host):
    sites = host.sites()[:1]
    generator = torch.Generator().manual_seed(0)
    weights = LowRankWeights(sites, LowRankSpec(4, alpha=2.0, parts="kv"), generator, host.device)
    down, up = weights.parameters()[:2]
    with torch.no_grad():
        up.normal_(generator=generator)
    pair = next(iter(weights.result().values()))
    assert torch.allclose(pair.up @ pair.down, 0.5 * up @ down)
    x = torch.randn(2, down.shape[1], generator=generator)
    layer = sites[0].module.to_k
    plain = layer(x)
    with weights.applied():
        assert torch.allclose(layer(x), plain + x @ (pair.up @ pair.down).T, atol=1e-5)
    for kept in (1.0, 0.4):
        again = LowRankWeights(sites, LowRankSpec(4, alpha=2.0, parts="kv", kept=kept), generator, host.device)
        again.start_from({n: LowRank(w.down, kept * w.up) for n, w in weights.result().items()})
        assert torch.allclose(next(iter(again.result().values())).up, kept * pair.up)
    assert torch.allclose(again.parameters()[1], up) and torch.equal(again.parameters()[0], down)


def test_attention_maps_are_those_of_the_changed_layers(host):
    site = host.sites()[0]
    layer = site.module.to_q
    down, up = torch.ones(1, layer.weight.shape[1]), torch.ones(layer.weight.shape[0], 1)
    x = torch.randn(1, 4, layer.weight.shape[1])
    with tap([site]) as maps, added([(layer, down, up)]):  # tap came first, and yet sees the sum
        out = layer(x)
    assert torch.equal(maps._queries[site.name], out)


def test_weights_of_another_kind_of_model_are_refused(host):
    names = list(linear_layers(host.sites(), ("attn2",)))
    assert layers_named(host.sites(), names[:2])
    with pytest.raises(SealError, match="kind of model that it was trained on"):
        layers_named(host.sites(), [*names, "down_blocks.9.attentions.0.transformer_blocks.0.attn2.to_q"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rank": -1}, "rank"),
        ({"alpha": -1.0}, "alpha"),
        ({"parts": "attn3"}, "parts"),
        ({"parts": " "}, "parts"),
        ({"kept": 0.0}, "kept"),
    ],
)
def test_bad_settings(changes, told):
    with pytest.raises(SealError, match=told):
        LowRankSpec(**changes)


def test_settings_without_weights_keep_their_hash():
    config = quick("best_embedding")
    assert "weights" not in config.effective() and config.hash() == replace(config, weights_rate=0.5).hash()
    assert config.hash() != replace(config, weights=LowRankSpec(2)).hash()
