"""Weights in training: float32 masters, copies in bfloat16 that compute, an average, optimisers, all on disk (ours)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from ..errors import SealError
from .files import read_tensors, write_bytes

WEIGHT_DECAY = 0.01
ADAM_BETAS = (0.9, 0.99)
MOMENTUM = 0.95
AVERAGE_SHARE, AVERAGE_STEPS = 0.04, 3000
"""The average remembers about this share of all steps, and at most so many."""
KEY = "stickerworld-training"


class Weights:
    """What a training changes. `work` modules compute in `dtype`; the masters that the optimisers see are float32.

    modules: name -> module; their parameters are cast to `dtype` in place. muon: matrices (and kernels of
    convolutions, flattened) inside the blocks are optimised by Muon (Jordan et al. 2024, torch.optim.Muon), which
    orthogonalises each step, and the rest by AdamW; without it all by AdamW.
    """

    def __init__(self, modules: dict[str, nn.Module], dtype: torch.dtype, rate: float, muon: bool) -> None:
        self.modules = modules
        named = [(f"{part}.{n}", p) for part, module in modules.items() for n, p in module.named_parameters()]
        self.master = {n: nn.Parameter(_flat(n, p.detach().float().clone(), muon)) for n, p in named}
        for module in modules.values():
            module.to(dtype)
        self.work = {f"{part}.{n}": p for part, module in modules.items() for n, p in module.named_parameters()}
        self.average = {n: p.detach().clone() for n, p in self.master.items()}
        first = {n for n in self.master if muon and _is_inner(n, self.master[n])}
        decayed = [p for n, p in self.master.items() if n not in first and p.ndim > 1 and "embed" not in n]
        plain = [p for n, p in self.master.items() if n not in first and (p.ndim < 2 or "embed" in n)]
        groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}]
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW([g for g in groups if g["params"]], rate, betas=ADAM_BETAS, fused=True)
        ]
        if first:
            matrices = [self.master[n] for n in first]
            self.optimisers.append(
                torch.optim.Muon(
                    matrices, rate, weight_decay=WEIGHT_DECAY, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"
                )
            )
        self.steps = 0

    def step(self, rate: float, clip: float) -> float:
        """One step with the gradients that the work parameters hold; returns their norm before clipping."""
        gradients = []
        for name, master in self.master.items():
            gradient = self.work[name].grad
            master.grad = torch.zeros_like(master) if gradient is None else gradient.float().view_as(master)
            gradients.append(master.grad)
            self.work[name].grad = None
        norm = float(torch.nn.utils.clip_grad_norm_(self.master.values(), clip))
        if math.isfinite(norm):
            for optimiser in self.optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = rate
                optimiser.step()
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        self.steps += 1
        keep = 1 - 1 / min(max(10.0, AVERAGE_SHARE * self.steps), AVERAGE_STEPS)
        masters = list(self.master.values())
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), masters, 1 - keep)
            for name, master in self.master.items():
                self.work[name].copy_(master.view_as(self.work[name]))
        return norm

    def averaged(self, part: str) -> dict[str, Tensor]:
        """State dict of the average of one module, float32."""
        own = {n: p for n, p in self.average.items() if n.startswith(part + ".")}
        return {n.removeprefix(part + "."): p.view(self.work[n].shape) for n, p in own.items()}

    # -- on disk -----------------------------------------------------------------------------------

    def save(self, path: Path, about: dict[str, Any]) -> None:
        """One file, written whole; `about` is any JSON."""
        tensors = {f"master|{n}": p.detach() for n, p in self.master.items()}
        tensors |= {f"average|{n}": p for n, p in self.average.items()}
        names = {id(p): n for n, p in self.master.items()}
        for optimiser in self.optimisers:
            for parameter, state in optimiser.state.items():
                for key, value in state.items():
                    if isinstance(value, Tensor):
                        tensors[f"{key}|{names[id(parameter)]}"] = value
        tensors = {n: t.detach().cpu().contiguous() for n, t in tensors.items()}
        write_bytes(path, to_bytes(tensors, metadata={KEY: json.dumps({**about, "steps": self.steps})}))

    def load(self, path: Path) -> dict[str, Any]:
        """Restore what `save` wrote and return its `about`. Raises SealError for files that do not fit."""
        tensors, about = read_tensors(path, KEY, "folder", "remove it to start the training anew")
        try:
            with torch.no_grad():
                for name, master in self.master.items():
                    master.copy_(tensors.pop(f"master|{name}").view_as(master))
                    self.average[name].copy_(tensors.pop(f"average|{name}").view_as(master))
                    self.work[name].copy_(master.view_as(self.work[name]))
            for optimiser in self.optimisers:
                for parameter in (p for group in optimiser.param_groups for p in group["params"]):
                    optimiser.state[parameter] = {}
            owner = {id(p): o for o in self.optimisers for g in o.param_groups for p in g["params"]}
            for name, tensor in tensors.items():
                key, _, rest = name.partition("|")
                parameter = self.master[rest]
                place = "cpu" if key == "step" and parameter.device.type == "cpu" else parameter.device
                owner[id(parameter)].state[parameter][key] = tensor.to(place)
        except (KeyError, RuntimeError) as error:
            raise SealError(
                f"folder: {path} is of another model or optimiser ({error}); remove it to start the training anew."
            ) from None
        self.steps = int(about["steps"])
        return about


def _flat(name: str, weight: Tensor, muon: bool) -> Tensor:
    """Kernels (O, I, H, W) as matrices (O, I H W) where Muon wants them."""
    return weight.reshape(len(weight), -1) if muon and weight.ndim == 4 else weight


def _is_inner(name: str, weight: Tensor) -> bool:
    """Matrices inside the blocks; the first and last layers and embeddings are AdamW's, as Muon's authors advise."""
    outer = ("conv_in", "conv_out", "embedding", "time_emb")
    return weight.ndim == 2 and not any(word in name for word in outer)


def rate_at(done: float, step: int, peak: float, warm_up: int = 100, floor: float = 0.02) -> float:
    """Learning rate: linear over `warm_up` steps of this run, then a cosine from `peak` to `floor` of it.

    done: share of the run's budget, 0 to 1. step: of this run.
    """
    return peak * min(1.0, (step + 1) / warm_up) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1, done))))


def mean(values: Iterable[float]) -> float:
    """Mean of some numbers, 0 for none."""
    kept = list(values)
    return sum(kept) / max(1, len(kept))
