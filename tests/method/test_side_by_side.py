"""Trainings side by side: each learns what it would alone, none sees another, and none stops another."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from quick import quick, reference
from tiny import tiny_pipe

from seal_core.concept.settings import LowRankSpec
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.messages import SealError, collected_notices, notify_user
from seal_core.method.config import TrainConfig
from seal_core.method.passes import Passes
from seal_core.method.references import Reference
from seal_core.method.results import StopTraining, TrainResult
from seal_core.method.side_by_side import side_by_side
from seal_core.method.training import Training, train

pytestmark = pytest.mark.usefixtures("few_words")
ROUNDING = 2e-5
"""float32, other kernels for other batches; see `seal_core.method.passes`."""


@pytest.fixture(scope="module")
def host():
    return DiffusersHost(tiny_pipe("sd1"))


def three(preset: str, **changes: Any) -> list[tuple[Reference, TrainConfig]]:
    """Other pictures, masks, class words, lengths of prompts and seeds."""
    found = []
    said = ((), (("emotion", "sleepy"),), (("background", "beach"), ("emotion", "sleepy")))
    for place, (word, attributes) in enumerate(zip(("cat", "dog", "cute cat"), said, strict=True)):
        config = quick(preset, seed=place, attributes=attributes, **changes)
        picture = reference(seed=place)
        mask = picture.mask.roll(8 * place, 1)
        tokens = dataclasses.replace(config.tokens, class_word=word)
        found.append((Reference(picture.image, mask), dataclasses.replace(config, tokens=tokens)))
    return found


def work(host, given: tuple[Reference, TrainConfig], callback=None) -> Callable[[Passes], TrainResult]:
    return lambda passes: train(host, [given[0]], given[1], callback, passes=passes)


def settled(host, given: tuple[Reference, TrainConfig], callback=None) -> Callable[[Passes], Any]:
    """A work that returns its failure."""

    def attempt(passes: Passes) -> Any:
        try:
            return work(host, given, callback)(passes)
        except Exception as error:
            return error

    return attempt


def same(one: TrainResult, other: TrainResult) -> None:
    assert one.losses == pytest.approx(other.losses, rel=ROUNDING)
    words, also = one.report["described"], other.report["described"]
    assert (words and words["text"]) == (also and also["text"]) and one.merged_at == other.merged_at
    for name, vectors in one.concept.vectors.items():
        assert torch.cosine_similarity(vectors, other.concept.vectors[name]).min() > 0.9999
    assert one.concept.weights.keys() == other.concept.weights.keys()


def test_each_sees_what_it_would_see_alone(host):
    given = three("best", sees=True, describe_draws=4, steps=2)
    together = side_by_side(host, [work(host, one) for one in given])
    for one, alone in zip(together, (work(host, one)(Passes(host)) for one in given), strict=True):
        same(one, alone)
        assert one.report["seen"]["attributes"] == alone.report["seen"]["attributes"]
    looked_for = [set(one.report["seen"]["parts"]) for one in together]
    assert looked_for == [{"background", "action", "emotion"}, {"background", "action"}, {"action"}]


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
@pytest.mark.parametrize("checkpointing", ["off", "on"])
def test_every_gradient_is_the_one_of_a_training_alone(kind, checkpointing):
    """All terms of the loss, tokens and low-rank weights; the third step replays the prefix."""
    host = DiffusersHost(tiny_pipe(kind))
    given = three("best", contrast_weight=0.1, weights=LowRankSpec(2, parts="attn2, attn1, ff"), pool=2)

    def gradients(passes: Passes, place: int) -> list[tuple[float, list[torch.Tensor]]]:
        reference, config = given[place]
        config = dataclasses.replace(config, batch_size=place + 1, checkpointing=checkpointing)
        run = Training(host, [reference], config, passes=passes)
        moved = [*run.learned.parameters(), *run.step.weights.parameters()]
        generator, found = torch.Generator().manual_seed(3), []
        with torch.no_grad():
            for tensor in run.step.weights.parameters():
                tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
        for _ in range(3):
            loss, _ = run.step.loss(run.examples.next(config.batch_size))
            run.step.passes.backward(loss)
            found.append((loss.item(), [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in moved]))
            for parameter in moved:
                parameter.grad = None
        return found

    alone = [gradients(Passes(host), place) for place in range(3)]
    shared = side_by_side(host, [lambda passes, place=place: gradients(passes, place) for place in range(3)])
    for one, other in zip(alone, shared, strict=True):
        for (loss, wanted), (also, found) in zip(one, other, strict=True):
            assert also == pytest.approx(loss, rel=1e-5)
            for a, b in zip(wanted, found, strict=True):
                assert (a - b).norm() <= 1e-4 * a.norm() + 1e-9
            assert sum(float(a.norm()) > 0 for a in wanted) > len(wanted) / 2
    assert not torch.allclose(shared[0][0][1][0], shared[1][0][1][0])


@pytest.mark.parametrize("preset", ["best", "paper", "hiper", "textual_inversion"])
def test_three_learn_what_each_learns_alone(host, preset):
    given = three(preset)
    shared = side_by_side(host, [work(host, one) for one in given])
    for result, one in zip(shared, given, strict=True):
        same(result, train(host, [one[0]], one[1]))
    one, other = (next(iter(result.concept.vectors.values())).mean(0) for result in shared[:2])
    assert not torch.allclose(one, other)
    assert not any(m._forward_hooks or "forward" in vars(m) for m in host.unet.modules())


def test_three_take_as_many_passes_as_one(host, monkeypatch):
    rows, denoise, encode, texts = [], host.denoise, host.encode, []
    monkeypatch.setattr(host, "denoise", lambda *given: rows.append(len(given[0])) or denoise(*given))
    monkeypatch.setattr(host, "encode", lambda *given: texts.append(len(given[0])) or encode(*given))
    given = [(one, dataclasses.replace(config, tokens=three("paper")[0][1].tokens)) for one, config in three("paper")]
    counts = []
    for many in (given[:1], given):
        rows.clear(), texts.clear()
        side_by_side(host, [work(host, one) for one in many])
        counts.append((len(rows), sum(rows), len(texts)))
    assert counts[1][0] == counts[0][0] and counts[1][1] == 3 * counts[0][1]
    assert counts[1][2] < 2 * counts[0][2], "plain contexts that they have in common are encoded once"


def test_one_that_fails_is_cancelled_or_stops_harms_no_other(host):
    given = three("paper")
    broken = (given[1][0], dataclasses.replace(given[1][1], templates=("{} " + "very " * 90,)))

    class Cancelled(Exception):
        pass

    def at_3(error: Exception):
        def callback(progress):
            if progress.step == 3:
                raise error

        return callback

    works = [
        settled(host, given[0]),
        settled(host, given[1], at_3(Cancelled())),
        settled(host, broken),
        settled(host, given[2], at_3(StopTraining())),
        settled(host, given[2]),
    ]
    kept, cancelled, refused, stopped, also = side_by_side(host, works)
    assert isinstance(cancelled, Cancelled)
    assert isinstance(refused, SealError) and str(refused).startswith("prompts: ") and "_2}" not in str(refused)
    same(kept, train(host, [given[0][0]], given[0][1]))
    same(also, train(host, [given[2][0]], given[2][1]))
    assert stopped.stopped == 3 and stopped.losses == pytest.approx(also.losses[:3], rel=ROUNDING)


def test_a_loss_that_is_not_finite_ends_its_own_training(host):
    given = three("best", weights=LowRankSpec(2), weights_locality=1.0)

    def poison(progress):
        if progress.step == 2:
            concepts.append(progress.concept())
            for tensor in runs[0].learned.parameters():
                tensor.data.mul_(1e38)

    concepts, runs = [], []

    def poisoned(passes: Passes) -> Any:
        runs.append(Training(host, [given[1][0]], given[1][1], passes=passes))
        try:
            return runs[0].run(poison)
        except SealError as error:
            return error

    good, bad, also = side_by_side(host, [settled(host, given[0]), poisoned, settled(host, given[2])])
    assert "not finite at step 3 of 6" in str(bad) and len(concepts) == 1
    same(good, train(host, [given[0][0]], given[0][1]))
    same(also, train(host, [given[2][0]], given[2][1]))


def test_other_sizes_and_settings_go_beside_each_other(host):
    """They share what they can, and each learns what it would alone."""
    wide, other = (reference((64, 128), 1), quick("paper")), (reference(), quick("textual_inversion", steps=3))
    given = [three("paper")[0], wide, other, (reference(), quick("paper", pool_bytes=0))]
    for result, one in zip(side_by_side(host, [work(host, one) for one in given]), given, strict=True):
        same(result, train(host, [one[0]], one[1]))


def test_what_a_pass_raises_ends_those_in_it(host, monkeypatch):
    denoise, calls = host.denoise, []

    def fails(*given):
        calls.append(1)
        if len(calls) == 9:
            raise torch.OutOfMemoryError("no room")
        return denoise(*given)

    monkeypatch.setattr(host, "denoise", fails)
    given = three("textual_inversion")
    wide = (reference((64, 128), 1), quick("textual_inversion"))
    found = side_by_side(host, [settled(host, one) for one in (*given[:2], wide)])
    failed = [isinstance(one, torch.OutOfMemoryError) for one in found]
    assert failed in ([True, True, False], [False, False, True])
    assert not any(m._forward_hooks or "forward" in vars(m) for m in host.unet.modules())


@pytest.mark.parametrize("where", ["work", "pass"])
def test_what_a_work_raises_ends_all(host, monkeypatch, where):
    """As Ctrl-C does, also in the middle of a pass. No thread is left."""
    before, ended = threading.active_count(), []
    denoise, calls = host.denoise, []

    def interrupted(*given):
        calls.append(1)
        if where == "pass" and len(calls) == 9:
            raise KeyboardInterrupt
        return denoise(*given)

    def patient(passes: Passes) -> Any:
        try:
            return work(host, three("paper")[1])(passes)
        finally:
            ended.append(1)

    def stop(progress):
        if where == "work" and progress.step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(host, "denoise", interrupted)
    with pytest.raises(KeyboardInterrupt):
        side_by_side(host, [work(host, three("paper")[0], stop), patient])
    assert ended == [1] and threading.active_count() == before
    assert not any(m._forward_hooks or "forward" in vars(m) for m in host.unet.modules())


def test_notices_are_each_ones_own(host):
    def noticing(passes: Passes, name: str) -> list[str]:
        with collected_notices() as told:
            notify_user(f"image: {name} before.")
            result = train(host, [reference()], quick("textual_inversion", steps=1), passes=passes)
            notify_user(f"image: {name} after.")
            assert len(result.losses) == 1
        return told

    first, second = side_by_side(host, [lambda p: noticing(p, "a"), lambda p: noticing(p, "c")])
    assert first == ["image: a before.", "image: a after."] and second == ["image: c before.", "image: c after."]


def test_nothing_to_do_is_done(host):
    assert side_by_side(host, []) == []
    assert side_by_side(host, [lambda passes: 1, lambda passes: 2]) == [1, 2]
