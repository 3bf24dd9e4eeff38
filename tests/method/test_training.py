"""The training loop on tiny pipelines: every preset, both carriers, restriction, replay, determinism, errors."""

import dataclasses

import pytest
import torch
from quick import quick, reference
from tiny import tiny_pipe, weights

from seal_core.concept.settings import Layers, Tokens
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.messages import SealError
from seal_core.method import config as settings
from seal_core.method.config import TrainConfig
from seal_core.method.learning_rate import RATE_LAWS, rate_share
from seal_core.method.optimiser import FIRST_LOSS_SCALE, GROW_AFTER, MOST_OVERFLOWS
from seal_core.method.presets import PRESETS
from seal_core.method.results import StopTraining
from seal_core.method.training import Training, train

pytestmark = pytest.mark.usefixtures("few_words")


@pytest.fixture(scope="module")
def host():
    return DiffusersHost(tiny_pipe("sd1"))


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("kind", ["sd1", "sd2v", "sdxl"])
def test_every_preset_trains_on_every_family(preset, kind):
    host = DiffusersHost(tiny_pipe(kind))
    start = Training(host, [reference()], quick(preset))
    first, before = start.learned.result(), start.probe.look()
    run = Training(host, [reference()], quick(preset))
    result = run.run()
    assert len(result.losses) == 6 and all(torch.tensor(result.losses).isfinite())
    for name, vector in result.concept.vectors.items():
        assert vector.dtype == torch.float32 and vector.device.type == "cpu" and not vector.requires_grad
        assert (vector - first[name]).abs().max() > 1e-4, "did not move"
    # "before" in the report is what a training that never ran sees, "after" what the finished one sees.
    after = run.probe.look()
    for when, seen, attention in (
        ("before", before, result.attention_before),
        ("after", after, result.attention_after),
    ):
        assert torch.equal(seen.attention, attention)
        assert result.report["leakage"][when] == round(seen.leakage, 4)
        for side in ("subject", "ground"):
            assert result.report["restored"][side][when] == round(getattr(seen, side), 6) > 0
    assert not torch.equal(result.attention_before, result.attention_after)


@pytest.mark.parametrize("preset", ["textual_inversion", "hiper"])
def test_one_draw_again_and_again_is_learned(host, preset):
    """The loop goes downhill: with a pool of one, every step sees the same data, so the loss must fall."""
    losses = train(host, [reference()], quick(preset, pool=1, steps=20, learning_rate=0.02)).losses
    assert losses[-1] < losses[0] - 0.002, losses


@pytest.mark.parametrize("preset", list(PRESETS))
def test_same_seed_same_vectors_another_seed_others(host, preset):
    runs = [train(host, [reference()], quick(preset, seed=seed)).concept.vectors for seed in (1, 1, 2)]
    for name in runs[0]:
        assert torch.equal(runs[0][name], runs[1][name])
        assert not torch.equal(runs[0][name], runs[2][name])


def test_a_callback_sees_every_step_and_changes_nothing(host):
    config = quick("paper", steps=25)
    seen = []
    watched = train(host, [reference()], config, lambda p: seen.append((p.step, p.loss, p.concept().vectors)))
    alone = train(host, [reference()], config)
    assert [s for s, _, _ in seen] == list(range(1, 26))
    assert [loss for _, loss, _ in seen] == watched.losses == alone.losses
    for name, vector in alone.concept.vectors.items():
        assert torch.equal(vector, watched.concept.vectors[name])
        assert torch.equal(vector, seen[-1][2][name])


def test_model_is_untouched_also_after_an_exception():
    pipe = tiny_pipe("sd1")
    before = weights(pipe)
    flags = [p.requires_grad for p in pipe.unet.parameters()]

    class Stop(Exception):
        pass

    def stop(progress):
        if progress.step == 3:
            raise Stop

    for callback in (None, stop):
        with DiffusersHost(pipe) as host:
            if callback:
                with pytest.raises(Stop):
                    train(host, [reference()], quick("best"), callback)
            else:
                train(host, [reference()], quick("best"))
        for name, tensor in weights(pipe).items():
            assert torch.equal(before[name], tensor), name
        assert [p.requires_grad for p in pipe.unet.parameters()] == flags
        assert all(p.grad is None for p in pipe.unet.parameters())
        modules = [*pipe.unet.modules(), *pipe.text_encoder.modules()]
        assert not [m for m in modules if m._forward_hooks or m._forward_pre_hooks or "forward" in vars(m)]


