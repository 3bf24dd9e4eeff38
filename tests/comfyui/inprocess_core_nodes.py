"""Routing beside ComfyUI's own nodes and ways of sampling: `PYTHON inprocess_core_nodes.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import MODEL, NEGATIVE, NEVER, SITES, TEXT, Log, apply, concept, learned, plain, run, sample

# isort: split

import importlib.util

import torch
from comfy import context_windows, hooks, samplers
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfy_extras import (
    nodes_cfg,
    nodes_easycache,
    nodes_freelunch,
    nodes_hypertile,
    nodes_model_downscale,
    nodes_pag,
    nodes_perpneg,
    nodes_sag,
)
from patches_kit import recorded, rows_are, wanted, wrapped
from seal_pack.nodes.route_conditioning import SEALRouteConditioning
from seal_pack.seal_core.concept.settings import Layers

import nodes as comfy_nodes


def check_a_sampling_without_a_pass_loses_nothing():
    """SplitSigmas at the last step leaves one noise level: nothing is sampled, and no warning is due."""
    guider = samplers.CFGGuider(apply())
    guider.set_conds(learned(TEXT, concept()), NEGATIVE)
    latent = torch.zeros(1, 4, 8, 8)
    with Log() as log:
        guider.sample(latent, latent, samplers.sampler_object("euler"), torch.tensor([1.0]), disable_pbar=True)
    assert not log.lines, log.lines


def check_noise_level_told_by_the_timestep():
    def without_sigmas(executor, x, t, c_concat, c_crossattn, control, transformer_options, **kwargs):
        options = {k: v for k, v in transformer_options.items() if k not in ("sigmas", "uuids", "cond_or_uncond")}
        return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)

    positive = learned(TEXT, concept(layers=Layers("up.3, mid.0", 0.3, 0.6)))
    expected = recorded(apply(), positive, steps=9)[1]
    model = wrapped(apply(), without_sigmas, WrappersMP.APPLY_MODEL)
    assert torch.equal(recorded(model, positive, steps=9)[1], expected)


def check_nothing_to_route_is_no_loss():
    time = comfy_nodes.ConditioningSetTimestepRange().set_range
    recorded(apply(), time(learned(TEXT, concept()), 0.5, 0.51)[0] + plain(TEXT))
    recorded(apply(), learned(TEXT, concept(layers=Layers("all", 0.0, 0.9))), steps=1)  # open in every pass
    recorded(apply(), learned(TEXT, concept(layers=Layers())))


def check_prompts_one_by_one():
    model = apply()
    kind, enough = type(model.model), type(model.model).memory_required
    try:
        kind.memory_required = lambda *args, **kwargs: 1e20  # as on a full card: conds do not share a pass
        read = recorded(model)[0]
    finally:
        kind.memory_required = enough
    for site in SITES:
        rows_are({site: [torch.cat(read[site][i : i + 2]) for i in (0, 2)]}, lambda c: c, site)


def windowed(model):
    """Two frames at a time, as ComfyUI's Context Windows and AnimateDiff sample; prompts per frame are sliced along."""
    model = model.clone()
    schedule = context_windows.get_matching_context_schedule("standard_static")
    fuse = context_windows.get_matching_fuse_method("pyramid")
    model.model_options["context_handler"] = context_windows.IndexListContextHandler(schedule, fuse, 2, 1, dim=0)
    return model


def check_a_prompt_per_frame():
    frames = [plain(text)[0] for text in ("a", "a cat", "a cat sits", "cats")]
    full, word = (torch.cat([each[0] for each in part]) for part in (frames, frames[::-1]))
    for layers, expected in ((NEVER, word), (Layers("all"), full)):
        positive = SEALRouteConditioning.execute([[full, {}]], [[word, {}]], layers).result[0]
        for model in (apply(windowed(MODEL)), windowed(apply())):
            result = recorded(model, positive, batch=4)[1]
            assert torch.equal(result, sample(windowed(MODEL), [[expected, {}]], batch=4))


def check_lora_hooks_of_a_prompt():
    key = "diffusion_model.output_blocks.3.1.transformer_blocks.0.attn2.to_v"
    out, width = MODEL.model.state_dict()[key + ".weight"].shape
    lora = {f"{key}.lora_up.weight": torch.randn(out, 4), f"{key}.lora_down.weight": torch.randn(4, width)}

    def hooked(conditioning):
        return [[c, {**e, "hooks": hooks.create_hook_lora(lora, 1.0, 0.0)}] for c, e in conditioning]

    word = hooked(plain(TEXT.replace("<x>", "cat")))
    expected = sample(MODEL.clone(), word)
    assert not torch.equal(expected, sample(MODEL, plain(TEXT.replace("<x>", "cat"))))
    assert torch.equal(recorded(apply(), hooked(learned(TEXT, concept(layers=NEVER))))[1], expected)
    read = recorded(apply(), hooked(learned(TEXT, concept())))[0]
    for site in SITES:
        assert any(torch.equal(row, wanted(site)) for rows in read[site] for row in rows)


def check_beside_core_nodes():
    """With no layer open, each gives the same with the concept as with the class word."""
    empty, closed, word = plain(""), learned(TEXT, concept(layers=NEVER)), plain(TEXT.replace("<x>", "cat"))

    def compiled(model):
        model = model.clone()
        set_torch_compile_wrapper(model, backend="eager")
        return model

    def of(node, *args):
        def applied(model):
            output = node.execute(model, *args)
            return getattr(output, "result", output)[0]

        return applied

    nodes = {
        "PAG": of(nodes_pag.PerturbedAttentionGuidance, 3.0),
        "SAG": of(nodes_sag.SelfAttentionGuidance, 0.5, 2.0),
        "PerpNeg": of(nodes_perpneg.PerpNeg, empty, 1.0),
        "CFGZeroStar": of(nodes_cfg.CFGZeroStar),
        "EasyCache": of(nodes_easycache.EasyCacheNode, 0.2, 0.15, 0.95, False),
        "LazyCache": of(nodes_easycache.LazyCacheNode, 0.2, 0.15, 0.95, False),
        "FreeU": of(nodes_freelunch.FreeU_V2, 1.3, 1.4, 0.9, 0.2),
        "DeepShrink": of(nodes_model_downscale.PatchModelAddDownscale, 2, 2.0, 0.0, 0.9, True, "bicubic", "bicubic"),
        "HyperTile": of(nodes_hypertile.HyperTile, 256, 2, 0, False),
        "context windows": windowed,
        "compiled": compiled,
    }
    if importlib.util.find_spec("comfy_extras.nodes_nag"):  # later than 0.8
        nodes["NAG"] = of(importlib.import_module("comfy_extras.nodes_nag").NAGuidance, 5.0, 0.5, 1.5)
    for name, node in nodes.items():
        expected = sample(node(MODEL), word, batch=4, steps=4)
        for model in (apply(node(MODEL)), node(apply())):
            with Log() as log:
                result = sample(model, closed, batch=4, steps=4)
            assert torch.equal(result, expected), (name, (result - expected).abs().max())
            assert not log.lines, (name, log.lines)
        assert not torch.equal(sample(node(MODEL), closed, batch=4, steps=4), expected), name


if __name__ == "__main__":
    run(globals())
