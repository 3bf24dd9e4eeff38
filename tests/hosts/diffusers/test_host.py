"""DiffusersHost on tiny random pipelines of the three families."""

from __future__ import annotations

import copy

import pytest
import torch
from diffusers import DDIMScheduler
from tiny import KINDS, WORDS, tiny_pipe, weights

from seal_core.hosts.base import Prompt
from seal_core.hosts.diffusers.host import DiffusersHost, passing_gradients
from seal_core.messages import SealError


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def pipe(kind):
    return tiny_pipe(kind)


@pytest.fixture(scope="module")
def host(pipe):
    return DiffusersHost(pipe)


def learned(host, count=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {"concept": {e: torch.randn(count, w, generator=generator).requires_grad_() for e, w in host.family.widths}}


def noise(batch=1, size=16, seed=1):
    return torch.randn(batch, 4, size, size, generator=torch.Generator().manual_seed(seed))


# Text


def test_plain_context_is_the_pipelines_own(pipe, host, kind):
    """Padding, layer choice, pooling: what the pipeline's encode_prompt makes of the same text."""
    texts = ["a cute cat, beach background", ""]
    ours = host.encode([Prompt(t) for t in texts], {})
    for row, text in enumerate(texts):
        with torch.no_grad():
            if kind == "sdxl":
                cross, _, pooled, _ = pipe.encode_prompt(text, device="cpu", do_classifier_free_guidance=False)
                assert torch.allclose(ours.pooled[row], pooled[0], atol=1e-5)
            else:
                cross = pipe.encode_prompt(text, "cpu", 1, False)[0]
                assert ours.pooled is None
        assert torch.allclose(ours.cross[row], cross[0], atol=1e-5)


def test_vocabulary_rows_as_vectors_are_the_word_itself(host):
    """A learned vector that equals a word's row gives the word's context, the pooled vector included."""
    rows = {e: host.vocabulary(e)[host.token_ids(e, "cat dog")].clone() for e in host.family.encoders}
    slot = host.encode([Prompt("a sticker of {concept}, sleepy")], {"concept": rows})
    word = host.encode([Prompt("a sticker of cat dog, sleepy")], {})
    assert torch.equal(slot.cross, word.cross)
    assert slot.pooled is None or torch.equal(slot.pooled, word.pooled)


def test_positions(host):
    vectors = {**learned(host, 3), "background": learned(host, 1)["concept"]}
    texts = ["a sticker of {concept}, {background} background", "{background} {concept}", "{concept} of {concept}", "a"]
    context = host.encode([Prompt(t) for t in texts], vectors)
    before = 1 + len(host.token_ids(host.family.encoders[0], "a sticker of"))
    assert context.positions[0] == {"concept": (before, before + 1, before + 2), "background": (before + 4,)}
    assert context.positions[1] == {"background": (1,), "concept": (2, 3, 4)}
    assert context.positions[2] == {"concept": (1, 2, 3, 5, 6, 7)}
    assert context.positions[3] == {}
    assert context.cross.shape[:2] == (4, host.max_tokens) and context.cross.dtype == torch.float32


def test_a_position_changes_only_what_follows(host):
    """The text model is causal: other vectors change the context from their position on, and nothing before."""
    one = host.encode([Prompt("a sticker of {concept}, sleepy")], learned(host))
    other = host.encode([Prompt("a sticker of {concept}, sleepy")], learned(host, seed=5))
    first = one.positions[0]["concept"][0]
    assert torch.equal(one.cross[:, :first], other.cross[:, :first])
    assert not torch.isclose(one.cross[:, first:], other.cross[:, first:]).all()


def test_every_word_is_one_token_and_marks_are_marks(host):
    for encoder in host.family.encoders:
        assert all(len(host.token_ids(encoder, w)) == 1 for w in WORDS)
        assert host.token_ids(encoder, "") == []
        # "!" is also the padding of SD 2.x and of SDXL's second tokenizer: text never means that token
        assert host._encoder(encoder).tokenizer.pad_token_id not in host.token_ids(encoder, "cat! <|endoftext|>")


def test_too_long_a_prompt(host):
    fits = Prompt(" ".join(["cat"] * 73) + " {concept}")
    assert host.encode([fits], learned(host)).positions[0]["concept"] == (74, 75) or host.max_tokens != 77
    with pytest.raises(SealError, match=r"prompts: .*78 tokens.*77"):
        host.encode([Prompt("cat " + fits.text)], learned(host))


def test_a_slot_without_vectors(host):
    with pytest.raises(SealError, match=r"prompts: \{strange\}"):
        host.encode([Prompt("a {strange} cat")], {})


# Gradients


def loss_of(host, vectors, x, target):
    context = host.encode([Prompt("a sticker of {concept}")] * len(x), vectors)
    return (host.denoise(x, torch.tensor([3.0] * len(x)), context) - target).square().mean()


def test_gradient_reaches_every_vector_and_no_weight(pipe, host):
    vectors = learned(host)
    loss_of(host, vectors, noise(), noise()).detach()  # transformers keeps hooks of its own from the first pass on
    modules = [m for m in pipe.components.values() if isinstance(m, torch.nn.Module)]
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for module in modules for m in module.modules()]
    before = weights(pipe)
    for module in modules:
        module.requires_grad_(True)
    pipe.unet.train()
    loss_of(host, vectors, noise(2), noise(2, seed=2)).backward()
    assert all((v.grad.abs().sum(dim=1) > 0).all() for v in vectors["concept"].values())
    assert all(p.grad is None and p.requires_grad for m in modules for p in m.parameters())
    assert pipe.unet.training and not pipe.vae.training
    assert all(torch.equal(t, before[name]) for name, t in weights(pipe).items())
    assert hooks == [len(m._forward_hooks) + len(m._forward_pre_hooks) for module in modules for m in module.modules()]
    pipe.unet.eval()


