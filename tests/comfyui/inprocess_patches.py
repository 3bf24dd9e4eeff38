"""Routing next to what other packs do to the context in mid-sampling: `PYTHON inprocess_patches.py COMFY_DIR`.

Every stand-in here is a few lines that do what a kind of packs does; the long list is in the checks' names.
Run by ComfyUI's own interpreter; one line a check, the exit status is the verdict.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import (
    FOLDER,
    MODEL,
    NEGATIVE,
    NEVER,
    SITES,
    TEXT,
    Log,
    Recorder,
    apply,
    concept,
    learned,
    plain,
    run,
    sample,
)

# isort: split

import importlib.util

import torch
from comfy import context_windows, hooks, samplers
from comfy.ldm.modules.attention import optimized_attention
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
from seal_pack.nodes.comfy import routing_swap
from seal_pack.nodes.embedding import SEALRouteConditioning
from seal_pack.seal_core.concept.concept_file import save_concept
from seal_pack.seal_core.concept.settings import Layers

import nodes as comfy_nodes

save_concept(concept(), FOLDER, "x")
FULL = plain(TEXT.replace("<x>", "embedding:x"))[0][0][0]
WORD = plain(TEXT.replace("<x>", "cat"))[0][0][0]
OTHER = NEGATIVE[0][0][0]
ADDED = torch.randn(10, 64, generator=torch.Generator().manual_seed(9))


def wanted(site):
    return FULL if site in ("up.2", "up.3") else WORD


def wrapped(model, wrapper, kind=WrappersMP.DIFFUSION_MODEL):
    model = model.clone()
    model.add_wrapper_with_key(kind, "another pack", wrapper)
    return model


def both_orders(wrapper):
    """MODELs on which the wrapper runs before ours, and after."""
    return apply(wrapped(MODEL, wrapper)), wrapped(apply(), wrapper)


def changing(change):
    def wrapper(executor, x, timesteps, context, *rest, **kwargs):
        return executor(x, timesteps, change(context), *rest, **kwargs)

    return wrapper


def recorded(model, positive=None, warnings=0, **kwargs):
    """What the sites read, and what was sampled, under `warnings` warnings."""
    with Log() as log, Recorder() as seen:
        result = sample(model, positive or learned(TEXT, concept()), **kwargs)
    assert len(log.lines) == warnings, log.lines
    return seen.contexts, result


def rows_are(read, make, site, times=1):
    """Whether every pass's rows are `make(context)` of the site's own and the negative's, `times` each."""
    for rows in read[site]:
        for context in (wanted(site), OTHER):
            assert sum(torch.equal(row, make(context)) for row in rows) == times, site
        assert len(rows) == 2 * times


def check_cloned():
    expected = recorded(apply())[1]
    for model in both_orders(changing(torch.clone)):
        assert torch.equal(recorded(model)[1], expected)
    through = apply()
    through.set_model_unet_function_wrapper(
        lambda apply_model, args: apply_model(
            args["input"], args["timestep"], **{**args["c"], "c_crossattn": args["c"]["c_crossattn"].clone()}
        )
    )
    assert torch.equal(recorded(through)[1], expected)


def check_tokens_repeated_or_cut():
    for tokens in (154, 231, 100, 60):  # 154: what several packs pad to
        for model in both_orders(changing(lambda c, tokens=tokens: c.repeat(1, 3, 1)[:, :tokens])):
            read = recorded(model)[0]
            for site in SITES:
                rows_are(read, lambda c, tokens=tokens: c.repeat(3, 1)[:tokens], site)


def check_tokens_added():
    def after(context):
        return torch.cat((context, ADDED.expand(*context.shape[:-2], -1, -1)), -2)

    def before(context):
        return torch.cat((ADDED.expand(*context.shape[:-2], -1, -1), context), -2)

    for added in (after, before):
        for model in both_orders(changing(added)):
            read = recorded(model)[0]
            for site in SITES:
                rows_are(read, added, site)


