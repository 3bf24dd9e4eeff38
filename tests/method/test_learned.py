"""Learned tokens: starts, splitting, merging, norms; and the vocabulary's checks."""

import pytest
import torch
from tiny import tiny_pipe

from seal_core.concept.settings import Tokens
from seal_core.concept.vocabulary import class_word_vector, mean_vector_norm, require_new_name, tokens_in_words
from seal_core.hosts.base import Prompt
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.messages import SealError
from seal_core.method.learned import LearnedTokens, _with_vector


@pytest.fixture(scope="module", params=["sd1", "sdxl"])
def host(request):
    return DiffusersHost(tiny_pipe(request.param))


def bank(host, **settings):
    return LearnedTokens(host, Tokens(**{"class_word": "cat", **settings}), torch.Generator().manual_seed(0))


def test_starts(host):
    for encoder in host.family.encoders:
        word = class_word_vector(host, encoder, "cat")
        exact = bank(host, init="class_word").concept[encoder]
        assert exact.shape == (5, len(word)) and torch.equal(exact.detach(), word.expand(5, -1))
        noisy = bank(host).concept[encoder].detach()
        distance = (noisy - word).norm(dim=1)
        expected = 0.1 * mean_vector_norm(host, encoder)
        assert (0.5 * expected < distance).all() and (distance < 1.6 * expected).all()
        random = bank(host, init="vocabulary").concept[encoder].detach()
        table = host.vocabulary(encoder).float()
        assert random.norm(dim=1).mean() == pytest.approx(float(table.norm(dim=1).mean()), rel=0.35)


def test_class_word_of_several_tokens_starts_at_their_mean(host):
    encoder = host.family.encoders[0]
    ids = host.token_ids(encoder, "cat dog")
    assert len(ids) == 2
    assert torch.allclose(class_word_vector(host, encoder, "cat dog"), host.vocabulary(encoder)[ids].float().mean(0))


def test_class_word_of_no_token(host):
    with pytest.raises(SealError, match="class_word"):
        class_word_vector(host, host.family.encoders[0], "   ")


def test_split_slots_and_choice(host):
    b = bank(host, split=3)
    slots = b.slots()
    assert list(slots) == ["concept0", "concept1", "concept2", "background"]
    for encoder, width in host.family.widths:
        assert slots["concept1"][encoder].shape == (1, width)
    prompt = _with_vector(Prompt("a {concept}, {background} background"), 2)
    assert prompt.slots == ("concept2", "background")
    assert len(b.parameters()) == 2 * len(host.family.widths)


def test_merge_mean_and_concat(host):
    for merge, rows in (("mean", 1), ("concat", 3)):
        b = bank(host, split=3, merge=merge)
        before = {e: v.detach().clone() for e, v in b.concept.items()}
        b.merge()
        slots = b.slots()
        assert list(slots) == ["concept0", "background"] and b.alternatives == 1
        for encoder, vector in slots["concept0"].items():
            assert vector.is_leaf and vector.requires_grad and vector.shape[0] == rows
            expected = before[encoder].mean(0, keepdim=True) if merge == "mean" else before[encoder]
            assert torch.equal(vector.detach(), expected)
        once = {e: v.clone() for e, v in b.result().items()}
        b.merge()
        assert all(torch.equal(once[e], v) for e, v in b.result().items())


def test_merge_none_is_a_row_from_the_start(host):
    b = bank(host, split=3, merge="none", context_token=False)
    assert list(b.slots()) == ["concept0"]
    assert next(iter(b.slots()["concept0"].values())).shape[0] == 3


def test_result_of_a_bank_that_is_still_split_is_its_mean(host):
    b = bank(host, split=4)
    for encoder, vector in b.result().items():
        assert torch.allclose(vector, b.concept[encoder].detach().mean(0, keepdim=True))


def test_fixed_norm_is_kept_through_steps_and_merge(host):
    b = bank(host, norm="fixed", split=3)
    for p in b.parameters():
        with torch.no_grad():
            p.mul_(7).add_(0.1)
    b.constrain()
    b.merge()
    for encoder, vector in b.slots()["concept0"].items():
        assert vector.norm(dim=1).tolist() == pytest.approx([mean_vector_norm(host, encoder)], rel=1e-4)


def test_same_seed_same_start(host):
    one, two = bank(host), bank(host)
    assert all(torch.equal(one.concept[e], two.concept[e]) for e in one.concept)


def test_concept_that_is_a_word_already(host):
    with pytest.raises(SealError, match=r"^concept: 'dog'"):
        require_new_name(host, Tokens(concept="dog", class_word="cat"))
    require_new_name(host, Tokens(concept="<my-dog>", class_word="cat"))


def test_how_a_class_word_is_read(host):
    found = tokens_in_words(host, "cat dog")
    assert list(found) == list(host.family.encoders)
    for encoder, width in host.family.widths:
        ids = host.token_ids(encoder, "cat dog")
        assert found[encoder].startswith(f"'cat dog' -> {ids}: 2 tokens, whose mean is the class word, {width} wide, ")
    assert ": 1 token, " in tokens_in_words(host, "cat")[host.family.encoders[0]]
