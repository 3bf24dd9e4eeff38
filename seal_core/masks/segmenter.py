"""The learned segmenter: finds a sticker's subject where colours alone cannot (ours).

A small U-Net (Ronneberger et al. 2015) sees the picture at `SIDE` pixels. `python -m seal_core.world segmenter` trained
it on sticker art of several hands, StickerWorld's stickers and procedural objects. It knows closed outlines, white on
white, die-cut rims on paper of the same colour, hearts beside a head, watercolour and scenery. It has never seen a
photograph.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..pictures.resize import resize
from . import small_networks
from .barrier import barrier_and_toll, level
from .small_networks import Residual, conv

_KEY = "segmenter"
SEGMENTER_FILE = Path(__file__).parent / "data" / "segmenter.safetensors"
SIDE = 256
"""Longest side of the copy that the network sees, in pixels."""
VIEWS = ((SIDE, False), (320, True))
"""Sides at which the network looks at a picture, and whether at its mirror image. On tuning pictures two views gained
.0025 IoU over one size and its mirror image; a third gained nothing."""
LEAST = 8
"""Pictures with a side shorter than this many pixels count as showing no subject."""
FEATURES = 18
"""Channels of `features`."""
_FRAME, _LIKE = 32, 0.06  # colours sampled along the frame; RGB distance at which two colours still count as alike
_CELL = 32  # the network needs sides that are multiples of this
_REMEDY = "install the pack again; in a checkout of the repository, `python -m seal_core.world segmenter` trains one"


@dataclass(frozen=True)
class SegmenterLayout:
    """Channels per level. The first level has half the picture's size, each further one half of the one before."""

    widths: tuple[int, ...] = (24, 48, 96, 144, 192)


