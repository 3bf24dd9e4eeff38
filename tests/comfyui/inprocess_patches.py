"""Routing next to what other packs do to the context in mid-sampling: `PYTHON inprocess_patches.py COMFY_DIR`.

Each stand-in does in a few lines what one kind of pack does; the checks' names list them.
Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import MODEL, NEGATIVE, NEVER, SITES, TEXT, Log, apply, concept, learned, plain, run, sample

# isort: split


import torch
from comfy.ldm.modules.attention import optimized_attention
from comfy.patcher_extension import WrappersMP
from patches_kit import ADDED, both_orders, changing, recorded, rows_are, wanted, wrapped
from seal_pack.nodes.comfy.routing import swap as routing_swap
from seal_pack.nodes.comfy.routing.plan import BASE


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
    """An own negative behind the batch's rows (NAG), which its attention removes again."""
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
    """As IPAdapter: q, k and v come from what the patches returned."""
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
    """Attention couple: a region's prompt as extra rows of the cross-attention, combined by masks afterwards."""
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
            assert len(log.lines) == 1 and "Conditioning (Set Mask)" in log.lines[0], log.lines
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
        """Replaces the prompts of these groups (0: positive), as prompt schedulers do."""

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


def check_equal_rows_with_different_contexts():
    base = torch.randn(1, 77, 8).expand(2, -1, -1)
    other = torch.randn(2, 77, 8)
    swap = routing_swap._Swap({BASE: base, "a": other})
    assert torch.equal(swap(base.clone(), "a")[0], other)  # their places tell them apart
    longer, told = swap(torch.cat((base, base[:, :5] + 1), 1), "a")
    assert told and torch.equal(longer[:, :77], other) and torch.equal(longer[:, 77:], base[:, :5] + 1)
    for unclear in (base.repeat(2, 1, 1), base[:1]):
        result, told = swap(unclear, "a")
        assert not told and torch.equal(result, unclear)
    swap = routing_swap._Swap({BASE: base, "a": other[:1].expand(2, -1, -1)})
    result, told = swap(base[:1].repeat(5, 1, 1), "a")
    assert told and torch.equal(result, other[:1].expand(5, -1, -1))


if __name__ == "__main__":
    run(globals())
