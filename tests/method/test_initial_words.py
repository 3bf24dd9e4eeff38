"""Words to start from: the search on errors that are known, and as a training does it on a real forward pass."""

import dataclasses
import zlib

import pytest
import torch
from quick import quick, reference
from tiny import tiny_pipe

from seal_core.concept.settings import Layers, Tokens
from seal_core.concept.vocabulary import word_vectors
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.messages import SealError
from seal_core.method.initial_words import (
    coloured,
    grammar,
    grow_phrase,
    most_notices,
    start_from_words,
    subject_errors,
)
from seal_core.method.training import Training, train

DRAWS = 16


@pytest.fixture(scope="module")
def host():
    return DiffusersHost(tiny_pipe("sd1"))


class World:
    """Errors of a subject that shows some words and nothing else; each draw has its own level and a little noise."""

    def __init__(self, *shown, noise=0.0, seed=0):
        self.shown, self.noise, self.seed = shown, noise, seed
        self.rows, self.asked = 0, []
        self.level = 5 + torch.randn(DRAWS, generator=torch.Generator().manual_seed(0))

    def __call__(self, words, first, last):
        self.rows += last - first
        self.asked.append((words, first, last))
        right = sum(w in words for w in self.shown)
        own = torch.Generator().manual_seed(1000 * self.seed + zlib.crc32(words.encode()) % 997)
        return (self.level - right + self.noise * torch.randn(DRAWS, generator=own))[first:last]


def everything_fits(text):
    return True


def test_finds_what_shows_and_leaves_out_what_does_not():
    world = World("grey cat", "crown", "orange crown")
    found = grow_phrase("cat", world, DRAWS, everything_fits)
    assert found.text == "grey cat, wearing an orange crown"
    assert found.parts["colour"]["thing"] == "grey" and found.parts["colour"]["accepted"]
    assert found.parts["worn"]["gain"] == pytest.approx(2, abs=0.3)
    assert found.parts["marks"]["accepted"] is False
    assert found.passes == world.rows


def test_nothing_shows_so_the_class_word_stays():
    found = grow_phrase("cat", World(noise=0.0), DRAWS, everything_fits)
    assert found.text == "cat" and not any(p["accepted"] for p in found.parts.values())


def test_the_luckiest_of_many_words_is_seldom_believed():
    """Where every thing is as good as none, about one sixth may pass the bar of one standard error."""
    found = [grow_phrase("cat", World(noise=1.0, seed=seed), DRAWS, everything_fits).parts for seed in range(60)]
    believed = [parts[name]["accepted"] for parts in found for name in ("worn", "marks")]
    assert len(believed) == 120 and sum(believed) / len(believed) < 0.25


def test_no_row_is_computed_twice_and_few_candidates_see_every_draw():
    world = World("red cat", "spots")
    grow_phrase("cat", world, DRAWS, everything_fits)
    seen = [(words, i) for words, first, last in world.asked for i in range(first, last)]
    assert len(seen) == len(set(seen))
    whole = {words for words, i in seen if i == DRAWS - 1}
    colours, parts = grammar()
    assert 3 <= len(whole) < len(colours) + sum(len(p.things) for p in parts) / 2


def test_what_does_not_fit_is_never_tried():
    world = World("grey cat", "crown")
    found = grow_phrase("cat", world, DRAWS, lambda text: len(text.split()) <= 2)
    assert found.text == "grey cat" and all(len(w.split()) <= 2 for w, _, _ in world.asked)


