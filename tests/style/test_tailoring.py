"""Two sets of pictures in one training: who is seen at which noise, and what comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from style_kit import halves
from tiny_host import SIZE, small_host

from seal_core.concept.concept import Embedding
from seal_core.concept.concept_file import load_concept, save_concept
from seal_core.hosts.base import Prompt
from seal_core.messages import SealError
from seal_core.method.examples import Examples
from seal_core.method.sampling import generate_context, sample
from seal_core.method.training import Training, train
from seal_core.style.tailoring import drawn_content, tailor_config, tailored_references

STYLE = torch.stack([halves(size=SIZE), halves(size=SIZE).flip(0)])
CONTENT = torch.stack([halves(size=SIZE).flip(1)] * 3)
TOLD, ASKED = ("a cat", "a dog"), ("a fox", "a bear", "a pig")


@pytest.fixture(scope="module")
def host():
    return small_host()


def config(**changes):
    return tailor_config(**{"name": "ink", "steps": 4, "rank": 2, "rate": 0.05, "resolution": SIZE, **changes})


def references(split=0.75):
    return tailored_references(STYLE, TOLD, CONTENT, ASKED, split, SIZE)[0]


def drawn(host, concept=None, strength=1.0):
    prompt = (
        host.encode([Prompt("a cat")], {}) if concept is None else generate_context(host, concept, "a cat", strength)
    )
    generator = torch.Generator().manual_seed(1)
    null = host.encode([Prompt("")], {})
    return sample(host, prompt, null, height=SIZE, width=SIZE, steps=3, cfg=3.0, generator=generator)


def test_each_set_is_seen_at_its_own_noise_and_levels_come_equally_often(host):
    examples = Examples(host, references(), config())
    seen = [e for _ in range(400) for e in examples.next(2).examples]
    last = len(host.sigmas) - 1
    levels = {
        kind: [e.timestep / last for e in seen if (e.view < 2) == (kind == "style")] for kind in ("style", "content")
    }
    assert max(levels["style"]) <= 0.751 and min(levels["content"]) >= 0.749
    assert len(levels["style"]) / len(seen) == pytest.approx(0.75, abs=0.06)
    assert {e.prompt.text for e in seen if e.view < 2} == set(TOLD)
    assert {e.prompt.text for e in seen if e.view >= 2} == set(ASKED)
    alone = Examples(host, tailored_references(STYLE, TOLD, None, (), 0.75, SIZE)[0], config())
    assert max(e.timestep for _ in range(200) for e in alone.next(1).examples) > 0.9 * last


def test_a_caption_may_say_it_in_several_ways_and_pictures_are_seen_both_ways_round():
    told = ("a cat |a grey  cat|", "|")
    several, _ = tailored_references(STYLE, told, CONTENT, ASKED, 0.75, SIZE, mirrored=True)
    looks, others = several[:6], several[6:]
    assert [r.caption for r in looks] == ["a cat", "a grey cat", ""] * 2 and len(others) == 3
    assert all(torch.equal(b.image, a.image.flip(1)) for a, b in zip(looks[:3], looks[3:]))
    assert not torch.equal(looks[0].image, looks[3].image) and torch.equal(looks[0].image, looks[1].image)
    assert {(round(r.start_percent, 3), r.end_percent) for r in looks} == {(0.25, 1.0)}
    assert len({id(r.image) for r in looks}) == 4, "a picture is encoded once, however often it is told"
    alone, _ = tailored_references(STYLE, TOLD, None, (), 0.75, SIZE, mirrored=True)
    assert len(alone) == 4 and {r.start_percent for r in alone} == {0.0}


def test_a_picture_of_several_captions_is_encoded_once(host, monkeypatch):
    encode, images = host.encode_image, []
    monkeypatch.setattr(host, "encode_image", lambda image: images.append(image) or encode(image))
    told = tailored_references(STYLE, ("a cat | a grey cat", "a dog"), CONTENT, ASKED, 0.75, SIZE, mirrored=True)[0]
    examples = Examples(host, told, config())
    assert len(images) == 7 and len(examples.latents) == 9
    assert all(torch.equal(z, encode(v.image[None])[0]) for z, v in zip(examples.latents, examples.views))


def test_a_look_is_weights_alone_and_goes_through_its_file(host, tmp_path):
    before = {name: tensor.clone() for name, tensor in host.unet.state_dict().items()}
    look = train(host, references(), config()).concept
    assert look.carrier == "none" and not look.vectors and any(pair.up.any() for pair in look.weights.values())
    assert all(torch.equal(tensor, before[name]) for name, tensor in host.unet.state_dict().items())
    read = load_concept(save_concept(look, tmp_path, "ink"))
    assert read.name == "<ink>" and all(torch.equal(read.weights[n].up, w.up) for n, w in look.weights.items())
    plain = drawn(host)
    assert torch.equal(drawn(host, look), drawn(host, read))
    assert not torch.allclose(drawn(host, look), plain)
    assert torch.allclose(drawn(host, look, strength=0.0), plain, atol=1e-5)
    assert "a look" in str(look)
    with pytest.raises(SealError, match="Load LoRA"):
        Embedding((look,))


def test_one_picture_again_and_again_is_learned_and_the_seed_decides(host):
    [one], _ = tailored_references(STYLE[:1], TOLD[:1], None, (), 1.0, SIZE)
    run = Training(host, [one], config(steps=25))
    result = run.run()
    assert result.report["restored"]["subject"]["gain"] > 0.01, result.report["restored"]
    again, other = (train(host, [one], config(steps=25, seed=seed)).losses for seed in (0, 1))
    assert again == result.losses != other


def test_sequential_training_goes_on_from_the_content(host):
    first = train(host, tailored_references(CONTENT, ASKED, None, (), 1.0, SIZE)[0], config()).concept
    second = Training(host, tailored_references(STYLE, TOLD, None, (), 1.0, SIZE)[0], config(), first)
    assert all(torch.equal(w.up, first.weights[n].up) for n, w in second.step.weights.result().items())
    assert len(second.run().losses) == 4


def test_captions_go_with_a_word_too(host):
    """What keeps the class in DreamBooth: captioned pictures beside the sticker of a concept."""
    from quick import quick, reference

    mixed = [reference(), *tailored_references(STYLE, TOLD, None, (), 1.0, SIZE)[0]]
    run = Training(host, mixed, quick("lora", steps=12, resolution=SIZE))
    prompts = {p.text for p in run.examples.prompts()}
    assert set(TOLD) < prompts and any("{concept}" in text for text in prompts)
    assert all(torch.tensor(run.run().losses).isfinite())
    with pytest.raises(SealError, match="rank: 0, but of pictures with captions"):
        Training(host, mixed, quick("textual_inversion", resolution=SIZE))


def test_the_model_draws_its_own_content(host):
    seen = []
    images = drawn_content(host, ASKED, SIZE, 5, on_step=lambda step, steps: seen.append((step, steps)))
    assert images.shape == (3, SIZE, SIZE, 3) and not torch.equal(images[0], images[1])
    assert seen == [(i, 60) for i in range(1, 61)]
    assert torch.equal(images[1:2], drawn_content(host, ASKED[1:2], SIZE, 6))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: tailored_references(STYLE, TOLD, CONTENT, TOLD, 0.5, SIZE), "content_captions: 2 lines for 3"),
        (lambda: tailored_references(STYLE, ("{}",), None, (), 0.5, SIZE), "style_captions: .* braces"),
        (lambda: tailored_references(STYLE, TOLD, CONTENT, ASKED, 0.0, SIZE), "split: 0 leaves"),
        (lambda: tailored_references(STYLE, TOLD, CONTENT, ASKED, 1.5, SIZE), "split"),
        (lambda: tailored_references([STYLE[0]] * 501, (), None, (), 1.0, SIZE), "style: 501 pictures"),
        (lambda: tailored_references([STYLE[0] * float("nan")], (), None, (), 1.0, SIZE), "style: "),
        (lambda: replace(config(), weights=replace(config().weights, rank=0)), "rank: 0 leaves nothing"),
    ],
)
def test_bad_sets_are_named(wrong, words):
    with pytest.raises(SealError, match=words):
        wrong()
