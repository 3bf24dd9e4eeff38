"""Routing contexts per site and time inside ComfyUI: the layer restriction at generation.

A conditioning carries its alternatives in a `Route`. On a model that was not patched nothing reads
it, so the conditioning acts as the plain embedding. `routed` patches a MODEL: when sampling starts,
every conditioning gets one more `model_cond` per context that some site reads instead of its own, and
in each pass of the U-Net an attn2 patch swaps them in. ComfyUI then batches, repeats, casts and crops
these contexts as it does its own; the token axis is never touched (why: ComfyUI repeats contexts to a common
length, and ControlNets and Concat nodes read them too).
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from comfy.conds import CONDCrossAttn
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...seal_core.concept.concept import Embedding
from ...seal_core.concept.settings import Layers
from ...seal_core.hosts.base import Site
from ...seal_core.messages import SealError, log_warning
from ...seal_core.method.sites import saved_sites
from .routing_swap import BASE, KEY, LOST, PREFIX, Plan, Window, diffusion_model, is_open
from .sites import SiteKey, require_unet, sites_with_keys, unet_sites

Choice = frozenset[int]
"""Which of a Route's layer restrictions let their concepts in."""


@dataclass(frozen=True, eq=False)
class Route:
    """The contexts (B, L, D) of one prompt, by which concepts are in it; else their class words stand there.

    layers: the different restrictions of the concepts. contexts: set of indices into `layers` -> context
    with just these concepts (and every unrestricted one) in it; all 2^len(layers) sets are there.
    """

    layers: tuple[Layers, ...]
    contexts: Mapping[Choice, Tensor]

    def __post_init__(self) -> None:
        _alive.add(self)

    @property
    def full(self) -> Choice:
        return frozenset(range(len(self.layers)))

    @property
    def base(self) -> Tensor:
        """The context with every concept in it: what the conditioning itself holds."""
        return self.contexts[self.full]

    @property
    def plain(self) -> Tensor:
        """The context with a class word in place of every restricted concept."""
        return self.contexts[frozenset()]

    def followed(self, context: Tensor) -> Route | None:
        """The route of a conditioning that began as this one's and now holds `context`.

        Tokens appended (ConditioningConcat) are appended to every context; any other edit gives None.
        """
        base, length = self.base.to(context), self.base.shape[1]
        if base.shape[::2] != context.shape[::2] or not torch.equal(base, context[:, :length]):
            return None
        added = context[:, length:]
        _warn_lost(added)
        grown = {choice: torch.cat((c.to(context), added), dim=1) for choice, c in self.contexts.items()}
        return replace(self, contexts=grown)


_alive: weakref.WeakSet[Route] = weakref.WeakSet()
"""Only to warn: a Concat node drops what rode along with its second input."""


def _warn_lost(added: Tensor) -> None:
    """Warn where tokens appended to a conditioning are a routed prompt's, whose route was lost on the way."""
    for route in list(_alive):
        if route.base.shape == added.shape and torch.equal(route.base.to(added), added):
            log_warning(
                "SEAL: ConditioningConcat keeps the routing of conditioning_to only, so the concepts of its other "
                "prompt enter everywhere. Wire the prompt with the concepts to conditioning_to, or concatenate the "
                "learned and the plain prompts apart and join the two with SEALRouteConditioning."
            )
            return


def is_restricted(layers: Layers) -> bool:
    """Whether a restriction can keep a token out of anything."""
    everywhere = layers.sites.strip().lower() in ("", "all")
    return not everywhere or (layers.start_percent, layers.end_percent) != (0.0, 1.0)


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
        _allowed(concept.layers, sites)


