"""Temporal layers on top of a frozen U-Net: one after the last transformer block of each spatial transformer (ours).

Nothing in the model changes. While `inserted` runs, hooks on the blocks add what the layers find; each layer ends in a
projection that starts at zero, so that before any training every frame is what the model draws alone, bit for bit.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...hosts.aside import is_aside
from ...hosts.base import Site
from ...hosts.uncompiled import uncompiled
from ...messages import SealError, require_one_of
from ...method.sites import parse_sites
from .temporal_layers import LAYERS, FrameGrid

HARMONICS, NOISE_WAVES = 4, 4
SIGNALS = 2 * HARMONICS + 2 * NOISE_WAVES + 1


@dataclass(frozen=True)
class ClipPass:
    """How the rows of a pass through the U-Net are clips: frame f of clip b is row b * F + f.

    sigma: (B, F), the noise level of each frame. known: (B, F) bool, frames given without noise. real: (B, F) bool,
    False for padding, or None. height, width: of the latents. A pass may hold the clips several times over (guidance).
    """

    sigma: Tensor
    known: Tensor
    real: Tensor | None
    height: int
    width: int

    def signals(self) -> Tensor:
        """(B, F, SIGNALS) float32: where in the loop a frame is, how noisy it is, whether it is given."""
        frames = self.known.shape[1]
        counts = torch.full_like(self.sigma[:, :1], frames) if self.real is None else self.real.sum(1, keepdim=True)
        turn = 2 * math.pi * torch.arange(frames, device=self.sigma.device) / counts
        noise = self.sigma.float().log() / 2
        waves = [turn * k for k in range(1, HARMONICS + 1)] + [noise * 2.0**-k for k in range(NOISE_WAVES)]
        parts = [wave(angle) for angle in waves for wave in (torch.sin, torch.cos)]
        return torch.stack([*parts, self.known.float()], dim=-1)


@dataclass(frozen=True)
class LayerShape:
    """inner: channels that a layer works in, between two projections (low rank); 0 = the block's own, and no projection
    before it. centred: what layers add sums to zero over the frames of a clip, so that they can move what is drawn and
    not say what it looks like (ours)."""

    inner: int = 0
    centred: bool = False


class InsertedLayer(nn.Module):
    """A temporal layer with what it is told of each frame, and the projection that starts at zero."""

    def __init__(self, layer: str, width: int, shape: LayerShape) -> None:
        super().__init__()
        inner = min(shape.inner or width, width)
        self.centred = shape.centred
        self.into = nn.Linear(width, inner) if inner < width else nn.Identity()
        self.told = nn.Linear(SIGNALS, inner)
        self.layer = LAYERS[layer](inner)
        self.out = nn.Linear(inner, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, tokens: Tensor, clip: ClipPass, site: Site) -> Tensor:
        """What to add to tokens (rows, N, C)."""
        dtype = self.out.weight.dtype
        clips = tokens.shape[0] // clip.known.shape[1]
        rows = self.into(tokens.to(dtype).view(clips, -1, *tokens.shape[1:]))
        repeats = clips // clip.known.shape[0]
        told = self.told(clip.signals().to(dtype)).repeat(repeats, 1, 1)
        real = None if clip.real is None else clip.real.repeat(repeats, 1)
        grid = FrameGrid(*site.map_size(clip.height, clip.width), real)
        found = self.out(self.layer(rows + told[:, :, None], grid))
        if self.centred:
            found = found - _mean_frame(found, real)
        return found.view_as(tokens).to(tokens.dtype)


class MotionLayers(nn.Module):
    """The temporal layers of one model: name of the site -> layer. kind: one of LAYERS."""

    def __init__(self, kind: str, widths: Sequence[tuple[str, int]], shape: LayerShape = LayerShape()) -> None:
        """widths: (site, channels), as `motion_sites` and `site_width` tell them."""
        super().__init__()
        require_one_of("layer", kind, tuple(LAYERS))
        self.kind, self.widths, self.shape = kind, tuple((name, width) for name, width in widths), shape
        self.layers = nn.ModuleDict({_key(name): InsertedLayer(kind, width, shape) for name, width in widths})

    @classmethod
    def of_sites(
        cls, kind: str, sites: Sequence[Site], where: str = "all", seed: int = 0, shape: LayerShape = LayerShape()
    ) -> MotionLayers:
        """New layers for a model's sites, the same for the same seed. where: which of them, a layer expression."""
        names = parse_sites(where, sites)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            chosen = [(site.name, site_width(site)) for site in motion_sites(sites) if site.name in names]
            return cls(kind, chosen, shape)

    def of(self, site: Site) -> InsertedLayer:
        layer = self.layers[_key(site.name)]
        assert isinstance(layer, InsertedLayer)
        return layer

    def sites_in(self, sites: Sequence[Site]) -> list[Site]:
        """Those of a model's sites that have a layer. Raises SealError for a model of another layout."""
        found = {site.name: site for site in motion_sites(sites)}
        missing = [n for n, width in self.widths if n not in found or site_width(found[n]) != width]
        if missing:
            raise SealError(
                f"motion: it was learned on another kind of model; this one has no transformer {missing[0]} of "
                f"{dict(self.widths)[missing[0]]} channels. Use a model of the kind that it was learned on."
            )
        return [found[name] for name, _ in self.widths]


def motion_sites(sites: Sequence[Site]) -> list[Site]:
    """The sites whose blocks are the last of their spatial transformer, in execution order. SDXL's have up to ten."""
    last = {site.path.rpartition(".transformer_blocks.")[0] or site.name: site for site in sites}
    return list(last.values())


def site_width(site: Site) -> int:
    """Channels of the block's tokens."""
    return int(site.module.to_q.weight.shape[1])


@contextlib.contextmanager
def inserted(layers: MotionLayers, sites: Sequence[Site], clip: ClipPass, strength: float = 1.0) -> Iterator[None]:
    """Run passes of clips through a model with these layers; nothing stays behind. sites: its `sites_in`. strength:
    what the layers add counts so much."""

    def hook(site: Site):
        def add(module: nn.Module, args: tuple, output: Tensor) -> Tensor | None:
            if is_aside():  # a style picture is no frame
                return None
            return output + strength * layers.of(site)(output, clip, site)

        return add

    with uncompiled(), contextlib.ExitStack() as stack:
        for site in sites:
            stack.callback(site.block.register_forward_hook(hook(site)).remove)
        yield


def _mean_frame(x: Tensor, real: Tensor | None) -> Tensor:
    """The mean (B, 1, N, C) of the real frames of x (B, F, N, C)."""
    if real is None:
        return x.mean(dim=1, keepdim=True)
    share = real[..., None, None].to(x)
    return (x * share).sum(dim=1, keepdim=True) / share.sum(dim=1, keepdim=True)


def _key(site: str) -> str:
    return site.replace(".", "_")  # torch allows no dots in names