def test_replay_has_the_loss_and_gradient_of_the_whole_pass(host):
    config = quick("paper", layers=Layers("up.2-5"), batch_size=3, steps=9)
    losses, gradients = [], []
    for replayed in (True, False):
        run = Training(host, [reference()], config)
        assert run.step.prefix is not None
        if not replayed:
            run.step.prefix = None
        for _ in range(3):  # the pool has four draws, so draws come back
            loss, _ = run.step.loss(run.examples.next(3))
            losses.append(loss.item())
            grads = torch.autograd.grad(loss, run.learned.parameters(), allow_unused=True)
            gradients.append(torch.cat([g.flatten() for g in grads if g is not None]))
    for i in range(3):
        assert losses[i] == pytest.approx(losses[i + 3], rel=1e-5)
        assert (gradients[i] - gradients[i + 3]).norm() < 1e-4 * gradients[i + 3].norm()


def test_restriction_is_real(host):
    """With one site allowed, changing the vectors changes nothing that is computed before it."""
    last = host.sites()[-1]
    run = Training(host, [reference()], quick("paper", layers=Layers(last.name), pool=0))
    seen, order, handles = {}, [], []

    def keep(module, args, output):
        order.append(module)
        seen.setdefault(module, []).append(output.clone())

    for block in host.pipe.unet.modules():
        if hasattr(block, "attn2"):
            handles.append(block.register_forward_hook(keep))
    batch = run.examples.next(1)
    with torch.no_grad():
        for _ in range(2):
            run.step.loss(batch)
            for p in run.learned.parameters():
                p.add_(0.5)
    for handle in handles:
        handle.remove()
    for block, outputs in seen.items():
        same = torch.equal(outputs[0], outputs[1])
        assert same == (block.attn2 is not last.module)
    assert order[len(seen) - 1].attn2 is last.module


def test_gradient_reaches_every_learned_vector(host):
    run = Training(host, [reference()], quick("paper", batch_size=5))
    loss, terms = run.step.loss(run.examples.next(5))
    loss.backward()
    assert set(terms) == {"denoising", "attention", "contrast"}
    for parameter in run.learned.parameters():
        assert (parameter.grad.abs().sum(dim=1) > 0).all()


def test_split_tokens_each_get_a_step_before_they_merge(host):
    config = quick("paper", steps=20, batch_size=1, tokens=Tokens(class_word="cat", split=5, merge_at=0.1))
    result = train(host, [reference()], config)
    assert result.merged_at == 5
    assert Training(host, [reference()], dataclasses.replace(config, steps=100)).merge_step == 10
    few = Training(host, [reference()], dataclasses.replace(config, steps=3))
    assert few.merge_step == 3 and few.warnings[0].startswith("steps: 3 are too few")


def test_time_window_limits_the_noise_levels(host):
    run = Training(host, [reference()], quick("best", layers=Layers("up", 0.2, 0.6), pool=0))
    drawn = [d.timestep for d in run.examples.next(200).examples]
    assert run.examples.window() == (400, 799)
    assert min(drawn) >= 400 and max(drawn) <= 799 and max(drawn) - min(drawn) > 300


