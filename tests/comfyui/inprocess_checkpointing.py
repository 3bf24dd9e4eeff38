"""Gradient checkpointing on ComfyUI's own classes: `PYTHON inprocess_checkpointing.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import CLIP, FOLDER, MODEL, make_clip, make_model, run

# isort: split

import copy
from dataclasses import replace

import comfy.model_management
import torch
from activation_memory import saved
from inprocess_train import VAE, state, sticker
from seal_pack.nodes.comfy.comfy_host import ComfyHost
from seal_pack.seal_core.concept.settings import Layers, LowRankSpec, Tokens
from seal_pack.seal_core.method import checkpointing
from seal_pack.seal_core.method.configure import configure
from seal_pack.seal_core.method.references import Reference
from seal_pack.seal_core.method.training import Training

WIRED = {"sd1": (MODEL, CLIP), "sdxl": (make_model(xl=True), make_clip(FOLDER, xl=True))}
MODES = ("off", "on")


def config(sites="up", **changes):
    made = configure("paper", name="x", class_word="cat", steps=4, resolution=64)
    full = {"weights": LowRankSpec(2, parts="attn2, attn1, ff"), "weights_locality": 10.0, "pool": 2, "views": 2}
    return replace(made, layers=Layers(sites), tokens=Tokens("<x>", "cat", split=2), **{**full, **changes})


def started(host, settings):
    """A training whose weights have moved a little, so that both factors have a gradient."""
    image, mask = sticker()
    training = Training(host, [Reference(image[0], mask[0])], settings)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for tensor in training.step.weights.parameters():
            tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
    return training


def stepped(model, clip, settings):
    """(bytes saved by the last of three steps, gradients of all)."""
    found = []
    with torch.inference_mode(False), ComfyHost(model, clip, VAE) as host:
        training = started(host, settings)
        frozen = [*host.unet.parameters(), *host.clip.cond_stage_model.parameters()]
        moved = [*training.learned.parameters(), *training.step.weights.parameters()]
        for _ in range(3):
            with saved([*frozen, *moved], checkpointing) as counted:
                loss, _ = training.step.loss(training.examples.next(1))
            found.append(torch.autograd.grad(loss, moved))
    return counted.bytes, found


def check_gradients_are_the_same_to_the_last_bit_and_fewer_bytes_are_saved():
    for name, (model, clip) in WIRED.items():
        for sites in ("up", "all"):
            (whole, one), (little, other) = (stepped(model, clip, config(sites, checkpointing=mode)) for mode in MODES)
            for a, b in zip(one, other, strict=True):
                assert all(torch.equal(x, y) and float(x.abs().max()) > 0 for x, y in zip(a, b, strict=True)), name
            assert little < 0.6 * whole, (name, sites, little, whole)


def check_no_copies_of_a_half_precision_text_encoders_weights_are_kept():
    """ComfyUI computes in float32 with float16 weights: autograd would save a copy of each."""
    half = copy.copy(CLIP)
    half.patcher = CLIP.patcher.clone()
    half.cond_stage_model = half.patcher.model = copy.deepcopy(CLIP.cond_stage_model).half()
    (whole, one), (little, other) = (
        stepped(MODEL, half, config(checkpointing=mode, weights_locality=0.0)) for mode in MODES
    )
    layers = [m for m in half.cond_stage_model.modules() if type(m).__name__ == "CLIPLayer"]
    copies = 4 * sum(p.numel() for layer in layers for p in layer.parameters() if p.ndim > 1)
    assert layers and whole - little > 0.9 * copies, (whole, little, copies)
    assert all(torch.equal(x, y) for a, b in zip(one, other, strict=True) for x, y in zip(a, b, strict=True))


def check_auto_goes_by_comfyuis_free_memory():
    free = comfy.model_management.get_free_memory
    for bytes_free, wanted in ((1 << 40, False), (1 << 10, True)):
        comfy.model_management.get_free_memory = lambda *args, _free=bytes_free, **kwargs: _free
        try:
            with torch.inference_mode(False), ComfyHost(MODEL, CLIP, VAE) as host:
                training = started(host, config())
                training.step.loss(training.examples.next(1))[0].backward()
                assert training.step.checkpointing.wanted(training.examples.next(1).latents) is wanted
        finally:
            comfy.model_management.get_free_memory = free


def check_other_packs_code_in_the_unet_runs_once():
    ran = []
    patched = MODEL.clone()
    patched.set_model_attn1_patch(lambda q, k, v, options: ran.append(options["block"]) or (q, k, v))
    counts = []
    for mode in MODES:
        ran.clear()
        stepped(patched, CLIP, config(checkpointing=mode))
        counts.append(len(ran))
    assert counts[0] == counts[1] > 0, counts


def check_the_models_stay_as_they_were():
    for model, clip in WIRED.values():
        before = state(model.model.diffusion_model, clip.cond_stage_model)
        stepped(model, clip, config(checkpointing="on"))
        assert state(model.model.diffusion_model, clip.cond_stage_model) == before


def needed(host, settings):
    """The least memory with which a step keeps everything."""
    image, mask = sticker()
    training = Training(host, [Reference(image[0], mask[0])], settings)
    latents, low, high = training.examples.next(1).latents, 0, 1 << 40
    while high - low > 1:
        spare = (low + high) // 2
        host.spare_memory = lambda spare=spare: spare
        checks = checkpointing.Checkpointing(host, training.step.allowed, settings)
        low, high = (spare, high) if checks.wanted(latents) else (low, spare)
    return high


def check_copies_of_weights_that_are_cast_count():
    """fp8 weights, and half-precision ones where a card computes in single: backward keeps a copy of each."""
    cast, settings = make_model(), config(weights=LowRankSpec(), weights_locality=0.0, pool=0)
    cast.model.diffusion_model.to(torch.float8_e4m3fn)
    cast.set_model_compute_dtype(torch.float32)
    kept, reckoned = [], []
    for model in (make_model(), cast):
        kept.append(stepped(model, CLIP, replace(settings, checkpointing="off"))[0])
        with torch.inference_mode(False), ComfyHost(model, CLIP, VAE) as host:
            reckoned.append(needed(host, replace(settings, checkpointing="auto")))
    copies = kept[1] - kept[0]
    assert copies > 0.2 * kept[0], "the step is large enough to tell"
    assert 0.8 * copies < reckoned[1] - reckoned[0] < 1.5 * copies, (copies, reckoned)


if __name__ == "__main__":
    run(globals())