def check_rows_doubled_or_taken_one_by_one():
    def doubled(executor, x, timesteps, context, *rest, **kwargs):
        return executor(x.repeat(2, 1, 1, 1), timesteps.repeat(2), context.repeat(2, 1, 1), *rest, **kwargs)[: len(x)]

    def interleaved(executor, x, timesteps, context, *rest, **kwargs):
        x, timesteps, context = (each.repeat_interleave(2, 0) for each in (x, timesteps, context))
        return executor(x, timesteps, context, *rest, **kwargs)[::2]

    def single(executor, x, timesteps, context, *rest, **kwargs):
        parts = zip(x.split(1), timesteps.split(1), context.split(1), strict=True)
        return torch.cat([executor(*part, *rest, **kwargs) for part in parts])

    for wrapper in (doubled, interleaved):
        for model in both_orders(wrapper):
            for site, read in recorded(model, batch=2)[0].items():
                rows_are({site: read}, lambda c: c, site, times=4)
    for model in both_orders(single):
        read = recorded(model)[0]
        for site in SITES:
            rows_are({site: [torch.cat(read[site][i : i + 2]) for i in (0, 2)]}, lambda c: c, site)


def check_rows_of_another_pack():
    """A negative of its own behind the batch's rows (NAG), which its attention takes off again."""
    cut = []

    def take_off(n, context, value, extra):
        cut.append(context[len(n) :])
        return n, context[: len(n)], value[: len(n)]

    own = plain("a dog")[0][0]
    for model in both_orders(changing(lambda c: torch.cat((c, own.expand(len(c) // 2, -1, -1))))):
        model.set_model_attn2_patch(take_off)
        read = recorded(model)[0]
        for site in SITES:
            rows_are(read, lambda c: c, site)
        assert cut and all(torch.equal(rows, own) for rows in cut)
        cut.clear()


def check_attn2_replace():
    """IPAdapter's way: q, k and v come from what the patches gave."""
    calls = []

    def attention(q, k, v, extra):
        calls.append(extra["block"])
        return optimized_attention(q, k, v, extra["n_heads"])

    model = MODEL.clone()
    for key in (("input", 1), ("middle", 0), ("output", 3)):
        model.set_model_attn2_replace(attention, *key)
    read, result = recorded(apply(model))
    assert len(calls) == 6 and torch.equal(result, recorded(apply())[1])
    for site in SITES:
        rows_are(read, lambda c: c, site)


def couple(model, region):
    """Attention couple: a region's prompt as further rows of the cross-attention, masked together afterwards."""
    model = model.clone()

    def patch(n, context, value, extra):
        more = region.expand(len(n), -1, -1)
        context = torch.cat((context, more.repeat(1, context.shape[1] // more.shape[1], 1)))
        return n.repeat(2, 1, 1), context, context

    model.set_model_attn2_patch(patch)
    model.set_model_attn2_output_patch(lambda n, extra: sum(n.chunk(2)) / 2)
    return model


def check_attention_couple():
    dog, region = plain("a dog")[0][0], learned("<x>", concept())
    for model in (apply(couple(MODEL, dog)), couple(apply(), dog)):
        read = recorded(model)[0]
        for site in SITES:
            rows_are({site: [rows[:2] for rows in read[site]]}, lambda c: c, site)
            assert all(torch.equal(rows[2], dog[0]) for rows in read[site])
    for positive in (learned(TEXT, concept()), plain(TEXT)):
        for negative in (NEGATIVE, plain("bad, " * 70)):
            with Log() as log:
                sample(apply(couple(MODEL, region[0][0])), positive, negative)
            assert len(log.lines) == 1 and "ConditioningSetMask" in log.lines[0], log.lines
    recorded(couple(MODEL, region[0][0]), plain(TEXT))  # without SEALApplyEmbedding it is the plain embedding


def check_prompts_of_several_lengths():
    spilled, long = concept(count=12, layers=NEVER), plain("bad, " * 70)
    text = "a " * 68 + "<x>"  # 154 tokens with the concept, 77 with its class word
    word = plain(text.replace("<x>", "cat"))
    twice = changing(lambda c: c.repeat(1, 2, 1))
    for negative in (NEGATIVE, long):
        expected = sample(MODEL, word, negative)
        for model in both_orders(twice):
            result = recorded(model, learned(text, spilled), negative=negative)[1]
            assert torch.allclose(result, expected, atol=1e-5)
    for model in both_orders(changing(lambda c: torch.cat((c, ADDED.expand(len(c), -1, -1)), 1))):
        recorded(model, learned(text, spilled), cfg=1.0, warnings=1)


def check_changed_beyond_telling_is_said_once():
    for change in (lambda c: c * 0.5, lambda c: c.roll(1, 2), lambda c: c.mean(1, keepdim=True)):
        for model in both_orders(changing(change)):
            with Log() as log:
                assert torch.isfinite(sample(model, learned(TEXT, concept()), steps=3)).all()
            assert log.lines == [routing_swap.CHANGED], log.lines
            recorded(model, plain(TEXT))


def check_lost_is_said_once():
    def forgetful(apply_model, args):
        known = {k: args["c"][k] for k in ("c_crossattn", "transformer_options")}
        return apply_model(args["input"], args["timestep"], **known)

    def rebuilt(*groups):
        """Prompts of these groups (0: positive) made anew, as nodes that schedule prompts do."""

        def wrapper(executor, model, conds, *rest):
            conds = list(conds)
            for i in groups:
                context = {"c_crossattn": conds[i][0]["model_conds"]["c_crossattn"]}
                conds[i] = [{**conds[i][0], "model_conds": context}]
            return executor(model, conds, *rest)

        return wrapper

    def without(*keys):
        def wrapper(executor, x, t, c_concat, c_crossattn, control, transformer_options, **kwargs):
            options = {k: v for k, v in transformer_options.items() if k not in keys}
            return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)

        return wrapper

    def own_patches(executor, x, timesteps, context, y, control, transformer_options, **kwargs):
        return executor(x, timesteps, context, y, control, {**transformer_options, "patches": {}}, **kwargs)

    def unwrapped(executor, *args, **kwargs):
        del executor.class_obj.model_options["transformer_options"]["wrappers"][WrappersMP.DIFFUSION_MODEL]
        return executor(*args, **kwargs)

    function = apply()
    function.set_model_unet_function_wrapper(forgetful)
    models = [
        function,
        wrapped(apply(), rebuilt(0, 1), WrappersMP.CALC_COND_BATCH),
        wrapped(apply(), rebuilt(0), WrappersMP.CALC_COND_BATCH),
        wrapped(apply(), without("wrappers"), WrappersMP.APPLY_MODEL),
        wrapped(apply(), without("seal"), WrappersMP.APPLY_MODEL),
        wrapped(apply(), unwrapped, WrappersMP.OUTER_SAMPLE),
        wrapped(apply(), own_patches),
    ]
    for model in models:
        with Log() as log:
            sample(model, learned(TEXT, concept()), steps=3)
        assert log.lines == [routing_swap.LOST], log.lines
        recorded(model, plain(TEXT))
    negative_only = wrapped(apply(), rebuilt(1), WrappersMP.CALC_COND_BATCH)
    read, _ = recorded(negative_only)
    assert all(any(torch.equal(rows[0], wanted(site)) for rows in read[site]) for site in SITES)


def check_a_sampling_without_a_pass_loses_nothing():
    """SplitSigmas at the last step leaves one noise level: nothing is sampled, and nothing to be warned of."""
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


def check_equal_rows_with_different_contexts():
    base = torch.randn(1, 77, 8).expand(2, -1, -1)
    other = torch.randn(2, 77, 8)
    swap = routing_swap._Swap({routing_swap.BASE: base, "a": other})
    assert torch.equal(swap(base.clone(), "a")[0], other)  # their places tell them apart
    longer, told = swap(torch.cat((base, base[:, :5] + 1), 1), "a")
    assert told and torch.equal(longer[:, :77], other) and torch.equal(longer[:, 77:], base[:, :5] + 1)
    for unclear in (base.repeat(2, 1, 1), base[:1]):
        result, told = swap(unclear, "a")
        assert not told and torch.equal(result, unclear)
    swap = routing_swap._Swap({routing_swap.BASE: base, "a": other[:1].expand(2, -1, -1)})
    result, told = swap(base[:1].repeat(5, 1, 1), "a")
    assert told and torch.equal(result, other[:1].expand(5, -1, -1))


def check_beside_core_nodes():
    """With the layers closed, each of them gives with the concept what it gives with the class word."""
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
