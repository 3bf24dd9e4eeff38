"""Training of the segmenter: `python -m seal_core.world segmenter` (ours).

Binary cross-entropy, weighted towards the outline, and the soft intersection over union of each picture. The state is
written every few minutes: a stopped training goes on with the same command, a finished one learns on from where it
was. What ships is the exponential moving average of the weights.
"""

from __future__ import annotations

import argparse
import copy
import io
import math
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from ..errors import SealError
from ..segmenter import FILE, Layout, Network, predict, to_file
from . import seeds
from .files import write_bytes
from .optimiser import Optimiser
from .train_kit import SAVE_SECONDS, WORK

RATE = 5e-3
"""Muon's peak; AdamW, for the rest, has half of it."""
EDGE = 3.0
"""Weight of pixels at the outline beyond that of the others."""
GROUNDS = ("plain", "patterned", "scenic")
PATTERNED = ("hearts", "sunburst", "zigzag")


def loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean over pictures of logits and masks (B, H, W): weighted cross-entropy plus 1 - soft IoU."""
    near = F.max_pool2d(truth[:, None], 5, 1, 2) + F.max_pool2d(-truth[:, None], 5, 1, 2)
    weight = 1 + EDGE * near[:, 0]
    entropy = (weight * F.binary_cross_entropy_with_logits(logits, truth, reduction="none")).sum((1, 2))
    found = logits.sigmoid()
    both = (found * truth).sum((1, 2))
    either = (found + truth - found * truth).sum((1, 2))
    # A picture without a subject has no overlap to be proud of: one pixel each keeps it harmless.
    return (entropy / weight.sum((1, 2)) + 1 - (both + 1) / (either + 1)).mean()


class Training:
    """The network in training and its state in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        torch.manual_seed(0)
        self.network = Network(Layout(), norm=True)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.optimiser = Optimiser(self.network.named_parameters(), RATE, RATE / 2, plain=("stem", "out"))
        self.about: dict[str, Any] = {"step": 0, "seconds": 0.0, "done": 1.0, "first_step": 0, "minutes": 0.0}
        """Steps and processor seconds of all runs; of the last one its share that is done, first step and budget."""
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
            raise SealError(f"state: {self.file} is damaged or another layout's ({error!r}); delete it.") from None

    def save(self) -> None:
        state = {"network": self.network.state_dict(), "average": self.average.state_dict()}
        buffer = io.BytesIO()
        torch.save(state | {"optimiser": self.optimiser.state(), "about": self.about}, buffer)
        write_bytes(self.file, buffer.getvalue())

    def step(self, images: Tensor, truth: Tensor, done: float) -> float:
        """One step at the share `done` of the run; the loss."""
        warm = min(1.0, (self.about["step"] - self.about["first_step"] + 1) / 40)
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(images)
        value = loss(logits, truth)
        value.backward()
        self.optimiser.step(warm * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2))
        self.about["step"] += 1
        keep = min(0.995, (self.about["step"] + 1) / (self.about["step"] + 15))
        with torch.no_grad():
            for ours, theirs in zip(self.average.state_dict().values(), self.network.state_dict().values()):
                if ours.is_floating_point():
                    ours.lerp_(theirs, 1 - keep)
                else:
                    ours.copy_(theirs)
        return float(value.detach())


def ground_of(background: str) -> str:
    """Which of GROUNDS a StickerWorld background is."""
    return "plain" if background.startswith("plain") else "patterned" if background in PATTERNED else "scenic"


def measure(network: Network, characters: range, count: int) -> dict[str, float]:
    """Mean IoU (at one half) with the exact mask at 128 px by ground and by style, over `count` characters."""
    from .characters import character
    from .contexts import random_context
    from .render import render

    scores: dict[str, list[float]] = {}
    for seed in characters[:count]:
        sticker = render(character(seed), random_context(random.Random(f"segmenter {seed}")), seed)
        found = predict(network, sticker.image.astype(np.float32) / 255) > 0.5
        truth = sticker.mask > 127
        iou = float((found & truth).sum() / max((found | truth).sum(), 1))
        for name in ("all", ground_of(sticker.context.background), sticker.context.style):
            scores.setdefault(name, []).append(iou)
    return {name: round(float(np.mean(values)), 4) for name, values in sorted(scores.items())}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core.world segmenter`."""
    parser.add_argument("--out", type=Path, default=FILE, help="where the segmenter is written (%(default)s)")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of pictures and the state (%(default)s)")
    parser.add_argument("--minutes", type=float, default=30, help="processor time of this run (%(default)s)")
    parser.add_argument("--batch", type=int, default=24, help="pictures a step (%(default)s)")
    parser.add_argument("--chunks", type=int, default=12, help="chunks of 1024 renders, the judges' (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the training (%(default)s)")
    parser.add_argument("--held-out", type=int, default=120, help="validation characters to measure (%(default)s)")
    parser.add_argument("--measure-only", action="store_true", help="measure what the state holds, train nothing")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> None:
    """Train (or continue), measure, write. Raises SealError for bad options."""
    from .judge_data import Cache
    from .segmenter_data import Source

    for name, least in (("minutes", 0.01), ("batch", 4), ("chunks", 1), ("threads", 1), ("held_out", 1)):
        if getattr(options, name) < least:
            raise SealError(f"--{name.replace('_', '-')}: must be at least {least}.")
    torch.set_num_threads(options.threads)
    folder = options.work / "segmenter"
    training = Training(folder / "state.pt")
    if not options.measure_only:
        cache = Cache(options.work / "judges")
        _train(training, Source.load(cache, folder, options.chunks, options.quiet), options)
    network = training.average.folded()
    figures = measure(network, seeds.VALIDATION, options.held_out)
    card = {
        "figures": figures,
        "pictures": training.about["step"] * options.batch,
        "minutes": round(training.about["seconds"] / 60, 1),
    }
    write_bytes(options.out, to_file(network, card))
    print(" ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    print(f"segmenter: {options.out} ({options.out.stat().st_size / 1e6:.2f} MB)")


def _train(training: Training, source: Any, options: argparse.Namespace) -> None:
    """One run. Its clock is the processor's, since the rate falls with it and a busy machine must not cut it short."""
    about = training.about
    if about["done"] >= 1:
        about |= {"done": 0.0, "first_step": about["step"], "minutes": options.minutes}
    budget = about["minutes"] * 60
    saved, losses = time.monotonic(), []
    with tqdm(total=100, unit="%", disable=options.quiet, mininterval=5, initial=round(100 * about["done"])) as bar:
        while about["done"] < 1:
            started = time.process_time()
            losses.append(training.step(*source.batch(options.batch, about["step"]), about["done"]))
            spent = time.process_time() - started
            about["seconds"] += spent
            about["done"] = min(1.0, about["done"] + spent / budget)
            if len(losses) == 50:
                bar.update(round(100 * about["done"]) - bar.n)
                bar.set_postfix(step=about["step"], loss=f"{np.mean(losses):.4f}")
                losses.clear()
            if time.monotonic() - saved > SAVE_SECONDS or about["done"] >= 1:
                training.save()
                saved = time.monotonic()
