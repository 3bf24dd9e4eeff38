"""Training of the segmenter: `python -m seal_core.world segmenter` (ours).

Binary cross-entropy, weighted towards the outline, and the soft intersection over union of each picture.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import SealError
from ..segmenter import FILE, Layout, Network, predict, to_file
from . import seeds
from .averaged import Training
from .files import write_bytes
from .train_kit import WORK

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
    torch.manual_seed(0)
    training = Training(folder / "state.pt", Network(Layout(), norm=True), RATE, plain=("stem", "out"))
    if not options.measure_only:
        source = Source.load(Cache(options.work / "judges"), folder, options.chunks, options.quiet)

        def of(network: nn.Module, step: int) -> Tensor:
            images, truth = source.batch(options.batch, step)
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(images)
            return loss(logits, truth)

        training.run(of, options.minutes, options.quiet)
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
