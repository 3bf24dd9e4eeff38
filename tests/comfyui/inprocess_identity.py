"""What reuse of a trained file depends on: `PYTHON inprocess_identity.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import FOLDER, apply, make_clip, make_model, plain, randomise, run, sample

# isort: split

import io

import comfy.hooks
import torch
from comfy_extras.nodes_freelunch import FreeU, FreeU_V2
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete, RescaleCFG
from loading_kit import KEY, TEXT_KEY, VAE, make_vae, train
from seal_pack.nodes.comfy.comfy_host import ComfyHost
from seal_pack.nodes.comfy.model_identity import identity
from seal_pack.nodes.train_embedding import SEALTrainEmbedding
from streamed import streamed_clip, streamed_model, streaming

import nodes as comfy_nodes

MODEL, CLIP = make_model(), make_clip(FOLDER)


def mark(model=None, clip=None, vae=None):
    found = identity(model or MODEL, clip or CLIP, vae or VAE)
    assert not found.unread, found.unread
    return found.hash


def first(output):
    return getattr(output, "result", output)[0]


def ran(node, *args):
    """A core node's first output; some have V3's execute, some their own function."""
    if hasattr(node, "execute"):
        return first(node.execute(*args))
    return first(getattr(node(), node.FUNCTION)(*args))


def patched(patcher, key, strength, seed=9, size=0.1):
    clone = patcher.clone()
    shape = getattr(patcher, "patcher", patcher).model.state_dict()[key].shape
    patch = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * size
    clone.add_patches({key: (patch,)}, strength)
    return clone


def check_settings_of_model_patches_count():
    for node in (FreeU, FreeU_V2):
        made = [mark(ran(node, MODEL, b1, 1.2, 0.9, 0.2)) for b1 in (1.1, 1.1, 1.6)]
        assert made[0] == made[1] != made[2] and made[0] != mark(), node
    assert mark(ran(FreeU, MODEL, 1.1, 1.2, 0.9, 0.2)) != mark(ran(FreeU_V2, MODEL, 1.1, 1.2, 0.9, 0.2))


def check_they_count_the_same_after_sampling():
    model = ran(FreeU, MODEL, 1.1, 1.2, 0.9, 0.2)
    before = mark(model)
    sample(model, plain("a cat"))
    assert mark(model) == before == mark(ran(FreeU, MODEL, 1.1, 1.2, 0.9, 0.2))


def check_loras_count_by_strength_tensors_and_key():
    for wrap, source, key in ((lambda m: (m, None), MODEL, KEY), (lambda c: (None, c), CLIP, TEXT_KEY)):
        marks = [mark(*wrap(patched(source, key, *how))) for how in ((1.0,), (0.5,), (1.0, 8), (1.0, 9, 0.2))]
        assert len({mark(), *marks}) == 5, marks
        assert marks[0] == mark(*wrap(patched(source, key, 1.0)))
    other = KEY.replace("to_k", "to_v")
    assert mark(patched(MODEL, other, 1.0)) != mark(patched(MODEL, KEY, 1.0))


def check_loras_count_the_same_before_and_after_they_are_applied():
    model, clip = patched(MODEL, KEY, 1.0), patched(CLIP, TEXT_KEY, 1.0)
    before, bare = mark(model, clip), mark()
    sample(model, plain("a cat", clip))
    assert mark(model, clip) == before and mark() == bare != before
    sample(MODEL, plain("a cat"))
    assert mark(model, clip) == before and mark() == bare


def check_loras_that_are_applied_while_casting_count_the_same():
    model, clip = patched(make_model(), KEY, 1.0), patched(make_clip(FOLDER), TEXT_KEY, 1.0)
    before = mark(model, clip)
    for patcher in (model, clip.patcher):
        patcher.detach()
        patcher.partially_load(patcher.load_device, extra_memory=1)
        assert patcher.model.model_lowvram
    assert mark(model, clip) == before
    assert mark(patched(model, KEY, 0.5), clip) != before


def check_streamed_models_count_the_same_while_they_are_used():
    def parts():
        return patched(streamed_model(make_model), KEY, 1.0), patched(
            streamed_clip(lambda: make_clip(FOLDER)), TEXT_KEY, 1
        )

    with streaming():
        model, clip = parts()
        before = mark(model, clip)
        sample(model, plain("a cat", clip), plain("bad", clip))
        assert mark(model, clip) == before == mark(*parts())
        assert mark(patched(streamed_model(make_model), KEY, 0.5), clip) != before


def check_sampling_settings_count():
    settings = [(kind, zsnr) for kind in ("eps", "v_prediction") for zsnr in (False, True)]
    marks = [mark(ran(ModelSamplingDiscrete, MODEL, *how)) for how in settings]
    assert len(set(marks)) == 4
    assert marks == [mark(ran(ModelSamplingDiscrete, MODEL, *how)) for how in settings]
    model = ran(ModelSamplingDiscrete, MODEL, "v_prediction", True)
    before = mark(model)
    sample(model, plain("a cat"))
    assert mark(model) == before


def check_clip_skip_and_clip_hooks_count():
    def skipped(layer):
        return ran(comfy_nodes.CLIPSetLastLayer, CLIP, layer)

    assert len({mark(), mark(clip=skipped(-1)), mark(clip=skipped(-2))}) == 3
    assert mark(clip=skipped(-2)) == mark(clip=skipped(-2))

    def hooked(strength, seed=9):
        weights = {TEXT_KEY: (torch.randn(128, 64, generator=torch.Generator().manual_seed(seed)),)}
        clip = CLIP.clone()
        hooks = comfy.hooks.create_hook_model_as_lora(weights, weights, strength, strength)
        clip.patcher.forced_hooks = hooks
        return clip

    assert identity(MODEL, hooked(1.0), VAE).hash == identity(MODEL, hooked(1.0), VAE).hash
    assert len({identity(MODEL, hooked(*how), VAE).hash for how in ((1.0,), (0.5,), (1.0, 8))}) == 3


def check_what_only_sampling_reads_does_not_count():
    assert mark(ran(RescaleCFG, MODEL, 0.7)) == mark()


def check_other_weights_count():
    other = make_model()
    randomise(other.model.diffusion_model, 7)
    assert mark(other) != mark() == mark(make_model(), make_clip(FOLDER), make_vae())
    assert mark(vae=make_vae(seed=8)) != mark()


def check_wired_and_other_models_in_patches():
    def with_model(held):
        model = MODEL.clone()
        model.set_model_output_block_patch(lambda h, hsp, options: (h, hsp) if held else None)
        return model

    assert mark(with_model(MODEL)) == mark(with_model(MODEL.clone()))
    assert mark(with_model(make_model())) == mark(with_model(make_model()))
    other = make_model()
    randomise(other.model.diffusion_model, 7)
    assert mark(with_model(other)) != mark(with_model(make_model()))
    assert mark(apply(MODEL)) == mark(apply(MODEL))


def check_routing_on_the_model_changes_no_training():
    assert mark(apply(MODEL)) == mark(MODEL)
    assert ComfyHost(apply(MODEL), CLIP, VAE).stages() is not None


def check_what_cannot_be_read_is_trained_anew_and_said():
    held = io.BytesIO()  # written in C: no attributes to read
    model = MODEL.clone()
    model.set_model_output_block_patch(lambda h, hsp, options: (h, hsp) if held else None)
    assert identity(model, CLIP, VAE).unread == ("_io.BytesIO",)
    names = []
    for _ in range(2):
        learned, report = train(model, CLIP, name="unread")
        assert "reused" not in report and any("_io.BytesIO" in w and "anew" in w for w in report["warnings"])
        names.append(learned.file)
    assert names == ["unread", "unread-2"]


def check_a_deleted_file_is_asked_for_again():
    ask = SEALTrainEmbedding.fingerprint_inputs
    before, wired = ask(name="deleted", seed=1), ask(seed=1)
    train(MODEL, CLIP, name="deleted")
    assert ask(name="deleted", seed=1) == before and ask(seed=1) == wired
    (FOLDER / "deleted.safetensors").unlink()
    after = ask(name="deleted", seed=1)
    assert after != before and ask(seed=1) != wired and ask(name="other") == 0
    _, report = train(MODEL, CLIP, name="deleted")
    assert "reused" not in report and ask(name="deleted") == after, "once is enough"
    _, report = train(MODEL, CLIP, name="deleted")
    assert report["reused"] and ask(name="deleted") == after
    (FOLDER / "deleted.safetensors").unlink()
    assert ask(name="deleted") not in (before, after)


run(globals())
