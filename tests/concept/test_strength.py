"""The line from the class word to the learned concept."""

import pytest
import torch
from tiny import tiny_pipe

from seal_core.concept.concept import Concept
from seal_core.concept.strength import TAIL_STRENGTH, context_with_tail, resampled, vectors_at_strength
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.messages import SealError


@pytest.fixture(scope="module")
def host():
    return DiffusersHost(tiny_pipe("sdxl"))


def concept(host, word="cat", count=2):
    g = torch.Generator().manual_seed(0)
    return Concept("<x>", word, {e: torch.randn(count, w, generator=g) for e, w in host.family.widths}, host.family)


def test_strength_one_is_the_learned_vectors_and_half_is_half_way(host):
    x = concept(host, "cat dog")
    full, half, none = (vectors_at_strength(host, x, s) for s in (1.0, 0.5, 0.0))
    for encoder, learned in x.vectors.items():
        assert torch.equal(full[encoder], learned)
        word = host.vocabulary(encoder)[host.token_ids(encoder, "cat dog")]
        assert torch.equal(none[encoder][0], word[0]) and torch.equal(none[encoder][-1], word[-1])
        assert torch.allclose(half[encoder], (none[encoder] + learned) / 2, atol=1e-6)


def test_a_word_is_stretched_along_its_tokens():
    word = torch.tensor([[0.0, 0.0], [1.0, 2.0], [2.0, 0.0]])
    assert torch.equal(resampled(word, 3), word)
    assert torch.equal(resampled(word, 1), word.mean(0, keepdim=True))
    assert torch.allclose(resampled(word, 5), torch.tensor([[0, 0], [0.5, 1], [1, 2], [1.5, 1], [2, 0]]))
    assert torch.equal(resampled(word[:1], 4), word[:1].expand(4, 2))


def test_tail():
    g = torch.Generator().manual_seed(1)
    context, tail = torch.randn(2, 7, 3, generator=g), torch.randn(2, 3, generator=g)
    assert torch.equal(context_with_tail(context, tail, 0.0), context)
    full = context_with_tail(context, tail, 1.0)
    assert torch.equal(full[:, :5], context[:, :5]) and torch.equal(full[1, 5:], TAIL_STRENGTH * tail)
    assert torch.allclose(context_with_tail(context, tail, 0.5), (context + full) / 2, atol=1e-6)


def test_a_class_word_of_no_tokens(host):
    with pytest.raises(SealError, match=r"^embedding: .*class_word"):
        vectors_at_strength(host, concept(host, " "), 0.5)
