"""Which prompts the rows of a pass belong to, and which part of the latents each of them sees.

`cond_or_uncond` alone does not tell: DualCFGGuider passes the negative prompt first, SAG passes it alone. And a prompt
with an area (Conditioning (Set Area)) reaches the model as a cut-out, of which no option says where it lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from comfy.patcher_extension import WrappersMP
from comfy.samplers import get_area_and_mult
from torch import Tensor
from torch.nn import functional as F

KEY = "seal_prompts"
GUIDER = "seal_guider"
DRAWN = ("positive", "middle")
"""A guider's prompts that say what is drawn. "middle" is DualCFGGuider's second."""


@dataclass(frozen=True, eq=False)
class _Batch:
    """conds: as calc_cond_batch got them, whose places `cond_or_uncond` counts. drawn: whether each says what is drawn;
    plainest: what the model reads of the first that does not, one row; size: (h, w) of the latents."""

    conds: Sequence[Sequence[Mapping[str, Any]] | None]
    drawn: tuple[bool, ...]
    plainest: Mapping[str, Any]
    size: tuple[int, int]


def with_prompts_told(model: Any) -> None:
    """Make the passes of a MODEL, a clone, tell their prompts to `drawn_prompts` and `seen_part`."""
    for kind, wrapper in ((WrappersMP.OUTER_SAMPLE, _outer_sample), (WrappersMP.CALC_COND_BATCH, _calc_cond_batch)):
        model.remove_wrappers_with_key(kind, KEY)
        model.add_wrapper_with_key(kind, KEY, wrapper)


def drawn_prompts(options: Mapping[str, Any]) -> list[bool]:
    """Of each prompt in a pass with these transformer_options, whether it says what is drawn; else it is a negative or
    an empty one. Empty where the pass tells no prompts, as in a training."""
    batch, kinds = options.get(KEY), options.get("cond_or_uncond", ())
    return [kind == 0 if batch is None else batch.drawn[kind] for kind in kinds]


def plainest_inputs(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the model reads of a prompt that does not say what is drawn, one row by the name of its input. Empty where
    there is none, and in a pass that has rows of one. Where memory is short, and with several cards, each prompt has a
    pass of its own."""
    batch = options.get(KEY)
    return {} if batch is None or False in drawn_prompts(options) else batch.plainest


def seen_part(mask: Tensor, options: Mapping[str, Any], x: Tensor) -> Tensor:
    """What each row of a pass x (rows, C, h, w) sees of a mask over the latents, of any size: (rows, h, w)."""
    batch, kinds, uuids = options.get(KEY), options.get("cond_or_uncond", ()), options.get("uuids", ())
    height, width = x.shape[-2:]
    whole = F.interpolate(mask[None, None], (height, width) if batch is None else batch.size, mode="area")[0, 0]
    if batch is None:
        return whole.expand(len(x), -1, -1)
    parts = []
    for kind, uuid in zip(kinds, uuids):
        areas = [cond["area"] for cond in batch.conds[kind] or () if cond.get("uuid") == uuid and "area" in cond]
        top, left = areas[0][-2:] if areas else (0, 0)
        parts.append(whole[top : top + height, left : left + width])
    return torch.stack(parts).repeat_interleave(len(x) // len(parts), dim=0)


def _outer_sample(executor: Any, *args: Any, **kwargs: Any) -> Any:
    guider = executor.class_obj
    guider.model_options["transformer_options"][GUIDER] = guider
    return executor(*args, **kwargs)


def _calc_cond_batch(
    executor: Any, model: Any, conds: Sequence[Any], x: Tensor, timestep: Tensor, model_options: Mapping[str, Any]
) -> Any:
    options = model_options["transformer_options"]
    named = getattr(options.get(GUIDER), "conds", {})
    names = [next((name for name, group in named.items() if group is found), None) for found in conds]
    # Context windows make new lists; the first is then the prompt, as everywhere but with DualCFGGuider.
    drawn = tuple(name in DRAWN if any(names) else i == 0 for i, name in enumerate(names))
    others = (cond for group, says in zip(conds, drawn) if not says for cond in group or ())
    read = next(filter(None, (get_area_and_mult(cond, x[:1], timestep) for cond in others)), None)
    plainest = {} if read is None else {name: value.cond for name, value in read.conditioning.items()}
    options = {**options, KEY: _Batch(conds, drawn, plainest, (x.shape[-2], x.shape[-1]))}
    return executor(model, conds, x, timestep, {**model_options, "transformer_options": options})