def test_pool_covers_the_window_evenly_and_comes_round(host):
    run = Training(host, [reference()], quick("paper", pool=10))
    first, again = run.examples.next(10).examples, run.examples.next(10).examples
    assert sorted(d.key for d in first) == sorted(d.key for d in again) == list(range(10))
    assert sorted(d.timestep // 100 for d in first) == list(range(10))


def test_references_of_different_sizes_never_share_a_batch(host):
    run = Training(host, [reference(), reference((64, 128), 1)], quick("textual_inversion"))
    sizes = set()
    for _ in range(10):
        shapes = {tuple(d.noise.shape) for d in run.examples.next(3).examples}
        assert len(shapes) == 1
        sizes |= shapes
    assert len(sizes) == 2
    run.step.loss(run.examples.next(3))


def test_attention_loss_moves_the_map_onto_the_subject(host):
    # A random U-Net's maps hardly depend on the token: all that can move is about 3 points of 75.
    plain = quick("textual_inversion", steps=20, learning_rate=0.2)
    with_loss = dataclasses.replace(plain, attention_loss="leak", attention_weight=20.0)
    leak = {c.attention_loss: train(host, [reference()], c).report["leakage"] for c in (plain, with_loss)}
    assert leak["leak"]["after"] < leak["none"]["after"] - 0.015
    assert leak["leak"]["after"] < leak["leak"]["before"] - 0.015


def test_resume_goes_on_and_refuses_other_models(host):
    first = train(host, [reference()], quick("paper", steps=10))
    again = Training(host, [reference()], quick("paper"), resume=first.concept)
    assert again.merge_step is None
    for name, vector in again.learned.result().items():
        assert torch.equal(vector, first.concept.vectors[name])
    other = DiffusersHost(tiny_pipe("sdxl"))
    with pytest.raises(SealError, match=r"^resume: .* was trained for"):
        Training(other, [reference()], quick("paper"), resume=first.concept)
    with pytest.raises(SealError, match=r"^resume: "):
        Training(host, [reference()], quick("hiper"), resume=first.concept)


def test_a_loss_that_is_not_finite_stops_with_step_and_remedy(host, monkeypatch):
    run = Training(host, [reference()], quick("textual_inversion"))
    real, calls = run.step.loss, []

    def poisoned(batch):
        calls.append(1)
        loss, terms = real(batch)
        return (loss * float("nan"), terms) if len(calls) == 4 else (loss, terms)

    monkeypatch.setattr(run.step, "loss", poisoned)
    with pytest.raises(SealError, match=r"step 4 of 6.*learning_rate"):
        run.run()


def test_vectors_that_overflow_stop_the_training(host):
    """As an absurd learning rate would make them: the model itself computes the loss that is not finite."""
    run = Training(host, [reference()], quick("textual_inversion"))
    seen = []

    def overflow(progress):
        seen.append(progress.step)
        if progress.step == 3:
            with torch.no_grad():
                for vector in run.learned.parameters():
                    vector.mul_(1e38)

    with pytest.raises(SealError, match=r"not finite at step 4 of 6.*learning_rate"):
        run.run(overflow)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize(
    "added",
    [lambda vector: (vector * 0).sum().sqrt(), lambda vector: (vector * 0).sum() + float("inf")],
    ids=["0 but infinitely steep", "infinite but flat"],
)
def test_a_gradient_or_a_loss_alone_that_is_not_finite_stops_the_training(host, monkeypatch, added):
    run = Training(host, [reference()], quick("textual_inversion"))
    real = run.step.loss

    def spoiled(batch):
        loss, terms = real(batch)
        return loss + added(run.learned.parameters()[0]), terms

    monkeypatch.setattr(run.step, "loss", spoiled)
    with pytest.raises(SealError, match=r"step 1 of 6.*learning_rate"):
        run.run()


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float16, 0.01), (torch.bfloat16, 0.05)])
def test_half_precision_weights_learn_what_single_precision_learns(dtype, rounding):
    """Vectors and losses stay in float32; only the U-Net rounds."""
    pipe = tiny_pipe("sd1")
    full = train(DiffusersHost(pipe), [reference()], quick("paper", steps=8))
    pipe.unet.to(dtype)
    result = train(DiffusersHost(pipe), [reference()], quick("paper", steps=8))
    assert result.report["dtype"] == str(dtype).removeprefix("torch.")
    assert result.losses == pytest.approx(full.losses, rel=rounding)
    for name, vector in result.concept.vectors.items():
        assert vector.dtype == torch.float32
        assert torch.cosine_similarity(vector, full.concept.vectors[name]).min() > 0.98


class Half:
    """A host in float16, as far as the optimiser asks."""

    device, dtype = torch.device("cpu"), torch.float16


def test_an_overflow_in_float16_leaves_the_step_out_and_halves_the_scale(host):
    config = quick("textual_inversion", learning_rate=0.1)
    run = Training(host, [reference()], config)
    run.host = Half()
    descent, vector = run.descent(), run.learned.parameters()[0]
    start, overflows = vector.detach().clone(), [1.0]
    vector.register_hook(lambda gradient: gradient * overflows[0])

    def down():
        return descent.down((vector * 3).sum(), 1.0)

    overflows[0] = float("inf")
    assert down() and torch.equal(vector, start) and descent.scale == FIRST_LOSS_SCALE / 2
    overflows[0] = 1.0
    assert down() and torch.allclose(vector, start - 0.1, atol=1e-4)  # AdamW's first step is the rate, unscaled
    for _ in range(GROW_AFTER - 1):
        down()
    assert descent.scale == FIRST_LOSS_SCALE
    overflows[0] = float("inf")
    assert all(down() for _ in range(MOST_OVERFLOWS))
    assert not down(), "so many in a row are no settling"


def test_an_overflow_in_other_precisions_ends_the_training(host):
    run = Training(host, [reference()], quick("textual_inversion"))
    descent, vector = run.descent(), run.learned.parameters()[0]
    vector.register_hook(lambda gradient: gradient * float("inf"))
    assert not descent.down(vector.sum(), 0.1)
    assert not run.descent().down(vector.sum() * float("nan"), 0.1)


def test_tail_carrier_leaves_the_rest_of_the_context_alone(host):
    run = Training(host, [reference()], quick("hiper"))
    batch = run.examples.next(2)
    plain = run.step.plain(batch.prompts)
    learned = run.learned.encode(batch.prompts, plain)
    assert torch.equal(learned.cross[:, :-5], plain.cross[:, :-5])
    assert torch.equal(learned.cross[:, -5:], run.learned.tail.expand(2, -1, -1))
    # it starts from the source prompt's own tail, so at first nothing changes
    assert torch.equal(learned.cross[0].detach(), run.step.plain(batch.prompts[:1]).cross[0])
    assert run.learned.concept_positions(learned) == [(72, 73, 74, 75, 76)] * 2


