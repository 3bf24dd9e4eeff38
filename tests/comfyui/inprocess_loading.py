"""Training on models whose weights are streamed, and after sampling: `PYTHON inprocess_loading.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import Log, make_model, plain, refused, run, sample

# isort: split

import gc
import logging
import weakref

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.sd
import torch
from comfy_api.torch_helpers import set_torch_compile_wrapper
from loading_kit import VAE, clip_of_files, gradients, opened, streamed, train, with_lora
from seal_pack.nodes.comfy import tiny_model, trainable_models
from seal_pack.nodes.comfy.comfy_host import ComfyHost
from seal_pack.nodes.semantic_mask import SemanticMask
from seal_pack.seal_core.hosts.base import Prompt
from streamed import StreamedPatcher, streaming


def same(one, other):
    return all(torch.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(one, other, strict=True))


def weights(*roots):
    return [{name: tensor.clone() for name, tensor in root.state_dict().items()} for root in roots]


def equal(one, other):
    return all(
        a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a) for a, b in zip(one, other, strict=True)
    )


def check_gradients_of_streamed_models_are_those_of_static_ones():
    with streaming():
        for patched in (lambda *parts: parts, with_lora):
            assert same(gradients(*patched(*streamed())), gradients(*patched(make_model(), clip_of_files())))


def check_the_stand_in_computes_what_static_models_compute():
    with streaming():
        for patched in (lambda *parts: parts, with_lora):
            pictures = []
            for model, clip in (streamed(), (make_model(), clip_of_files())):
                model, clip = patched(model, clip)
                pictures.append(sample(model, plain("a cat", clip), plain("bad", clip)))
            assert torch.allclose(*pictures, rtol=1e-4, atol=1e-5), (pictures[0] - pictures[1]).abs().max()


def check_sampling_first_and_training_then():
    with streaming():
        for model, clip in (streamed(), (make_model(), clip_of_files())):
            expected = gradients(*with_lora(make_model(), clip_of_files()))
            patched = with_lora(model, clip)
            sample(patched[0], plain("a cat", patched[1]), plain("bad", patched[1]))
            assert same(gradients(*patched), expected)
            sample(model, plain("a cat", clip), plain("bad", clip))  # takes the LoRA off again
            assert same(gradients(*patched), expected)
            assert same(gradients(model, clip), gradients(make_model(), clip_of_files()))


def check_wired_models_are_as_before_and_copies_are_gone():
    with streaming():
        model, clip = with_lora(*streamed())
        positive, negative = plain("a cat", clip), plain("bad", clip)
        before, picture = weights(model.model, clip.cond_stage_model), sample(model, positive, negative)
        wired = (model.model, clip.cond_stage_model)
        seen = []
        for error in (None, ValueError("broken")):
            try:
                with torch.inference_mode(False), ComfyHost(model, clip, VAE) as host:
                    host.encode([Prompt("a cat")], {})
                    assert host.copied_bytes > 0
                    assert host.unet is host.model.model.diffusion_model is not model.model.diffusion_model
                    assert host.clip.cond_stage_model is host.clip.patcher.model is not clip.cond_stage_model
                    seen += [weakref.ref(host.model.model), weakref.ref(host.clip.cond_stage_model)]
                    if error:
                        raise error
            except ValueError:
                pass
            assert (host.model, host.clip, host.unet) == (model, clip, model.model.diffusion_model)
        gc.collect()
        assert not any(ref() for ref in seen), "copies stay in memory"
        assert all(entry.model is not None for entry in comfy.model_management.current_loaded_models)
        assert wired == (model.model, clip.cond_stage_model) and equal(weights(*wired), before)
        assert torch.equal(plain("a cat", clip)[0][0], positive[0][0])
        assert torch.equal(sample(model, positive, negative), picture)


def check_train_add_a_lora_train_again():
    with streaming():
        model, clip = streamed()
        sample(model, plain("a cat", clip), plain("bad", clip))
        first, report = train(model, clip, name="streamed")
        assert report["copied_bytes"] > 0 and "reused" not in report
        _, again = train(model, clip, name="streamed")
        assert again["reused"] == "streamed.safetensors"
        more, with_more = train(*with_lora(model, clip), name="streamed")
        assert "reused" not in with_more and with_more["losses"] != report["losses"]
        static, plainly = train(make_model(), clip_of_files(), name="static")
        assert "copied_bytes" not in plainly
        assert all(torch.allclose(first.vectors[k], static.vectors[k], atol=1e-5) for k in first.vectors)
        static, _ = train(*with_lora(make_model(), clip_of_files()), name="static")
        assert all(torch.allclose(more.vectors[k], static.vectors[k], atol=1e-5) for k in more.vectors)


def check_the_core_knows_that_gradients_flow():
    manage = comfy.model_management
    if not hasattr(manage, "in_training"):
        return
    with torch.inference_mode(False), ComfyHost(make_model(), clip_of_files(), VAE):
        assert manage.in_training is True
    assert manage.in_training is False


def check_what_was_loaded_in_part_before_is_loaded_whole():
    model, clip = with_lora(make_model(), clip_of_files())
    for patcher in (model, clip.patcher):
        patcher.detach()
        patcher.partially_load(patcher.load_device, extra_memory=1)
        assert patcher.model.model_lowvram, "the LoRA is applied while casting, as with too little memory"
    assert same(gradients(model, clip), gradients(*with_lora(make_model(), clip_of_files())))


def check_a_mask_by_attention_needs_no_copy():
    with streaming():
        model, clip = streamed()
        model.cached_patcher_init = None
        image = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(1))
        given = {"method": "attention", "grow": 0, "feather": 0.0, "vae": VAE, "class_word": "cat"}
        masks = [
            SemanticMask.execute(image, model=parts[0], clip=parts[1], **given).result[0]
            for parts in ((model, clip), (make_model(), clip_of_files()))
        ]
    assert torch.equal(*masks) and 0 < masks[0].mean() < 1


def check_a_mask_by_attention_asks_for_no_more_memory_than_sampling():
    """Only a backward pass needs whole models and several times the room."""
    asked, load = [], comfy.model_management.load_models_gpu

    def keep(models, **wanted):
        asked.extend([wanted] * (len(models) == 2))  # encoder and U-Net; ComfyUI loads single ones itself
        return load(models, **wanted)

    comfy.model_management.load_models_gpu = keep
    try:
        for trains in (False, True):
            with torch.inference_mode(False), ComfyHost(make_model(), clip_of_files(), VAE, gradients=trains) as host:
                host.encode([Prompt("a cat")], {})
    finally:
        comfy.model_management.load_models_gpu = load
    mask, training = asked
    assert not mask["force_full_load"] and training["force_full_load"]
    assert mask["memory_required"] < training["memory_required"]


def check_fp8_weights_can_be_trained_through():
    model = make_model()
    model.model.diffusion_model.to(torch.float8_e4m3fn)
    model.set_model_compute_dtype(torch.float32)
    clip = clip_of_files()
    sample(model, plain("a cat", clip), plain("bad", clip))
    assert all(torch.isfinite(grad).all() and grad.abs().max() > 0 for grad in gradients(model, clip))


def check_layers_that_multiply_in_fp8_can_be_trained_through():
    """With --fast on newer cards, and the weight type fp8_e4m3fn_fast."""
    found, clip = [], clip_of_files()
    for fast in (False, True):
        model = make_model()
        layers = [m for m in model.model.diffusion_model.modules() if isinstance(m, torch.nn.Linear)]
        for layer in layers:
            layer.__class__ = comfy.ops.fp8_ops.Linear if fast else comfy.ops.manual_cast.Linear
            layer.comfy_cast_weights = True
            layer.to(torch.float8_e4m3fn)
        model.set_model_compute_dtype(torch.float32)
        with Log(logging.INFO) as log:
            found.append(gradients(model, clip))
        assert not [line for line in log.lines if "fp8" in line], "a line for each layer and pass"
        assert not any("forward" in vars(layer) for layer in layers)
    assert equal([dict(enumerate(found[0]))], [dict(enumerate(found[1]))])


def check_compiled_models_are_trained_through_as_they_were_written():
    """Each hook of the method would have torch compile the whole U-Net again."""
    model, clip, graphs = make_model(), clip_of_files(), []
    compiled = model.clone()
    set_torch_compile_wrapper(compiled, backend=lambda graph, inputs: graphs.append(graph) or graph)
    assert equal(*([dict(enumerate(gradients(one, clip)))] for one in (model, compiled)))
    assert not graphs


def check_attributes_made_under_inference_mode_reach_no_graph():
    model = make_model()
    layer = model.model.diffusion_model.output_blocks[0][0]
    layer.kept = torch.ones(2)
    layer.register_buffer("scale", torch.ones(2))
    guard = trainable_models.Gradients()
    with torch.inference_mode(False):
        guard.let_through(model.model)
        assert not layer.kept.is_inference() and not layer.scale.is_inference()


def check_the_demo_model_loads_where_layers_have_no_weights_before():
    ordinary = tiny_model.load_tiny_model()
    try:
        import comfy.memory_management
    except ImportError:  # an older ComfyUI
        return
    core = comfy.model_patcher.CoreModelPatcher
    try:
        comfy.memory_management.aimdo_enabled = True
        comfy.model_patcher.CoreModelPatcher = StreamedPatcher
        parts = tiny_model.load_tiny_model()
        original = tiny_model.read_model

        def broken(path):
            file = original(path)
            name = next(n for n in file.text_encoder if n.endswith("fc1.weight"))
            file.text_encoder[name] = file.text_encoder[name][:, :-1]
            return file

        tiny_model.read_model = broken
        with refused("text_encoder: 1 weights do not fit.*fc1.weight"):
            tiny_model.load_tiny_model()
        tiny_model.read_model = original
    finally:
        comfy.memory_management.aimdo_enabled = False
        comfy.model_patcher.CoreModelPatcher = core
    roots = [[p[0].model, p[1].cond_stage_model, p[2].first_stage_model] for p in (parts, ordinary)]
    assert equal(weights(*roots[0]), weights(*roots[1]))
    opened(*parts[:2])


run(globals())