def test_finite_differences(pipe):
    """The gradient along a direction is the slope of the loss."""
    host = DiffusersHost(pipe)
    vectors, x, target = learned(host, 1), noise(), noise(seed=2)
    directions = {e: v.detach() for e, v in learned(host, 1, seed=7)["concept"].items()}
    loss_of(host, vectors, x, target).backward()
    slope = sum(float((v.grad * directions[e]).sum()) for e, v in vectors["concept"].items())

    def moved(step):
        shifted = {e: v.detach() + step * directions[e] for e, v in vectors["concept"].items()}
        with torch.no_grad():
            return float(loss_of(host, {"concept": shifted}, x, target))

    size = 3e-2
    steps = [(moved(size * k) - moved(-size * k)) / (2 * size * k) for k in (1, 2)]
    measured = (4 * steps[0] - steps[1]) / 3  # Richardson: the cubic term cancels
    assert measured == pytest.approx(slope, rel=0.03, abs=2e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(kind, dtype):
    pipe = tiny_pipe(kind)
    pipe.to(dtype)
    host = DiffusersHost(pipe)
    vectors = learned(host)
    context = host.encode([Prompt("a sticker of {concept}")], vectors)
    x0 = host.denoise(noise(), torch.tensor([14.6]), context)
    (x0.square().mean() * 2.0**10).backward()
    assert x0.dtype == context.cross.dtype == torch.float32 and host.dtype == dtype
    assert x0.isfinite().all() and all(v.grad.isfinite().all() for v in vectors["concept"].values())
    assert all(float(v.grad.abs().sum()) > 0 for v in vectors["concept"].values())
    latents = host.encode_image(torch.rand(1, 128, 128, 3))
    assert latents.isfinite().all() and host.decode_latents(latents).isfinite().all()
    assert pipe.text_encoder.dtype == pipe.vae.dtype == dtype  # the host worked on copies


def test_half_is_near_full_precision(kind):
    full, half = tiny_pipe(kind), tiny_pipe(kind)
    half.to(torch.bfloat16)
    outputs = []
    for pipe in (full, half):
        host = DiffusersHost(pipe)
        with torch.no_grad():
            context = host.encode([Prompt("a cute cat")], {})
            outputs.append(host.denoise(noise(), torch.tensor([1.0]), context))
    assert float((outputs[0] - outputs[1]).norm() / outputs[0].norm()) < 0.03


# Noise levels and x_0


def test_sigmas_are_the_schedules(pipe, host):
    kept = pipe.scheduler.alphas_cumprod.double()
    assert torch.allclose(host.sigmas.double(), ((1 - kept) / kept).sqrt(), rtol=1e-4)
    assert (host.sigmas.diff() > 0).all() and host.sigmas.dtype == torch.float32
    assert host.timestep(host.sigmas[[0, 17, 500, 999]]).tolist() == [0, 17, 500, 999]


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_x0_of_a_known_output(kind, prediction):
    """If the U-Net answers with its target, x_0 is the clean picture, and its input has unit variance.

    If it is off by an error, the weighted error of x_0 is that error's square.
    """
    pipe = tiny_pipe(kind)
    pipe.scheduler.register_to_config(prediction_type=prediction)
    host = DiffusersHost(pipe)
    clean, noise_, error = noise(2), noise(2, seed=3), noise(2, seed=4)
    sigma = host.sigmas[[120, 800]]
    wide = sigma[:, None, None, None]
    alpha, spread = (wide**2 + 1).rsqrt(), wide * (wide**2 + 1).rsqrt()
    target = {"epsilon": noise_, "v_prediction": alpha * noise_ - spread * clean, "sample": clean}[prediction]
    seen, answer = {}, target

    def forward(sample, timestep, encoder_hidden_states, added_cond_kwargs=None, return_dict=True):
        seen.update(sample=sample, timestep=timestep, added=added_cond_kwargs)
        return (answer,)

    context = host.encode([Prompt("a cat")] * 2, {})
    host.unet.forward = forward
    noisy = host.add_noise(clean, noise_, sigma)
    assert torch.allclose(host.denoise(noisy, sigma, context), clean, atol=1e-4)
    answer = target + error
    off = (host.denoise(noisy, sigma, context) - clean).square() * host.loss_weight(sigma)[:, None, None, None]
    assert torch.allclose(off, error.square(), rtol=2e-3, atol=1e-4)
    assert torch.allclose(seen["sample"], alpha * clean + spread * noise_, atol=1e-5)
    assert seen["timestep"].tolist() == [120, 800]
    if kind == "sdxl":
        assert seen["added"]["time_ids"].tolist() == [[128, 128, 0, 0, 128, 128]] * 2


def test_size_conditioning_is_rows_first():
    host = DiffusersHost(tiny_pipe("sdxl"))
    assert host._sizes(torch.zeros(1, 4, 10, 20)).tolist() == [[80, 160, 0, 0, 80, 160]]


def test_zero_terminal_snr_stays_finite():
    pipe = tiny_pipe("sd2v")
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, rescale_betas_zero_snr=True)
    host = DiffusersHost(pipe)
    assert host.sigmas.isfinite().all() and host.sigmas[-1] > 1000
    weights = host.loss_weight(host.sigmas)
    assert weights.isfinite().all() and weights[-1] == pytest.approx(1.0)
    with torch.no_grad():
        x = noise() * host.sigmas[-1]
        assert host.denoise(x, host.sigmas[-1:], host.encode([Prompt("cat")], {})).isfinite().all()