def route_conditioning(learned: list, plain: list, layers: Layers) -> list:
    """CONDITIONING that is `learned` at the sites and times of `layers` and `plain` elsewhere.

    plain: as many entries as `learned`, or one for all. It also gives the pooled vector, which reaches every
    site. A route that `learned` had already is replaced. Raises SealError where the two do not fit.
    """
    plain = plain * len(learned) if len(plain) == 1 else plain
    if len(plain) != len(learned):
        raise SealError(f"plain: {len(plain)} conditionings for {len(learned)} learned ones; wire one, or as many.")
    result = []
    for (context, extras), (other, other_extras) in zip(learned, plain, strict=True):
        for name, one in (("learned", context), ("plain", other)):
            if not isinstance(one, Tensor) or one.ndim != 3 or not one.isfinite().all():
                raise SealError(
                    f"{name}: is no encoded text, numbers of the shape (batch, tokens, width); wire a text encode node."
                )
        if other.shape[::2] != context.shape[::2]:
            raise SealError(
                f"plain: {tuple(other.shape)} does not fit learned {tuple(context.shape)} (batch, tokens, width); "
                "encode both with one CLIP."
            )
        pooled = {k: other_extras[k] for k in ("pooled_output",) if k in other_extras}
        route = Route((layers,), {frozenset(): other, frozenset({0}): context})
        result.append([context, {**extras, **pooled, KEY: route}])
    return result


def _outer_sample(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Once per sampling: hand every conditioning its contexts. The guider's conds are copies made for this run."""
    guider = executor.class_obj
    conds = [cond for group in guider.conds.values() for cond in group]
    routes = dict(_live_routes(conds))
    plan, choices = _plan(guider.model_patcher, routes)
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
    sigmas = kwargs.get("sigmas", args[3] if len(args) > 3 else ())  # one level, as behind SplitSigmas: no pass at all
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
                _warn_lost(context[:, 77:])
            continue
        followed = route.followed(context)
        if followed is not None:
            yield i, followed
        elif context.any():  # ConditioningZeroOut leaves no token to keep out
            log_warning(
                "SEAL: a node after SEALTextEncode changed this conditioning (ConditioningAverage or the like), so its "
                "concepts enter everywhere. Apply such nodes to the learned and to the plain prompt apart and join the "
                "two with SEALRouteConditioning."
            )


def _plan(model: Any, routes: Mapping[int, Route]) -> tuple[Plan, dict[str, dict[int, Choice]]]:
    """The plan, and for each extra context its name and what each route puts there.

    A cell is a (site, state of the windows); cells in which every route chooses alike share a context.
    """
    sites = sites_with_keys(require_unet(model))
    sampling = model.get_model_object("model_sampling")
    specs = dict.fromkeys(spec for route in routes.values() for spec in route.layers)
    allowed = {spec: _allowed(spec, [site for site, _ in sites]) for spec in specs}
    window = {
        spec: (float(sampling.percent_to_sigma(spec.start_percent)), float(sampling.percent_to_sigma(spec.end_percent)))
        for spec in specs
    }
    windows = tuple(dict.fromkeys(window.values()))
    table: dict[tuple[bool, ...], dict[SiteKey, str]] = {}
    names: dict[tuple[Choice, ...], str] = {}
    for sigma in _moments(windows):
        state = is_open(windows, sigma)
        opened = dict(zip(windows, state, strict=True))
        table[state] = row = {}
        for site, key in sites:
            let_in = {spec for spec in specs if site.name in allowed[spec] and opened[window[spec]]}
            chosen = tuple(
                frozenset(i for i, spec in enumerate(route.layers) if spec in let_in) for route in routes.values()
            )
            if any(choice != route.full for choice, route in zip(chosen, routes.values(), strict=True)):
                row[key] = names.setdefault(chosen, f"{PREFIX}{len(names)}")
    plan = Plan(windows, table, sampling, [route.base for route in list(_alive)])
    return plan, {name: dict(zip(routes, chosen, strict=True)) for chosen, name in names.items()}


def _allowed(layers: Layers, sites: Sequence[Site]) -> set[str]:
    return set(saved_sites(layers.sites, sites))


def _moments(windows: Sequence[Window]) -> list[float]:
    """Noise levels at which every state that the windows can be in occurs: their ends, and between these."""
    ends = sorted({end for window in windows for end in window})
    between = [(a + b) / 2 for a, b in pairwise(ends)]
    return [-1.0, *ends, *between, *(end + 1.0 for end in ends[-1:]), float("inf")]


def _equip_control(conds: Sequence[dict[str, Any]], routes: Mapping[int, Route]) -> None:
    """Let ControlNets read the class words: what they add reaches every site of the U-Net."""
    for i, cond in enumerate(conds):
        if "cross_attn" in cond and cond.get("cross_attn_controlnet") is None:
            cond["cross_attn_controlnet"] = routes[i].plain if i in routes else cond["cross_attn"]
