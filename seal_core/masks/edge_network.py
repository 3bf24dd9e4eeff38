"""The edge network: opacity and the subject's own colours along an outline (ours).

A small U-Net (Ronneberger et al. 2015) sees a picture and a mask that is right to a few pixels. It gives opacity and
colours together, as FBA matting does (Forte and Pitié 2020). `python -m seal_core.world edges` trained it on sticker
art, rendered stickers and procedural objects, whose edges are known exactly.
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

from . import small_networks
from .small_networks import Residual, conv

EDGE_NETWORK_FILE = Path(__file__).parent / "data" / "edges.safetensors"
_KEY = "edge network"
_CELL = 8  # the network needs sides that are multiples of this
_REMEDY = "install the pack again; in a checkout of the repository, `python -m seal_core.world edges` trains one"


@dataclass(frozen=True)
class EdgeLayout:
    """Channels per level. Each level has half the size of the one before."""

    widths: tuple[int, ...] = (16, 32, 64, 96)


class EdgeNetwork(nn.Module):
    """Images (B, 3, H, W) and masks (B, H, W) in [0, 1], H and W multiples of 8 -> opacity logits (B, H, W) and colours
    (B, 3, H, W).

    norm: use batch normalisation, for training; `folded` gives the same function without it.
    """

    def __init__(self, layout: EdgeLayout | None = None, norm: bool = False) -> None:
        super().__init__()
        self.layout = layout or EdgeLayout()
        widths = self.layout.widths
        pairs = list(itertools.pairwise(widths))
        self.stem = conv(4, widths[0], norm)
        self.fine = Residual(widths[0], norm)
        self.down = nn.ModuleList(conv(a, b, norm, stride=2) for a, b in pairs)
        self.encode = nn.ModuleList(Residual(b, norm) for _, b in pairs)
        self.up = nn.ModuleList(conv(b, a, norm, size=1) for a, b in pairs)
        self.decode = nn.ModuleList(Residual(a, norm) for a, _ in pairs)
        self.out = nn.Conv2d(widths[0], 4, 3, padding=1)

    def forward(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([images, masks[:, None]], 1) - 0.5
        x = self.fine(F.relu(self.stem(both.contiguous(memory_format=torch.channels_last))))
        skips = []
        for down, encode in zip(self.down, self.encode):
            skips.append(x)
            x = encode(F.relu(down(x)))
        for i in reversed(range(len(skips))):
            x = F.interpolate(self.up[i](x), scale_factor=2.0, mode="nearest")
            x = self.decode[i](F.relu(x + skips[i]))
        out = self.out(x).float()
        # The network gives changes: a mask and colours that are right already need none.
        return out[:, 0] + 8 * both[:, 3], images + out[:, 1:]

    def folded(self) -> EdgeNetwork:
        """The same function with every normalisation folded into its convolution."""
        return small_networks.fold(self, EdgeNetwork(self.layout))


def edge_network_bytes(network: EdgeNetwork, card: Mapping[str, Any]) -> bytes:
    """A folded network as a safetensors file. card: how it was trained and what it scored."""
    return small_networks.network_bytes(network, _KEY, card)


def load_edge_network(path: Path | str = EDGE_NETWORK_FILE) -> tuple[EdgeNetwork, dict[str, Any]]:
    """The network in a file and its card. Raises SealError if the file is missing or damaged."""

    def build(layout: Mapping[str, Any]) -> EdgeNetwork:
        return EdgeNetwork(EdgeLayout(tuple(layout["widths"])))

    return small_networks.load_network(Path(path), _KEY, build, _REMEDY)


@torch.inference_mode()
def predict_edge(network: EdgeNetwork, image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The subject's colours (H, W, 3) and opacity (H, W) for an image (H, W, 3) and a mask (H, W), all in [0, 1]."""
    height, width = mask.shape
    both = torch.from_numpy(np.dstack([image, mask]).astype(np.float32)).permute(2, 0, 1)[None]
    both = F.pad(both, (0, -width % _CELL, 0, -height % _CELL), mode="replicate")
    logits, colours = network(both[:, :3], both[:, 3])
    alpha = logits.sigmoid()[0, :height, :width]
    return colours[0, :, :height, :width].permute(1, 2, 0).clamp(0, 1).numpy(), alpha.numpy()


def edge_network() -> EdgeNetwork:
    """The network that ships, loaded once. Raises SealError if its file is missing or damaged."""
    return small_networks.cached_network(load_edge_network, EDGE_NETWORK_FILE)
