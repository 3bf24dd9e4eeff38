"""Routing next to ComfyUI's own nodes (areas, Concat, LoRA, ControlNet): `PYTHON inprocess_compat.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import (
    MODEL,
    NEGATIVE,
    NEVER,
    SITES,
    TEXT,
    UNET,
    Log,
    Recorder,
    apply,
    concept,
    learned,
    plain,
    randomise,
    read,
    run,
    sample,
)

# isort: split

import comfy.cldm.cldm
import comfy.controlnet
import comfy.ops
import torch

import nodes as comfy_nodes


def check_areas_masks_and_combine():
    x = concept()
    routed_part = learned(TEXT, x)
    area = comfy_nodes.ConditioningSetArea().append(routed_part, 32, 64, 0, 0, 1.0)[0]
    mask = torch.zeros(1, 64, 64)
    mask[:, 16:] = 1
    masked = comfy_nodes.ConditioningSetMask().append(learned("<x> on the moon", x), mask, "default", 1.0)[0]
    both = comfy_nodes.ConditioningCombine().combine(area, masked)[0] + plain("a forest")
    word_area = comfy_nodes.ConditioningSetArea().append(plain(TEXT.replace("<x>", "cat")), 32, 64, 0, 0, 1.0)[0]
    word_masked = comfy_nodes.ConditioningSetMask().append(plain("cat on the moon"), mask, "default", 1.0)[0]
    word_both = word_area + word_masked + plain("a forest")
    full, word = routed_part[0][0], word_area[0][0]
    for batch in (1, 2):
        with Recorder() as seen:
            sample(apply(), both, batch=batch, size=(8, 8))
        mine = torch.cat([r for r in seen.contexts["down.0"] if r.shape[0]])
        assert any(read(r[None], word) for r in mine) and not any(read(r[None], full) for r in mine)
        assert any(read(r[None], full) for r in torch.cat(seen.contexts["up.3"]))
    closed = concept(layers=NEVER)
    area = comfy_nodes.ConditioningSetArea().append(learned(TEXT, closed), 32, 64, 0, 0, 1.0)[0]
    masked = comfy_nodes.ConditioningSetMask().append(learned("<x> on the moon", closed), mask, "default", 1.0)[0]
    assert torch.equal(sample(apply(), area + masked + plain("a forest")), sample(MODEL, word_both))


def check_concat_average_zero():
    x, closed = concept(), concept(layers=NEVER)
    concat = comfy_nodes.ConditioningConcat().concat
    more = plain("in the snow")
    with Recorder() as seen:
        sample(apply(), concat(learned(TEXT, x), more)[0], cfg=1.0, steps=1)
    word = concat(plain(TEXT.replace("<x>", "cat")), more)[0]
    assert read(seen.contexts["down.0"][0], word[0][0]) and not read(seen.contexts["up.3"][0], word[0][0])
    assert torch.equal(sample(apply(), concat(learned(TEXT, closed), more)[0]), sample(MODEL, word))
    average = comfy_nodes.ConditioningAverage().addWeighted
    with Log() as log:
        untouched = average(learned(TEXT, closed), more, 1.0)[0]
        assert torch.equal(sample(apply(), untouched), sample(MODEL, plain(TEXT.replace("<x>", "cat"))))
        zero = comfy_nodes.ConditioningZeroOut().zero_out(learned(TEXT, x))[0]
        sample(apply(), plain("a"), zero)
    assert not log.lines, log.lines
    mixed = average(learned(TEXT, x), more, 0.5)[0]
    with Log() as log:
        assert torch.equal(sample(apply(), mixed), sample(MODEL, mixed))
    assert any("SEAL Route Conditioning" in line for line in log.lines)


def check_lost_route_is_said():
    x, y = learned(TEXT, concept()), learned("<y> <x>", concept(), concept("<y>", "dog", NEVER, seed=6))
    concat = comfy_nodes.ConditioningConcat().concat
    for to, source, warns in (
        (plain("snow"), x, True),
        (y, x, True),
        (x, plain("snow"), False),
        (plain("a" * 90), plain("b"), False),
    ):
        with Log() as log:
            sample(apply(), concat(to, source)[0], cfg=1.0, steps=1)
        assert any("conditioning_to" in line for line in log.lines) == warns, log.lines


def check_other_patches_stay():
    x, closed = concept(), concept(layers=NEVER)
    seen = []

    def scale(n, context, value, extra):
        seen.append(context)
        return n, context, value * 0.5

    patched = MODEL.clone()
    patched.set_model_attn2_patch(scale)
    before = sample(patched, plain(TEXT.replace("<x>", "cat")))
    assert torch.equal(sample(apply(patched), learned(TEXT, closed)), before)
    seen.clear()
    sample(apply(patched), learned(TEXT, x), cfg=1.0, steps=1)
    assert len(seen) == len(SITES) and read(seen[0], plain(TEXT.replace("<x>", "cat"))[0][0])
    lora = MODEL.clone()
    key = "diffusion_model.output_blocks.3.1.transformer_blocks.0.attn2.to_k.weight"
    shape = MODEL.model.state_dict()[key].shape
    lora.add_patches({key: (torch.randn(shape) * 0.1,)}, 1.0)
    with_lora = sample(lora, plain(TEXT.replace("<x>", "cat")))
    assert torch.equal(sample(apply(lora), learned(TEXT, closed)), with_lora)
    assert not torch.equal(with_lora, sample(MODEL, plain(TEXT.replace("<x>", "cat"))))


def check_controlnet_reads_class_words():
    config = {k: v for k, v in UNET.items() if k not in ("out_channels", "transformer_depth_output")}
    control_model = comfy.cldm.cldm.ControlNet(**config, hint_channels=3, operations=comfy.ops.disable_weight_init)
    randomise(control_model, 3)
    contexts = []
    first = control_model.input_blocks[1][1].transformer_blocks[0].attn2.to_k
    first.register_forward_pre_hook(lambda module, args: contexts.append(args[0].clone()))
    net = comfy.controlnet.ControlNet(control_model, load_device=torch.device("cpu"))

    def controlled(positive, negative=NEGATIVE):
        hint = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(4))
        return comfy_nodes.ControlNetApplyAdvanced().apply_controlnet(positive, negative, net, hint, 1.0, 0.0, 1.0)

    x, closed = concept(), concept(layers=NEVER)
    word = plain(TEXT.replace("<x>", "cat"))
    sample(apply(), *controlled(learned(TEXT, x)))
    assert all(c.shape[0] == 2 for c in contexts) and len(contexts) == 2
    assert all(sum(read(row[None], word[0][0]) for row in c) == 1 for c in contexts)
    assert torch.equal(sample(apply(), *controlled(learned(TEXT, closed))), sample(MODEL, *controlled(word)))
    full = plain(TEXT.replace("<x>", "embedding:x"))
    assert torch.equal(sample(MODEL, *controlled(learned(TEXT, x))), sample(MODEL, *controlled(full)))


def check_samplers_and_area_uncond():
    x = concept()
    for sampler in ("dpmpp_2m", "euler_ancestral", "uni_pc", "heun"):
        assert torch.isfinite(sample(apply(), learned(TEXT, x), sampler=sampler, steps=3)).all()
    swapped = sample(apply(), plain("a dog"), learned(TEXT, x))  # routed as the negative
    closed = sample(apply(), plain("a dog"), learned(TEXT, concept(layers=NEVER)))
    assert torch.equal(closed, sample(MODEL, plain("a dog"), plain(TEXT.replace("<x>", "cat"))))
    assert not torch.equal(swapped, closed)


if __name__ == "__main__":
    run(globals())
