"""Training of a small network whose averaged weights ship: options, state, steps, time budget (ours)."""

from __future__ import annotations

import argparse
import copy
import io
import math
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from ...files.whole_file import write_output
from ...messages import SealError
from ..trainings.muon import Optimiser, update_average
from ..trainings.time_budget import SAVE_SECONDS, WORK
from . import real_art

RATE = 5e-3
"""Muon's peak; AdamW, for the first and last layers and for vectors, has half of it."""
PLAIN = ("stem", "out")
Batch = tuple[Tensor, ...]


def add_options(parser: argparse.ArgumentParser, out: Path, batch: int, chunks: int, each: str, held_out: int) -> None:
    """Options of a training. each: what a chunk of pictures holds."""
    parser.add_argument("--out", type=Path, default=out, help="where the network is written (%(default)s)")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of pictures and the state (%(default)s)")
    parser.add_argument("--minutes", type=float, default=30, help="processor time for this run (%(default)s)")
    parser.add_argument("--batch", type=int, default=batch, help="pictures a step (%(default)s)")
    parser.add_argument("--chunks", type=int, default=chunks, help=f"chunks of {each} (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the training (%(default)s)")
    parser.add_argument("--held-out", type=int, default=held_out, help="validation characters to measure (%(default)s)")
    parser.add_argument("--measure-only", action="store_true", help="measure the saved state without training")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def begin(options: argparse.Namespace, folder: Path, build: Callable[[], nn.Module]) -> AveragedTraining:
    """A network's training, new or resumed from `folder`. Raises SealError for bad options."""
    for name, least in (("minutes", 0.01), ("batch", 4), ("chunks", 1), ("threads", 1), ("held_out", 1)):
        if getattr(options, name) < least:
            raise SealError(f"--{name.replace('_', '-')}: must be at least {least}.")
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    return AveragedTraining(folder / "state.pt", build())


class _Drawn(Dataset):
    """Batches by the number of their step."""

    def __init__(self, draw: Callable[[int], Batch]) -> None:
        self.draw = draw

    def __getitem__(self, step: int) -> Batch:
        return self.draw(step)


class AveragedTraining:
    """A network in training, the exponential moving average of its weights, and their state in a file. The same
    command resumes a stopped training and continues a finished one."""

    def __init__(self, file: Path, network: nn.Module) -> None:
        self.file, self.network = file, network
        self.average: Any = copy.deepcopy(network).requires_grad_(False)  # of the network's class
        self.optimiser = Optimiser(network.named_parameters(), RATE, RATE / 2, plain=PLAIN)
        self.about: dict[str, Any] = {"step": 0, "seconds": 0.0, "done": 1.0, "first_step": 0, "minutes": 0.0}
        """Steps and processor seconds of all runs; of the last run the finished share, first step and budget."""
        if file.exists():
            self._resume()

    def _resume(self) -> None:
        try:
            state = torch.load(self.file, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load(state["optimiser"], state["about"]["step"])
            self.about = state["about"]
        except Exception as error:
            raise SealError(f"state: {self.file} is damaged or of another layout ({error!r}); delete it.") from None

    def save(self) -> None:
        state = {"network": self.network.state_dict(), "average": self.average.state_dict()}
        buffer = io.BytesIO()
        torch.save(state | {"optimiser": self.optimiser.state(), "about": self.about}, buffer)
        write_output(self.file, buffer.getvalue())

    def step(self, loss: Callable[[nn.Module], Tensor], done: float) -> float:
        """One step on `loss` of the network, at the share `done` of the run. Returns the loss."""
        warm = min(1.0, (self.about["step"] - self.about["first_step"] + 1) / 40)
        self.network.train()
        value = loss(self.network)
        value.backward()
        self.optimiser.step(warm * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2))
        self.about["step"] += 1
        keep = min(0.995, (self.about["step"] + 1) / (self.about["step"] + 15))
        update_average(self.average, self.network, keep)
        return float(value.detach())

    def run(
        self,
        draw: Callable[[int], Batch],
        loss: Callable[..., Tensor],
        minutes: float,
        quiet: bool = False,
    ) -> None:
        """One run of `minutes`, or the rest of a stopped one.

        draw: the batch of a step; called ahead in a process of its own. loss: of (network, batch, done), done being
        the share of the run that is over. Counts this process's time, since the learning rate follows it and a busy
        machine must not shorten the training.
        """
        about = self.about
        if about["done"] >= 1:
            about |= {"done": 0.0, "first_step": about["step"], "minutes": minutes}
        budget = about["minutes"] * 60
        saved, losses = time.monotonic(), []
        steps = range(about["step"], sys.maxsize)
        batches = iter(DataLoader(_Drawn(draw), batch_size=None, sampler=steps, num_workers=1, prefetch_factor=4))
        with tqdm(total=100, unit="%", disable=quiet, mininterval=5, initial=round(100 * about["done"])) as bar:
            while about["done"] < 1:
                started = time.process_time()
                losses.append(self.step(partial(loss, batch=next(batches), done=about["done"]), about["done"]))
                spent = time.process_time() - started
                about["seconds"] += spent
                about["done"] = min(1.0, about["done"] + spent / budget)
                if len(losses) == 50:
                    bar.update(round(100 * about["done"]) - bar.n)
                    bar.set_postfix(step=about["step"], loss=f"{np.mean(losses):.4f}")
                    losses.clear()
                if time.monotonic() - saved > SAVE_SECONDS or about["done"] >= 1:
                    self.save()
                    saved = time.monotonic()

    def ship(self, options: argparse.Namespace, data: Callable[[Mapping[str, Any]], bytes], figures: dict) -> None:
        """Write the file that `data` makes of a card, and print the figures."""
        seen, minutes = self.about["step"] * options.batch, round(self.about["seconds"] / 60, 1)
        card = {"figures": figures, "pictures": seen, "minutes": minutes, "art": real_art.credits()}
        write_output(options.out, data(card))
        print(" ".join(f"{name} {value:.4f}" for name, value in figures.items()))
        print(f"{options.out} ({options.out.stat().st_size / 1e6:.2f} MB)")
