"""Several processes train one model, each on its own batch: one per core or GPU.

Small layers gain little from a second thread; two processes of one thread each are nearly twice as fast as one:

    python -m torch.distributed.run --nproc-per-node 2 -m seal_core.world train unet
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from .time_budget import cores


class Ranks:
    """This process among those that torch's launcher started; without it, the only one."""

    def __init__(self) -> None:
        self.rank, self.count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        if self.count > 1:
            if not dist.is_initialized():
                dist.init_process_group("gloo")
            torch.set_num_threads(max(1, cores() // self.count))

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over all processes, in place."""
        if self.count == 1:
            return
        flat = torch.cat([t.reshape(-1) for t in tensors]).div_(self.count)
        dist.all_reduce(flat)
        for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors])):
            tensor.copy_(mean.view_as(tensor))

    def agree(self, value: float) -> float:
        """The first process's value: clocks differ, and all must stop at the same step."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(shared, 0)
        return float(shared)
