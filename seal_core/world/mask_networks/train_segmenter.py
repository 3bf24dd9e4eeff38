"""Training of the segmenter: `python -m seal_core.world segmenter` (ours).

Binary cross-entropy, weighted towards the outline, plus one minus each picture's soft intersection over union.
"""

from __future__ import annotations

import argparse
import random
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...masks.segmenter import SEGMENTER_FILE, Segmenter, predict_mask, segmenter_bytes
from ...pictures.resize import resize
from ..renderer import seeds
from . import averaged
from .segmenter_data import RENDERS, SegmenterData

EDGE = 3.0
"""Extra weight of pixels at the outline."""
SMALL_FIRST = 0.25
"""Share of a run on pictures of half the size, a quarter of the work a picture."""
PATTERNED = ("hearts", "sunburst", "zigzag")


def segmenter_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean over pictures of logits and masks (B, H, W): weighted cross-entropy plus 1 - soft IoU."""
    near = F.max_pool2d(truth[:, None], 5, 1, 2) + F.max_pool2d(-truth[:, None], 5, 1, 2)
    weight = 1 + EDGE * near[:, 0]
    entropy = (weight * F.binary_cross_entropy_with_logits(logits, truth, reduction="none")).sum((1, 2))
    found = logits.sigmoid()
    both = (found * truth).sum((1, 2))
    either = (found + truth - found * truth).sum((1, 2))
    # Without a subject both are near 0; one pixel more keeps the ratio stable.
    return (entropy / weight.sum((1, 2)) + 1 - (both + 1) / (either + 1)).mean()


def background_kind(background: str) -> str:
    """plain, patterned or scenic."""
    return "plain" if background.startswith("plain") else "patterned" if background in PATTERNED else "scenic"


def measure_segmenter(network: Segmenter, characters: range, count: int) -> dict[str, float]:
    """Mean IoU (at 0.5) with the exact mask at 128 px by background and style, over `count` characters."""
    from ..renderer.characters import character
    from ..renderer.render import render
    from ..renderer.scenes import random_scene

    scores: dict[str, list[float]] = {}
    for seed in characters[:count]:
        sticker = render(character(seed), random_scene(random.Random(f"segmenter {seed}")), seed)
        found = resize(predict_mask(network, sticker.image.astype(np.float32) / 255), *sticker.mask.shape) > 0.5
        truth = sticker.mask > 127
        iou = float((found & truth).sum() / max((found | truth).sum(), 1))
        for name in ("all", background_kind(sticker.scene.background), sticker.scene.style):
            scores.setdefault(name, []).append(iou)
    return {name: round(float(np.mean(values)), 4) for name, values in sorted(scores.items())}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core.world segmenter`."""
    averaged.add_options(parser, SEGMENTER_FILE, batch=24, chunks=16, each=f"{RENDERS} renders", held_out=120)


def run(options: argparse.Namespace) -> None:
    """Train (or continue), measure, write. Raises SealError for bad options."""
    folder = options.work / "segmenter"
    training = averaged.begin(options, folder, lambda: Segmenter(norm=True))
    if not options.measure_only:
        source = SegmenterData.load(folder, options.chunks, options.quiet)

        def of(network: nn.Module, batch: averaged.Batch, done: float) -> Tensor:
            images, truth = batch
            if done < SMALL_FIRST:
                images, truth = (F.avg_pool2d(t, 2) for t in (images, truth))
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(images)
            return segmenter_loss(logits, truth)

        training.run(partial(source.batch, options.batch), of, options.minutes, options.quiet)
    network = training.average.folded()
    figures = measure_segmenter(network, seeds.VALIDATION, options.held_out)
    training.ship(options, partial(segmenter_bytes, network), figures)
