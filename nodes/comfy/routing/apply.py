"""The layer restriction at generation: a MODEL whose sites read the contexts that a plan gives them.

`routed` adds two wrappers to a clone. Once per sampling (here), every conditioning gets one more `model_cond` for each
context that some site reads instead of its own. ComfyUI then batches, repeats, casts and crops these contexts as it
does its own. Once per pass (swap.py), an attn2 patch hands each site its context. Nothing is concatenated on
the token axis: ComfyUI repeats contexts to a common length, and ControlNets and Concat nodes read them too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from comfy.conds import CONDCrossAttn
from comfy.patcher_extension import WrappersMP

from ....seal_core.concept.concept import Embedding
from ....seal_core.messages import SealError, log_warning
from ....seal_core.method.sites import saved_sites
from ..unet_sites import require_unet, sites_with_keys, unet_sites
from .plan import BASE, make_plan
from .route import KEY, Route, warn_if_lost
from .swap import LOST, diffusion_model
from .weights import warn_of_lacking


def routed(model: Any) -> Any:
    """A clone of a ComfyUI MODEL that routes contexts; routing a routed model changes nothing.

    Raises SealError for models without cross-attention sites.
    """
    require_unet(model)
    patched = model.clone()
    for kind, wrapper in ((WrappersMP.OUTER_SAMPLE, _outer_sample), (WrappersMP.DIFFUSION_MODEL, diffusion_model)):
        patched.remove_wrappers_with_key(kind, KEY)
        patched.add_wrapper_with_key(kind, KEY, wrapper)
    return patched


def check_embedding(model: Any, embedding: Embedding) -> None:
    """Raise SealError where a concept cannot be used on a ComfyUI MODEL: another family, or sites that it lacks."""
    sites = unet_sites(require_unet(model))
    width = sites[0].module.to_k.weight.shape[1]
    for concept in embedding.concepts:
        if sum(w for _, w in concept.family.widths) != width:
            raise SealError(
                f"embedding: {concept.name} was trained for {concept.family}, the model reads text {width} wide "
                "(SD 1.x 768, SD 2.x 1024, SDXL 2048). Wire that base model, or an embedding of this one."
            )
        saved_sites(concept.layers.sites, sites)


def _outer_sample(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Once per sampling: gives every conditioning its contexts. The guider's conds are copies made for this run."""
    guider = executor.class_obj
    conds = [cond for group in guider.conds.values() for cond in group]
    routes = dict(_live_routes(conds))
    model = guider.model_patcher
    warn_of_lacking(model, guider.model_options, conds)
    sites = sites_with_keys(require_unet(model))
    plan, choices = make_plan(sites, model.get_model_object("model_sampling"), routes)
    if not plan.learned:
        return executor(*args, **kwargs)
    for i, cond in enumerate(conds):
        if choices and "cross_attn" in cond:
            # ComfyUI batches only conds with equal keys, so unrouted ones get their own context under each name.
            own = CONDCrossAttn(cond["cross_attn"])
            extra = {
                name: CONDCrossAttn(routes[i].contexts[chosen[i]]) if i in routes else own
                for name, chosen in choices.items()
            }
            cond["model_conds"] = {**cond.get("model_conds", {}), BASE: own, **extra}
    if choices and any("control" in cond for cond in conds):
        _equip_control(conds, routes)
    guider.model_options["transformer_options"][KEY] = plan
    result = executor(*args, **kwargs)
    sigmas = kwargs.get("sigmas", args[3] if len(args) > 3 else ())  # one level, as after SplitSigmas, is no pass
    if choices and not plan.watch.met and len(sigmas) != 1:
        plan.watch.say(LOST)
    return result


def _live_routes(conds: Sequence[dict[str, Any]]) -> Iterator[tuple[int, Route]]:
    for i, cond in enumerate(conds):
        route, context = cond.get(KEY), cond.get("cross_attn")
        if context is None:
            continue
        if route is None:
            if context.shape[1] > 77:
                warn_if_lost(context[:, 77:])
            continue
        followed = route.followed(context)
        if followed is not None:
            yield i, followed
        elif context.any():  # after ConditioningZeroOut there is no token to keep out
            log_warning(
                "SEAL: a node after SEAL Text Encode changed this conditioning (Conditioning Average or the like), so "
                "its concepts enter everywhere. Apply such nodes to the learned and to the plain prompt apart and join "
                "the two with SEAL Route Conditioning."
            )


def _equip_control(conds: Sequence[dict[str, Any]], routes: Mapping[int, Route]) -> None:
    """Makes ControlNets read the class words, since what they add reaches every site of the U-Net."""
    for i, cond in enumerate(conds):
        if "cross_attn" in cond and cond.get("cross_attn_controlnet") is None:
            cond["cross_attn_controlnet"] = routes[i].plain if i in routes else cond["cross_attn"]