# The U-Net's layers


def execution_order(host, modules):
    order = []
    hooks = [m.register_forward_pre_hook(lambda module, args: order.append(module)) for m in modules]
    with torch.no_grad():
        host.denoise(noise(), torch.tensor([1.0]), host.encode([Prompt("cat")], {}))
    for hook in hooks:
        hook.remove()
    return order


def test_sites_are_in_execution_order(host, kind):
    sites = host.sites()
    modules = [s.module for s in sites]
    assert execution_order(host, modules) == modules
    parts = [s.part for s in sites]
    assert parts == sorted(parts, key=("down", "mid", "up").index)
    assert len(sites) == sum(name.endswith("attn2") for name, _ in host.unet.named_modules())
    assert len({s.name for s in sites}) == len(sites) and sites[0].name == "down.0"
    beside = host.self_attentions()
    assert [scale for scale, _ in beside] == [s.scale for s in sites]
    assert execution_order(host, [m for _, m in beside]) == [m for _, m in beside]


@pytest.mark.parametrize("size", [(16, 16), (12, 20), (10, 14)])
def test_map_sizes(host, size):
    seen = {}
    hooks = [
        s.module.to_q.register_forward_hook(lambda m, a, out, n=s.name: seen.__setitem__(n, out.shape[1]))
        for s in host.sites()
    ]
    with torch.no_grad():
        host.denoise(torch.randn(1, 4, *size), torch.tensor([1.0]), host.encode([Prompt("cat")], {}))
    for hook in hooks:
        hook.remove()
    for site in host.sites():
        rows, columns = site.map_size(*size)
        assert seen[site.name] == rows * columns


def test_stages_cover_every_layer_once_in_order(host):
    stages = host.stages()
    layers = [layer for stage in stages for layer in stage.layers]
    assert execution_order(host, layers) == layers
    assert sum(s.pushes for s in stages) == sum(s.pops for s in stages)
    inside = {p for layer in layers for p in layer.parameters()}
    outside = [n for n, p in host.unet.named_parameters() if p not in inside]
    assert all(n.startswith(("time_", "add_", "conv_norm_out", "conv_out")) for n in outside)


# Images, identity


def test_images(host):
    images = torch.rand(2, 128, 96, 3)
    latents = host.encode_image(images)
    assert latents.shape == (2, 4, 16, 12) and latents.dtype == torch.float32 and not latents.requires_grad
    assert torch.equal(latents, host.encode_image(images))
    decoded = host.decode_latents(latents)
    assert decoded.shape == images.shape and decoded.min() >= 0 and decoded.max() <= 1


def test_fingerprint_tells_weights_apart(pipe, host, kind):
    assert host.fingerprint() == DiffusersHost(tiny_pipe(kind)).fingerprint()
    other = tiny_pipe(kind)
    with torch.no_grad():
        other.unet.up_blocks[-1].resnets[0].conv1.weight += 1e-3
    assert DiffusersHost(other).fingerprint() != host.fingerprint()
    assert DiffusersHost(tiny_pipe(kind, seed=1)).fingerprint() != host.fingerprint()


def test_properties(host, kind):
    assert (host.resolution, host.max_tokens) == (128, 77)
    assert host.prediction == ("v_prediction" if kind == "sd2v" else "epsilon")
    assert host.family.name == "custom"
    assert host.family.encoders == (("clip_l", "clip_g") if kind == "sdxl" else ("clip_l",))
    with host as same:
        assert same is host


def test_flags_are_restored_after_an_exception():
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout()).train()
    module[0].bias.requires_grad_(False)
    before = copy.deepcopy([(p.requires_grad) for p in module.parameters()])
    with pytest.raises(KeyError), passing_gradients(module):
        assert not module.training and not any(p.requires_grad for p in module.parameters())
        raise KeyError
    assert [p.requires_grad for p in module.parameters()] == before and all(m.training for m in module.modules())
