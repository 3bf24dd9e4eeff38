"""Styles, references and motions beside each other and beside ComfyUI's own nodes: `PYTHON inprocess_combined.py
COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import MODEL, NEGATIVE, make_model, plain, refused, run, sample

# isort: split

import copy

import torch
from comfy import samplers
from comfy.patcher_extension import WrapperExecutor, WrappersMP
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfy_extras import nodes_custom_sampler, nodes_easycache, nodes_hypertile, nodes_model_downscale, nodes_tomesd
from inprocess_motion import moving, train
from inprocess_style import picture, referred, styled
from inprocess_weights import applied, weighted
from seal_pack.nodes.comfy.motion_sampling import KEY as MOTION
from seal_pack.nodes.comfy.sampled_prompts import KEY, seen_part
from seal_pack.nodes.comfy.unet_sites import unet_sites
from seal_pack.seal_core.concept.settings import Layers

import nodes as comfy_nodes

CAT = plain("a cat")
LEFT = torch.zeros(1, 64, 64)
LEFT[..., :32] = 1


def of(node, *args):
    def applied(model):
        output = node.execute(model, *args)
        return getattr(output, "result", output)[0]

    return applied


def nothing_hangs_on_the_model():
    return not any(m._forward_hooks or m._forward_pre_hooks for m in MODEL.model.modules())


def check_a_style_picture_is_no_frame_of_a_motion():
    motion, early = train(name="combined")[0], {"start_percent": 0.0}
    for look in (styled, lambda m=MODEL: referred(m, **early)):
        both = [sample(m, CAT, batch=8) for m in (moving(motion, look()), look(moving(motion)))]
        assert torch.allclose(*both, atol=1e-4), "the order does not count"
        for alone in (moving(motion), look()):
            assert not torch.allclose(both[0], sample(alone, CAT, batch=8))
    first = {"samples": torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))}
    both = [sample(m, CAT, batch=8) for m in (
        moving(motion, styled(), first_frame=first), styled(moving(motion, first_frame=first)))]  # fmt: skip
    assert torch.allclose(*both, atol=1e-4), "the noise level is that of the frames that are drawn"
    assert nothing_hangs_on_the_model()


def check_two_looks_in_two_parts_do_not_style_each_others_pictures():
    looks = ({"where": LEFT}, {"image": picture(6), "where": 1 - LEFT})
    for size in ((8, 8), (8, 16)):
        both = [sample(styled(styled(**a), **b), CAT, size=size) for a, b in (looks, looks[::-1])]
        assert torch.allclose(*both, atol=1e-4), size
    assert not torch.allclose(both[0], sample(styled(**looks[0]), CAT, size=(8, 16)))


def check_references_and_styles_in_any_order():
    for made in (
        styled(referred(), strength=0.5), referred(styled(), strength=0.5), referred(referred(), image=picture(6)),
    ):  # fmt: skip
        assert torch.isfinite(sample(made, CAT, batch=2, steps=4)).all()


def guided(model, *prompts, steps=4):
    """As DualCFGGuider samples, which passes the negative prompt first, or for two prompts as CFGGuider."""
    guider = (nodes_custom_sampler.Guider_DualCFG if len(prompts) == 3 else samplers.CFGGuider)(model)
    guider.set_conds(*prompts)
    guider.set_cfg(*(4.0,) * (len(prompts) - 1))
    latent = torch.zeros(1, 4, 8, 8)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    levels = samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", steps)
    return guider.sample(noise, latent, samplers.sampler_object("euler"), levels, disable_pbar=True)


def check_the_prompts_look_at_a_reference_whatever_the_guider_passes_first():
    for model in (MODEL, referred(), styled()):  # with twice the same prompt it is plain guidance
        found = guided(model, CAT, CAT, NEGATIVE), guided(model, CAT, NEGATIVE)
        assert torch.allclose(*found, atol=1e-4), (found[0] - found[1]).abs().max()


def check_a_part_of_the_drawing_stays_in_its_place_under_prompts_with_areas():
    right = comfy_nodes.ConditioningSetArea().append(CAT, 32, 64, 32, 0, 1.0)[0]
    seen = []

    def watch(executor, x, *args, **kwargs):
        options = args[4]
        seen.append((x.shape[-1], seen_part(LEFT[0], options, x)))
        return executor(x, *args, **kwargs)

    model = styled(where=LEFT)
    model.add_wrapper_with_key("apply_model", "watch", watch)
    sample(model, CAT + right)
    # A style picture's pass is as large as the picture, and tells of no prompt.
    kinds = {(width, part.flatten(1).mean(1).round(decimals=2).unique().tolist().__str__()) for width, part in seen}
    assert (4, "[0.0]") in kinds and (8, "[0.5]") in kinds, kinds
    assert KEY not in model.model_options["transformer_options"]


def check_a_first_frame_under_a_prompt_with_an_area_is_refused_with_a_remedy():
    area = comfy_nodes.ConditioningSetArea().append(CAT, 32, 64, 32, 0, 1.0)[0]
    first = {"samples": torch.zeros(1, 4, 8, 8)}
    with refused("first_frame: a prompt with an area"):
        sample(moving(train(name="combined")[0], first_frame=first), CAT + area, batch=8)


def check_caches_of_passes_do_not_answer_for_a_style_picture():
    cached = of(nodes_easycache.EasyCacheNode, 0.2, 0.15, 0.95, False)
    for size in ((8, 8), (8, 16)):
        for look in (styled, referred):
            found = [sample(m, CAT, steps=4, size=size) for m in (cached(look()), look(cached(MODEL)))]
            assert torch.allclose(*found, atol=1e-4) and torch.isfinite(found[0]).all()
            assert not torch.allclose(found[0], sample(cached(MODEL), CAT, steps=4, size=size))


def looks():
    """What hooks onto the model while it is sampled: MODEL -> MODEL."""
    motion, late = train(name="combined")[0], weighted(Layers("all", 0.5, 1.0))
    return styled, referred, lambda m=MODEL: moving(motion, m), lambda m=MODEL: applied(late, model=m)


def each_draws_on(model):
    """Whether each of them acts, and draws on this MODEL what it draws on the ordinary one."""
    plain_picture = sample(MODEL, CAT, batch=8, steps=3)
    for look in looks():
        picture_there, expected = (sample(m, CAT, batch=8, steps=3) for m in (look(model), look()))
        assert torch.allclose(picture_there, expected, atol=1e-3), (picture_there - expected).abs().max()
        assert (expected - plain_picture).abs().max() > 1e-2
    return True


def check_compiled_models_draw_all_the_same():
    compiled = MODEL.clone()
    set_torch_compile_wrapper(compiled, backend="eager")
    sample(compiled, CAT, batch=8)  # compiled before anything hangs on it
    assert each_draws_on(compiled)


def check_where_memory_is_short_each_prompt_has_a_pass_and_the_picture_stays():
    short, rows = MODEL.clone(), []
    short.model = copy.copy(MODEL.model)
    short.model.memory_required = lambda shape, **_: 1e18 if shape[0] > 8 else 1.0
    handle = MODEL.model.diffusion_model.register_forward_pre_hook(lambda module, args: rows.append(len(args[0])))
    sample(short, CAT, batch=8)
    handle.remove()
    assert rows == [8] * 4
    assert each_draws_on(short)


def check_two_cards_draw_as_one():
    """ComfyUI gives each prompt to a thread, with a card and a copy of the model. The CPU stands for both."""
    if not hasattr(MODEL, "match_multigpu_clones"):  # an older ComfyUI
        return
    second, two, passes = make_model(), MODEL.clone(), []
    second.load_device, second.is_multigpu_base_clone = torch.device("cpu", 0), True
    two.set_additional_models("multigpu", [second])
    handle = second.model.diffusion_model.register_forward_hook(lambda *_: passes.append(1))
    assert each_draws_on(two) and passes
    handle.remove()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in second.model.modules())


def check_each_card_has_its_own_layers_of_a_motion():
    model, seen = moving(train(name="combined")[0]), []
    (wrapper,) = model.get_wrappers(WrappersMP.APPLY_MODEL, MOTION)
    site = unet_sites(MODEL.model.diffusion_model)[-1]

    class Guider:
        model_patcher, model_options = MODEL, {"transformer_options": {}}

    def inside(x, *rest, **more):
        """What the blocks of a model on another device would hand to the hooks."""
        tokens = torch.zeros(8, 64, site.module.to_q.weight.shape[1], device=x.device)
        for hook in site.block._forward_hooks.values():
            seen.append(hook(site.block, (), tokens).device)
        return x

    sampled = WrapperExecutor.new_class_executor(
        lambda *_: None, Guider, model.get_wrappers(WrappersMP.OUTER_SAMPLE, MOTION)
    )
    sampled.execute(torch.zeros(8, 4, 8, 8), None)
    options = {**Guider.model_options["transformer_options"], "sigmas": torch.ones(1)}
    for device in ("cpu", "meta"):
        ran = WrapperExecutor.new_class_executor(inside, MODEL.model, [wrapper])
        ran.execute(torch.zeros(8, 4, 8, 8, device=device), torch.ones(8, device=device), None, None, None, options)
    assert [device.type for device in seen] == ["cpu", "meta"], seen


def check_nodes_that_cut_or_merge_places():
    tiled, merged = of(nodes_hypertile.HyperTile, 32, 1, 0, False), of(nodes_tomesd.TomePatchModel, 0.5)
    for node in (tiled, merged):
        for look in (styled, referred):
            assert torch.isfinite(sample(node(look()), CAT, size=(16, 16))).all()
        with refused("where: another node merges, tiles or shrinks"):
            sample(node(styled(where=LEFT)), CAT, size=(16, 16))


def check_a_node_that_shrinks_maps():
    shrunk = of(nodes_model_downscale.PatchModelAddDownscale, 2, 2.0, 0.0, 0.9, True, "bicubic", "bicubic")
    parts = [sample(shrunk(styled(mask=part)), CAT, steps=3) for part in (LEFT, 1 - LEFT)]
    assert torch.isfinite(parts[0]).all() and not torch.allclose(*parts), "the mask counts in smaller maps, too"
    with refused("where: another node merges, tiles or shrinks"):
        sample(shrunk(styled(where=LEFT)), CAT, steps=3)
    with refused("motion: its layers .sti. look at whole maps"):
        sample(shrunk(moving(train(name="combined", layer="sti")[0])), CAT, batch=8, steps=3)
    assert torch.isfinite(sample(shrunk(moving(train(name="combined")[0])), CAT, batch=8, steps=3)).all()


if __name__ == "__main__":
    run(globals())
