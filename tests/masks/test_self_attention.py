"""The attention mask on a small host with constructed attention, so that the right answer is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from seal_core.hosts.base import Context, Family, Site
from seal_core.masks.methods import semantic_mask
from seal_core.masks.self_attention import _record, attention_mask
from seal_core.messages import SealError


class Attention(nn.Module):
    """Queries and keys as they are given; two heads."""

    heads = 2

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.to_q, self.to_k = nn.Linear(width, 8, bias=False), nn.Linear(context, 8, bias=False)
        with torch.no_grad():
            self.to_q.weight.copy_(torch.eye(4, width).repeat(2, 1) * 6)
            self.to_k.weight.copy_(torch.eye(4, context).repeat(2, 1) * 6)

    def forward(self, x, context=None):
        return self.to_q(x), self.to_k(x if context is None else context)


class FakeHost:
    """Latents are the image's colours at an eighth of the size; places of one colour attend to each other.

    The word "cat" sits at token 4 and looks only at bright red, a part of the subject; the rest of
    the subject is dark red, which self-attention ties to it.
    """

    family = Family("fake", (("clip_l", 4),))
    device, dtype, prediction, resolution, max_tokens = torch.device("cpu"), torch.float32, "epsilon", 512, 77
    sigmas = torch.linspace(0.001, 0.1, 100)

    def __init__(self) -> None:
        self.attn1 = [Attention(4, 4) for _ in range(2)]
        self.attn2 = [Attention(4, 4) for _ in range(2)]
        self.fail = False

    def encode(self, prompts, vectors):
        count = len(vectors["word"]["clip_l"])
        cross = torch.zeros(1, 77, 4)
        cross[0, 4 : 4 + count] = vectors["word"]["clip_l"]
        return Context(cross, None, ({"word": tuple(range(4, 4 + count))},))

    def add_noise(self, x_0, noise, sigma):
        return x_0 + sigma[:, None, None, None] * noise

    def denoise(self, x_t, sigma, context):
        for i, scale in enumerate((1, 2)):
            x = nn.functional.avg_pool2d(x_t, scale).flatten(2).transpose(1, 2)
            hue = x[..., :3] / x[..., :3].norm(dim=-1, keepdim=True).clamp_min(0.2)
            self.attn1[i](torch.cat([hue, x[..., :1] * 0.2], -1))
            if self.fail:
                raise RuntimeError("in the middle")
            self.attn2[i](x, context.cross)
        return x_t

    def sites(self):
        return [Site("up", i, scale, self.attn2[i]) for i, scale in enumerate((1, 2))]

    def self_attentions(self):
        return [(scale, self.attn1[i]) for i, scale in enumerate((1, 2))]

    def vocabulary(self, encoder):
        return torch.tensor([[0.0, 0, 0, 0], [1.0, -1, -1, 0]])

    def token_ids(self, encoder, text):
        return [1] * len(text.split())

    def encode_image(self, images):
        small = nn.functional.avg_pool2d(images.permute(0, 3, 1, 2), 8)
        return torch.cat([small, torch.zeros_like(small[:, :1])], 1)


def picture(height=256, width=256):
    image = torch.zeros(height, width, 3)
    image[..., 1], image[..., 2] = 0.4, 0.8
    image[: height // 3, :, 1] = 0.9  # another part of the ground
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    inside = (y - height / 2) ** 2 + (x - width / 2) ** 2 < (0.3 * min(height, width)) ** 2
    image[inside] = torch.tensor([0.45, 0.02, 0.02])
    image[inside & (y < height / 2)] = torch.tensor([1.0, 0.05, 0.05])
    return image, inside


def overlap(mask, inside):
    found = mask > 0.5
    return float((found & inside).sum() / (found | inside).sum())


@pytest.mark.parametrize("shape", [(256, 256), (192, 320), (301, 203)])
def test_clusters_complete_what_the_word_points_at(shape):
    image, inside = picture(*shape)
    mask = attention_mask(FakeHost(), image, "cat")
    assert mask.shape == shape and mask.dtype == torch.float32
    assert mask.min() >= 0 and mask.max() <= 1
    assert overlap(mask, inside) > 0.9


def test_same_seed_same_mask():
    image, _ = picture()
    first, second = (attention_mask(FakeHost(), image, "cat", seed=3) for _ in range(2))
    assert torch.equal(first, second)


def test_word_of_several_tokens_and_word_of_none():
    image, inside = picture()
    assert overlap(attention_mask(FakeHost(), image, "tabby cat"), inside) > 0.9
    with pytest.raises(SealError, match="class_word"):
        attention_mask(FakeHost(), image, "  ")


def test_host_without_self_attention_is_told():
    host = FakeHost()
    host.self_attentions = list
    with pytest.raises(SealError, match="method border"):
        attention_mask(host, picture()[0], "cat")


def test_hooks_are_gone_also_after_an_exception():
    host = FakeHost()
    attention_mask(host, picture()[0], "cat")
    host.fail = True
    with pytest.raises(RuntimeError, match="in the middle"):
        attention_mask(host, picture()[0], "cat")
    modules = [m for a in (*host.attn1, *host.attn2) for m in a.modules()]
    assert all(not m._forward_hooks for m in modules)


def test_recorded_map_is_softmax_averaged_over_heads():
    torch.manual_seed(0)
    attention = Attention(4, 4)
    nn.init.normal_(attention.to_q.weight)
    x = torch.randn(1, 5, 4)
    with _record([attention]) as maps:
        q, k = attention(x)
        got = maps(attention)
    by_head = [(q[0, :, i : i + 4] @ k[0, :, i : i + 4].T / 2).softmax(-1) for i in (0, 4)]
    assert torch.allclose(got, (by_head[0] + by_head[1]) / 2, atol=1e-6)


def test_semantic_mask_asks_attention_where_the_segmenter_sees_nothing():
    host, asked = FakeHost(), []
    inside = torch.zeros(64, 64)
    inside[20:40, 20:40] = 1

    def attention(image):
        asked.append(image.shape)
        return inside

    flat = torch.full((1, 64, 64, 3), 0.5)
    assert overlap(semantic_mask(flat, method="auto", attention=attention)[0] > 0.5, inside > 0.5) > 0.8
    assert asked == [(64, 64, 3)]
    image, truth = picture()
    mask = semantic_mask(image, method="attention", attention=lambda i: attention_mask(host, i, "cat"))
    assert overlap(mask[0], truth) > 0.9
    with pytest.raises(SealError, match="model"):
        semantic_mask(image, method="attention")
