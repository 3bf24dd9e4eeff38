"""Training of the edge network: `python -m seal_core.world edges` (ours)."""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn

from ...masks.edge_network import EDGE_NETWORK_FILE, EdgeNetwork, edge_network_bytes, predict_edge
from ...masks.segmenter import coarse_mask
from ...pictures.resize import resize
from ..renderer import seeds
from . import averaged
from .edge_data import PICTURES, EdgeData, rendered_sticker

EDGE, COLOUR, WASHED = 8.0, 12.0, 8.0
"""Extra weights: of pixels at the outline, of colours against opacity, of colours that differ from the picture's."""


def edge_loss(found: tuple[Tensor, Tensor], images: Tensor, masks: Tensor, alpha: Tensor, own: Tensor) -> Tensor:
    """Loss of the logits and colours `found` in images (B, 3, H, W) with masks (B, H, W), against the exact opacity and
    own colours: cross-entropy plus absolute error of the opacity, and the colours' error where they show."""
    logits, colours = found
    near = _spread(alpha) + _spread(masks)
    weight = 1 + EDGE * near.clamp(max=1)
    opacity = F.binary_cross_entropy_with_logits(logits, alpha, reduction="none") + (logits.sigmoid() - alpha).abs()
    # Most of a subject looks as in the picture: where the style mixes in background, errors count more.
    washed = 1 + WASHED * (images - own).abs().amax(1)
    colour = COLOUR * washed * (colours - own).abs().mean(1) * alpha
    return (weight * (opacity + colour)).sum() / weight.sum()


def _spread(masks: Tensor) -> Tensor:
    """(B, H, W) range of values within three pixels: high at outlines."""
    return (F.max_pool2d(masks[:, None], 7, 1, 3) + F.max_pool2d(-masks[:, None], 7, 1, 3))[:, 0]


def measure_edges(network: EdgeNetwork, characters: range, count: int) -> dict[str, float]:
    """Mean errors of opacity and colours along the true outlines of `count` characters' stickers, by size in pixels."""
    found: dict[str, float] = {}
    for size in (128, 512):
        rows = []
        for seed in characters[:count]:
            image, own, alpha = rendered_sticker(seed, size)
            mask = resize(coarse_mask(image), size, size)
            colours, opacity = predict_edge(network, image, mask)
            soft = ndimage.binary_dilation((alpha > 0.02) & (alpha < 0.98), np.ones((3, 3)))
            off = np.abs(colours - own).mean(2) * alpha
            rows.append((np.abs(opacity - alpha)[soft].mean(), off[soft].mean()))
        for name, value in zip(("opacity", "colour"), np.mean(rows, 0)):
            found[f"{name} {size}"] = round(float(value), 4)
    return found


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core.world edges`."""
    averaged.add_options(
        parser, EDGE_NETWORK_FILE, batch=16, chunks=60, each=f"the crops of {PICTURES} pictures", held_out=40
    )


def run(options: argparse.Namespace) -> None:
    """Train (or continue), measure, write. Raises SealError for bad options."""
    folder = options.work / "edges"
    training = averaged.begin(options, folder, lambda: EdgeNetwork(norm=True))
    if not options.measure_only:
        source = EdgeData.load(folder, options.chunks, options.quiet)

        def of(network: nn.Module, batch: averaged.Batch, done: float) -> Tensor:
            images, masks, alpha, own = batch
            with torch.autocast("cpu", torch.bfloat16):
                found = network(images, masks)
            return edge_loss(found, images, masks, alpha, own)

        training.run(partial(source.batch, options.batch), of, options.minutes, options.quiet)
    network = training.average.folded()
    figures = measure_edges(network, seeds.VALIDATION, options.held_out)
    training.ship(options, partial(edge_network_bytes, network), figures)
