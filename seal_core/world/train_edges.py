"""Training of the edge network: `python -m seal_core.world edges` (ours)."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..edges import FILE, EdgeNetwork, predict, to_file
from ..errors import SealError
from ..masks_border import resize
from ..segmenter import seen
from . import seeds
from .averaged import Training
from .edge_data import Source, sticker
from .files import write_bytes
from .train_kit import WORK

RATE = 5e-3
EDGE, COLOUR, WASHED = 8.0, 12.0, 8.0
"""Weights: of pixels at the outline beyond that of the others; of colours beside the opacity; and of those that differ
from the picture's."""


def loss(found: tuple[Tensor, Tensor], images: Tensor, masks: Tensor, alpha: Tensor, own: Tensor) -> Tensor:
    """Mean over pictures of the logits and colours `found` in images (B, 3, H, W) and masks (B, H, W), beside the exact
    opacity and own colours: cross-entropy and absolute error of the opacity, and the colours' where they are seen."""
    logits, colours = found
    near = sum(F.max_pool2d(m[:, None], 7, 1, 3) + F.max_pool2d(-m[:, None], 7, 1, 3) for m in (alpha, masks))
    weight = 1 + EDGE * near[:, 0].clamp(max=1)
    opacity = F.binary_cross_entropy_with_logits(logits, alpha, reduction="none") + (logits.sigmoid() - alpha).abs()
    # Most of a subject is as the picture shows it: what a style has washed the ground into counts more.
    washed = 1 + WASHED * (images - own).abs().amax(1)
    colour = COLOUR * washed * (colours - own).abs().mean(1) * alpha
    return (weight * (opacity + colour)).sum() / weight.sum()


def measure(network: EdgeNetwork, characters: range, count: int) -> dict[str, float]:
    """Errors of the opacity and of the colours at the outlines of `count` characters' stickers, by size in pixels."""
    found: dict[str, float] = {}
    for size in (128, 512):
        rows = []
        for seed in characters[:count]:
            image, own, alpha = sticker(seed, size)
            mask = resize(seen(image)[0], size, size)
            colours, opacity = predict(network, image, mask)
            soft = (alpha > 0.02) & (alpha < 0.98) | (opacity > 0.02) & (opacity < 0.98)
            off = np.abs(colours - own).mean(2) * alpha
            rows.append((np.abs(opacity - alpha)[soft].mean(), off[soft].mean()))
        for name, value in zip(("opacity", "colour"), np.mean(rows, 0)):
            found[f"{name} {size}"] = round(float(value), 4)
    return found


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core.world edges`."""
    parser.add_argument("--out", type=Path, default=FILE, help="where the edge network is written (%(default)s)")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of pictures and the state (%(default)s)")
    parser.add_argument("--minutes", type=float, default=30, help="processor time of this run (%(default)s)")
    parser.add_argument("--batch", type=int, default=16, help="crops a step (%(default)s)")
    parser.add_argument("--chunks", type=int, default=60, help="chunks of 64 pictures (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the training (%(default)s)")
    parser.add_argument("--held-out", type=int, default=40, help="validation characters to measure (%(default)s)")
    parser.add_argument("--measure-only", action="store_true", help="measure what the state holds, train nothing")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> None:
    """Train (or continue), measure, write. Raises SealError for bad options."""
    for name, least in (("minutes", 0.01), ("batch", 4), ("chunks", 1), ("threads", 1), ("held_out", 1)):
        if getattr(options, name) < least:
            raise SealError(f"--{name.replace('_', '-')}: must be at least {least}.")
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    folder = options.work / "edges"
    training = Training(folder / "state.pt", EdgeNetwork(norm=True), RATE, plain=("stem", "out"))
    if not options.measure_only:
        source = Source.load(folder, options.chunks, options.quiet)

        def of(network: nn.Module, step: int) -> Tensor:
            images, masks, alpha, own = source.batch(options.batch, step)
            with torch.autocast("cpu", torch.bfloat16):
                found = network(images, masks)
            return loss(found, images, masks, alpha, own)

        training.run(of, options.minutes, options.quiet)
    network = training.average.folded()
    figures = measure(network, seeds.VALIDATION, options.held_out)
    card = {
        "figures": figures,
        "crops": training.about["step"] * options.batch,
        "minutes": round(training.about["seconds"] / 60, 1),
    }
    write_bytes(options.out, to_file(network, card))
    print(" ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    print(f"edge network: {options.out} ({options.out.stat().st_size / 1e6:.2f} MB)")