def features(images: Tensor) -> Tensor:
    """The network's input (B, FEATURES, H / 2, W / 2) from images (B, 3, H, W) in [0, 1].

    Twelve channels hold the colours of 2 x 2 pixels, centred on zero. The others look at their mean: which share of the
    frame is like it; its distance to the nearest colour there; the same for colours that come at two sides of the
    frame, which are the ground's; and how closed off from the frame it is (`barrier`): the level for that distance, the
    barrier's square root, and the toll on a scale that flattens.
    """
    with torch.autocast(images.device.type, enabled=False):
        images = images.float()
        small = F.avg_pool2d(images, 2)
        count, _, height, width = small.shape
        steps = (torch.arange(_FRAME // 4, device=images.device) + 0.5) * (4 / _FRAME)
        across, down = (steps * width).long(), (steps * height).long()
        edges = [small[:, :, 0, across], small[:, :, -1, across], small[:, :, down, 0], small[:, :, down, -1]]
        frame = torch.cat(edges, 2)
        away = _squares(frame, small.flatten(2))
        sides = (_squares(frame, frame) < _LIKE**2).view(count, _FRAME, 4, -1).any(3).sum(2)
        ground = sides >= torch.minimum(sides.amax(1, keepdim=True), sides.new_tensor(2))
        near, nearest = away.amin(1), away.masked_fill(~ground[:, :, None], 1).amin(1)
        like = away.mul_(-0.5 / _LIKE**2).exp_().mean(1)
        told = torch.stack([like, *(a.sqrt().clamp(max=1) for a in (near, nearest))], 1).view(count, 3, height, width)
        barrier, toll = (torch.from_numpy(a) for a in barrier_and_toll(small.permute(0, 2, 3, 1).numpy()))
        closed = torch.stack([barrier.sqrt(), toll / (1 + toll), torch.from_numpy(level(told[:, 2].numpy()))], 1)
        return torch.cat(
            [F.pixel_unshuffle(images - 0.5, 2), told[:, :2], closed[:, :2], told[:, 2:], closed[:, 2:]], 1
        )


def _squares(one: Tensor, two: Tensor) -> Tensor:
    """Squared RGB distances (B, N, M) between colours (B, 3, N) and (B, 3, M)."""
    squares = (one**2).sum(1)[:, :, None] + (two**2).sum(1)[:, None]
    return torch.baddbmm(squares, one.transpose(1, 2), two, alpha=-2).clamp_(min=0)


class Segmenter(nn.Module):
    """Images (B, 3, H, W) in [0, 1], H and W multiples of 32 -> logits (B, H, W) of the foreground.

    norm: use batch normalisation, for training; `folded` gives the same function without it.
    """

    def __init__(self, layout: SegmenterLayout | None = None, norm: bool = False) -> None:
        super().__init__()
        self.layout = layout or SegmenterLayout()
        widths = self.layout.widths
        pairs = list(itertools.pairwise(widths))
        self.stem = conv(FEATURES, widths[0], norm)
        self.fine = conv(widths[0], widths[0], norm)
        self.down = nn.ModuleList(conv(a, b, norm, stride=2) for a, b in pairs)
        self.encode = nn.ModuleList(Residual(b, norm) for _, b in pairs)
        self.whole = nn.Linear(2 * widths[-1], widths[-1])
        self.up = nn.ModuleList(conv(b, a, norm, size=1) for a, b in pairs)
        self.decode = nn.ModuleList(Residual(a, norm) for a, _ in pairs)
        self.out = nn.Conv2d(widths[0], 4, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        x = features(images).contiguous(memory_format=torch.channels_last)
        x = F.relu(self.fine(F.relu(self.stem(x))))
        skips = []
        for down, encode in zip(self.down, self.encode):
            skips.append(x)
            x = encode(F.relu(down(x)))
        # Every place learns what the picture shows as a whole.
        whole = self.whole(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))
        x = F.relu(x + whole[:, :, None, None])
        for i in reversed(range(len(skips))):
            x = F.interpolate(self.up[i](x), scale_factor=2.0, mode="nearest")
            x = self.decode[i](F.relu(x + skips[i]))
        return F.pixel_shuffle(self.out(x), 2)[:, 0].float()

    def folded(self) -> Segmenter:
        """The same function with every normalisation folded into its convolution."""
        return small_networks.fold(self, Segmenter(self.layout))


def segmenter_bytes(network: Segmenter, card: Mapping[str, Any]) -> bytes:
    """A folded network as a safetensors file. card: how it was trained and what it scored."""
    return small_networks.network_bytes(network, _KEY, card)


def load_segmenter(path: Path | str = SEGMENTER_FILE) -> tuple[Segmenter, dict[str, Any]]:
    """The network in a file and its card. Raises SealError if the file is missing or damaged."""

    def build(layout: Mapping[str, Any]) -> Segmenter:
        return Segmenter(SegmenterLayout(tuple(layout["widths"])))

    return small_networks.load_network(Path(path), _KEY, build, _REMEDY)


def coarse_mask(image: np.ndarray) -> np.ndarray:
    """How likely each pixel is the subject, (h, w) float32 in [0, 1], of an image (H, W, 3) scaled to `SIDE` pixels.

    All zero for pictures with a side below LEAST. Raises SealError if the network's file is missing or damaged.
    """
    network = small_networks.cached_network(load_segmenter, SEGMENTER_FILE)
    if min(image.shape[:2]) < LEAST:
        return np.zeros(_size(image, SIDE), np.float32)
    return predict_mask(network, image)


def predict_mask(network: Segmenter, image: np.ndarray) -> np.ndarray:
    """Soft mask (h, w), its longer side SIDE, of an image (H, W, 3): the mean over VIEWS."""
    size = _size(image, SIDE)
    views = [resize(_seen(network, resize(image, *_size(image, side)), mirrored), *size) for side, mirrored in VIEWS]
    return np.mean(views, 0)


def _size(image: np.ndarray, longest: int) -> tuple[int, int]:
    """Height and width of an image (H, W, 3) scaled to a longer side of so many pixels."""
    height, width = (max(1, round(side * longest / max(image.shape[:2]))) for side in image.shape[:2])
    return height, width


@torch.inference_mode()
def _seen(network: Segmenter, image: np.ndarray, mirrored: bool) -> np.ndarray:
    """Soft mask (H, W) of an image (H, W, 3), as it is or by way of its mirror image."""
    height, width = image.shape[:2]
    picture = torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None]
    padded = F.pad(picture, (0, -width % _CELL, 0, -height % _CELL), mode="replicate")
    likely = network(padded.flip(3)).sigmoid()[0].flip(1) if mirrored else network(padded).sigmoid()[0]
    return likely[:height, :width].numpy()
