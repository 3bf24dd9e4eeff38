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

from ...files.tensor_file import read_shipped_tensors
from ...files.whole_file import write_output
from ...messages import SealError
from .muon import Optimiser
from .ranks import Ranks

ADAM_SHARE = 0.5
"""AdamW's learning rate as a share of Muon's."""
OUTER = ("conv_in", "conv_out", "embedding", "time_emb")
"""First and last layers and embeddings: AdamW's, as Muon's authors advise."""
AVERAGE_SHARE, AVERAGE_STEPS = 0.04, 3000
"""The average spans about this share of all steps, and at most this many."""
KEY = "stickerworld-training"


class Weights:
    """The weights in training: `work` copies compute in `dtype`; the optimiser steps float32 masters.

    modules: name -> module; their parameters are cast to `dtype` in place. rate: peak learning rate of matrices and
    kernels (Muon); the rest has ADAM_SHARE of it.
    """

    def __init__(self, modules: dict[str, nn.Module], dtype: torch.dtype, rate: float) -> None:
        named = [(f"{part}.{n}", p) for part, module in modules.items() for n, p in module.named_parameters()]
        self.master = {n: nn.Parameter(p.detach().float().clone()) for n, p in named}
        for module in modules.values():
            module.to(dtype)
        self.work = {f"{part}.{n}": p for part, module in modules.items() for n, p in module.named_parameters()}
        self.optimiser = Optimiser(self.master.items(), rate, rate * ADAM_SHARE, plain=OUTER)
        self.average = {n: p.detach().clone() for n, p in self.master.items()}
        self.steps = 0

    def step(self, scale: float, ranks: Ranks | None = None) -> float:
        """One step on the work parameters' gradients (averaged over `ranks`), at `scale` times the peak rates.

        Returns the gradient's norm before clipping. Skips the step if the gradient is not finite.
        """
        for name, work in self.work.items():
            self.master[name].grad = torch.zeros_like(self.master[name]) if work.grad is None else work.grad.float()
            work.grad = None
        if ranks is not None:
            ranks.average([p.grad for p in self.master.values() if p.grad is not None])
        total = torch.stack([p.grad.abs().max() for p in self.master.values() if p.grad is not None]).max()
        norm = self.optimiser.step(scale) if math.isfinite(float(total)) else math.nan
        self.steps += 1
        keep = 1 - 1 / min(max(10.0, AVERAGE_SHARE * self.steps), AVERAGE_STEPS)
        with torch.no_grad():
            masters = [p.detach() for p in self.master.values()]
            torch._foreach_lerp_(list(self.average.values()), masters, 1 - keep)
            torch._foreach_copy_(list(self.work.values()), masters)
        return norm

    def averaged(self, part: str) -> dict[str, Tensor]:
        """State dict of the average of one module, float32."""
        return {n.removeprefix(part + "."): p for n, p in self.average.items() if n.startswith(part + ".")}

    # -- on disk -----------------------------------------------------------------------------------

    def save(self, path: Path, about: dict[str, Any]) -> None:
        """Write one file, whole. about: any JSON values."""
        tensors = {f"master|{n}": p.detach() for n, p in self.master.items()}
        tensors |= {f"average|{n}": p for n, p in self.average.items()}
        tensors |= {f"optimiser|{n}": p for n, p in self.optimiser.state().items()}
        tensors = {n: t.detach().cpu().contiguous() for n, t in tensors.items()}
        write_output(path, to_bytes(tensors, metadata={KEY: json.dumps({**about, "steps": self.steps})}))

    def load(self, path: Path) -> dict[str, Any]:
        """Restore what `save` wrote and return its `about`. Raises SealError for files that do not fit."""
        tensors, about = read_shipped_tensors(path, KEY, "folder", "remove it to start the training anew")
        try:
            with torch.no_grad():
                for name, master in self.master.items():
                    master.copy_(tensors.pop(f"master|{name}"))
                    self.average[name].copy_(tensors.pop(f"average|{name}"))
                    self.work[name].copy_(master)
            self.steps = int(about["steps"])
            self.optimiser.load({n.removeprefix("optimiser|"): t for n, t in tensors.items()}, self.steps)
        except (KeyError, RuntimeError) as error:
            raise SealError(f"folder: {path} is of another model ({error}); remove it to start anew.") from None
        return about


def scale_at(done: float, step: int, warm_up: int = 100, floor: float = 0.02) -> float:
    """Share of the peak learning rate: linear over `warm_up` steps of this run, and a cosine from 1 to `floor`.

    done: share of the run's budget, 0 to 1. step: of this run.
    """
    return min(1.0, (step + 1) / warm_up) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1, done))))


def mean(values: Iterable[float]) -> float:
    """Mean of some numbers, 0 for none."""
    kept = list(values)
    return sum(kept) / max(1, len(kept))
