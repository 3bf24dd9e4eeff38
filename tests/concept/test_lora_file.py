"""A concept with low-rank weights: its file, and the LoRA that others read."""

from __future__ import annotations

import diffusers
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import tiny_pipe

from seal_core.concept.concept import Concept, LowRank
from seal_core.concept.concept_file import load_concept, save_concept
from seal_core.concept.lora_file import lora_bytes, save_lora
from seal_core.concept.low_rank import linear_layers
from seal_core.hosts.base import Family, Prompt
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.messages import SealError
from seal_core.method.sampling import generate_context, sample

SDXL = Family("sdxl", (("clip_l", 768), ("clip_g", 1280)))


def learned(host, seed=0):
    """A concept whose weights change all attention and feed-forward layers of a host."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, layer in linear_layers(host.sites(), ("attn1", "attn2", "ff")).items():
        out, into = layer.weight.shape
        weights[name] = LowRank(
            torch.randn(3, into, generator=generator), 0.05 * torch.randn(out, 3, generator=generator)
        )
    vectors = {e: torch.randn(2, width, generator=generator) for e, width in host.family.widths}
    return Concept("<x>", "cat", vectors, host.family, weights=weights)


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_a_concept_with_weights_comes_back_and_brings_its_embedding(tmp_path, kind):
    concept = learned(DiffusersHost(tiny_pipe(kind)))
    path = save_concept(concept, tmp_path, "x")
    read, tensors = load_concept(path), load_file(path)
    assert read.weights.keys() == concept.weights.keys()
    assert all(torch.equal(read.weights[n].up, pair.up) for n, pair in concept.weights.items())
    for encoder, vectors in concept.vectors.items():
        suffix = ".string_to_param.*" if kind == "sd1" else f".{encoder}"
        [key] = [k for k in tensors if k.startswith("bundle_emb.") and k.endswith(suffix)]  # as ComfyUI looks for it
        assert torch.equal(tensors[key], vectors)


def test_edited_weights_are_refused(tmp_path):
    path = save_concept(learned(DiffusersHost(tiny_pipe("sd1"))), tmp_path, "x")
    with safe_open(path, "pt") as file:
        about = file.metadata()
    tensors = load_file(path)
    name = next(n for n in tensors if n.endswith("lora_up.weight"))
    nan = torch.full_like(tensors[name], float("nan"))
    for change, told in (
        (0.5 * tensors[name], "was changed"),
        (tensors[name][:, :2], "are no weights of"),
        (nan, "not finite"),
        (None, "lacks"),
    ):
        changed = {n: t for n, t in tensors.items() if n != name} | ({} if change is None else {name: change.clone()})
        save_file(changed, path, about)
        with pytest.raises(SealError, match=told):
            load_concept(path)


def test_a_concept_without_weights_has_no_lora():
    with pytest.raises(SealError, match="load its embedding"):
        lora_bytes(Concept("<x>", "cat", {"clip_l": torch.zeros(1, 768)}, Family("sd1", (("clip_l", 768),))))


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_diffusers_loads_the_lora_and_draws_the_same(tmp_path, kind):
    pytest.importorskip("peft")
    pipe = tiny_pipe(kind)
    host = DiffusersHost(pipe)
    concept = learned(host)
    path = save_lora(concept, tmp_path, "x")
    routed = generate_context(host, concept, "a <x> jumping")
    negative = host.encode([Prompt("")], {})

    def drawn(positive):
        generator = torch.Generator().manual_seed(3)
        return sample(host, positive, negative, height=64, width=64, steps=4, cfg=4.0, generator=generator)

    ours, plain = drawn(routed), drawn(routed.learned)
    cls = diffusers.StableDiffusionXLPipeline if kind == "sdxl" else diffusers.StableDiffusionPipeline
    cls.load_lora_weights(pipe, str(path.parent), weight_name=path.name)
    theirs = drawn(routed.learned)
    assert (theirs - plain).abs().max() > 0.01
    assert torch.allclose(ours, theirs, atol=1e-4)