@pytest.mark.parametrize("preset", ["best", "hiper"])
@pytest.mark.parametrize("bad", ["{} " + "very " * 90, "a {} with {foo}", "a {} on {background}, {background}"])
def test_a_bad_prompt_is_refused_before_the_first_step(host, preset, bad):
    with pytest.raises(SealError, match=r"^prompts: "):  # also one that the first steps would not have drawn
        Training(host, [reference()], quick(preset, templates=("a sticker of {}",) * 9 + (bad,)))


def test_a_prompt_that_the_merged_row_would_overfill_is_refused_before_the_first_step(host):
    tokens = Tokens(class_word="cat", split=16, merge="concat", context_token=False)
    template = "{} " + "cat " * 65
    few = dataclasses.replace(tokens, split=2)
    Training(host, [reference()], quick("textual_inversion", templates=(template,), tokens=few))
    with pytest.raises(SealError, match=r"^prompts: "):
        Training(host, [reference()], quick("textual_inversion", templates=(template,), tokens=tokens))


def test_a_weight_without_its_loss_is_said(host):
    run = Training(host, [reference()], quick("textual_inversion", attention_weight=0.5))
    assert [w for w in run.warnings if w.startswith("attention_weight: ")]
    assert not Training(host, [reference()], quick("best")).warnings


def test_no_reference():
    with pytest.raises(SealError, match="image"):
        train(DiffusersHost(tiny_pipe("sd1")), [], TrainConfig())


def test_the_learning_rate_stays_or_falls_to_nearly_nothing():
    def rates(how):
        return [rate_share(quick("textual_inversion", steps=10, rate=how), step) for step in range(1, 11)]

    assert tuple(RATE_LAWS) == settings.RATES
    assert set(rates("constant")) == {1.0}
    falling = rates("cosine")
    assert falling[0] == 1.0 and falling[-1] < 0.03
    assert falling == sorted(falling, reverse=True)


def stopping_at(step, seen=None):
    """A callback that stops the training after a step."""

    def callback(progress):
        if seen is not None:
            seen.append(progress)
        if progress.step == step:
            raise StopTraining

    return callback


@pytest.mark.parametrize("preset", ["best", "paper", "hiper"])
def test_stopping_keeps_what_was_learned_until_then(host, preset):
    """The steps are those of the whole training, and what is kept is what they had learned."""
    whole, seen = [], []
    train(host, [reference()], quick(preset), lambda p: whole.append(p.concept() if p.step == 4 else None))
    result = train(host, [reference()], quick(preset), stopping_at(4, seen))
    (at_4,) = (concept for concept in whole if concept is not None)
    assert len(result.losses) == 4 == result.stopped == result.report["stopped"] and seen[-1].step == 4
    assert all(torch.equal(result.concept.vectors[k], at_4.vectors[k]) for k in at_4.vectors)
    assert result.concept.provenance["steps"] == 4 and result.report["config"]["steps"] == 6
    assert result.report["restored"]["subject"]["after"] > 0, "looked at once more"


def test_stopping_before_the_merge_merges(host):
    """Kept is the mean, as in a whole training, and the report tells when."""
    split = Tokens(split=2, merge="mean", merge_at=1.0, init="class_word_noise", context_token=False)
    config = quick("textual_inversion", tokens=split)
    run = Training(host, [reference()], config)
    result = run.run(stopping_at(3))
    assert result.merged_at == 3 and not run.learned.split
    assert {len(v) for v in result.concept.vectors.values()} == {1}


def test_stopping_after_the_last_step_is_the_whole_training(host):
    result = train(host, [reference()], quick("paper"), stopping_at(6))
    assert result.stopped is None and "stopped" not in result.report and len(result.losses) == 6


def test_a_stopped_training_goes_on_by_resume(host):
    """From exactly what was kept: the first step of the rest sees its vectors."""
    config = quick("best_embedding")
    first = train(host, [reference()], config, stopping_at(2)).concept
    on = Training(host, [reference()], config, first)
    assert all(torch.equal(on.learned.result()[k], first.vectors[k]) for k in first.vectors)
    assert len(on.run().losses) == 6


def test_words_that_were_found_are_told_at_every_step(host):
    seen = []
    result = train(host, [reference()], quick("best"), seen.append)
    words = result.report["described"]["text"]
    assert {p.note for p in seen if p.step} == {words} and {p.step for p in seen} == set(range(7))