def test_a_notice_sees_the_phrase_grow_and_may_cancel():
    heard = []
    grow_phrase("cat", World("grey cat", "crown"), DRAWS, everything_fits, heard.append)
    assert heard[0] == "cat" and heard[-1].startswith("grey cat, wearing a")
    heard.clear()
    grow_phrase("cat", World("red", "crown", "spots", "blue"), DRAWS, everything_fits, heard.append)
    assert 0.9 * most_notices() < len(heard) <= most_notices()

    def cancel(text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grow_phrase("cat", World(), DRAWS, everything_fits, cancel)


def test_articles_and_colours():
    assert coloured("a bow", "orange") == "an orange bow"
    assert coloured("an apron", "red") == "a red apron"
    assert coloured("a party hat", "blue") == "a blue party hat"
    assert coloured("glasses", "red") == "red glasses"
    colours, parts = grammar()
    assert len(set(colours)) == len(colours) and not parts[0].things
    assert all(len(set(p.things)) == len(p.things) for p in parts)


# In a training


def described(**changes):
    return quick("best", describe_draws=4, **changes)


def start(run, notice=None):
    return start_from_words(run.step, run.examples, run.config, notice)


def test_a_training_starts_at_the_words_that_it_found(host):
    run = Training(host, [reference()], described())
    found = start(run)
    for encoder, vectors in run.learned.result().items():
        assert torch.equal(vectors, word_vectors(host, encoder, found.text))
        assert len(vectors) == len(host.token_ids(encoder, found.text))
    assert found.text.endswith("cat") or "cat," in found.text
    seen = []
    result = train(host, [reference()], described(), seen.append)
    assert result.report["described"]["text"] == found.text
    steps = [p.step for p in seen]
    assert steps.count(0) > 20 and [s for s in steps if s] == list(range(1, 7))
    assert all(p.note for p in seen if not p.step) and not any(p.note for p in seen if p.step)


def test_a_known_appearance_is_where_the_search_begins(host):
    said = described(attributes=(("appearance", "golden"), ("emotion", "happy")))
    heard = []
    assert "golden" in start(Training(host, [reference()], said), heard.append).text and heard[0] == "cat, golden"
    long = described(attributes=(("appearance", "wearing a superhero cape and a pirate hat"),))
    heard.clear()
    start(Training(host, [reference()], long), heard.append)
    assert heard[0] == "cat", "what does not fit into the vectors is not said"


def test_words_are_judged_as_the_learned_vectors_will_be_used(host):
    """The error of words is the denoising loss of a token that holds their embeddings, on the subject alone."""
    config = described(background_weight=0.0, attention_loss="none", attention_weight=0.0, layers=Layers("up.2-5"))
    run = Training(host, [reference()], config)
    draws = run.examples.spread(6, 0.1, 0.7)
    assert [d.key for d in draws] == list(range(6))
    low, high = run.examples.window()
    times = sorted(d.timestep for d in draws)
    assert low < times[0] < times[-1] < high and times[-1] - times[0] > 0.4 * (high - low)
    prefix = run.step.new_prefix()
    assert prefix is not None
    words = "red cat, wearing a bow"
    replayed = [subject_errors(run.step, run.examples, words, draws, prefix) for _ in range(2)][-1]
    plain = subject_errors(run.step, run.examples, words, [dataclasses.replace(d, key=-1) for d in draws], None)
    assert torch.allclose(replayed, plain, rtol=1e-4)
    run.learned.start_from({e: word_vectors(host, e, words) for e in host.family.encoders})
    fresh = [dataclasses.replace(d, key=-1) for d in draws]
    loss = torch.stack([run.step.loss(run.examples.batch([d]))[0] for d in fresh]).detach()
    assert torch.allclose(loss, plain, rtol=1e-4)
    assert (subject_errors(run.step, run.examples, "blue dog", draws, prefix) - plain).abs().max() > 1e-6


def test_going_on_from_a_concept_and_a_tail_describe_nothing(host):
    first = train(host, [reference()], described()).concept
    again = Training(host, [reference()], described(), first)
    assert not again.starts_from_words
    assert torch.equal(again.learned.result()["clip_l"], first.vectors["clip_l"])
    tail = quick("hiper", tokens=Tokens(class_word="cat", merge="none", init="described"))
    assert not Training(host, [reference()], tail).starts_from_words


def test_a_merge_is_refused_and_room_for_the_words_is_checked_first(host):
    with pytest.raises(SealError, match="init"):
        Tokens(init="described", merge="mean")
    long = ("a sticker of {}, " + "very " * 10 + "nice",)
    tokens = dataclasses.replace(described().tokens, context_token=False)
    with pytest.raises(SealError, match="token"):
        Training(host, [reference()], described(templates=long, tokens=tokens))
    Training(host, [reference()], described(templates=long, tokens=dataclasses.replace(tokens, split=4)))
