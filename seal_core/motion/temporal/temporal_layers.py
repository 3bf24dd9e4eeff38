"""What lets the frames of a clip see each other: the STI layer of VSD2M, and the two usual layers in its place.

All have one interface: tokens (B, F, N, C) of B clips, F frames, N = h * w cells and C channels in, the same out. A
sticker loops, so frame F - 1 is followed by frame 0: convolutions wrap around where the papers' pad with zeros (ours).
Padding frames of short clips influence no real frame.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...messages import SealError

HEAD, MOST_HEADS, GROUPS, CONVOLUTIONS = 32, 8, 32, 4
"""Width of an attention head, the most heads, groups of a GroupNorm, convolutions in a row: all VSD2M's."""


@dataclass(frozen=True)
class FrameGrid:
    """rows, columns: h and w of the map. real: (B, F) bool, False for padding, which comes last; None: all real."""

    rows: int
    columns: int
    real: Tensor | None = None


class TemporalConvolution(nn.Module):
    """x + four times [GroupNorm, SiLU, convolution over 3 frames]: the temporal convolution of 3D U-Nets (Conv3d with
    kernel (3, 1, 1)), and STI's detail preservation."""

    def __init__(self, width: int, count: int = CONVOLUTIONS) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(_groups(width), width) for _ in range(count))
        self.convolutions = nn.ModuleList(nn.Linear(3 * width, width) for _ in range(count))

    def forward(self, x: Tensor, grid: FrameGrid) -> Tensor:
        found = x
        for norm, convolution in zip(self.norms, self.convolutions):
            found = F.silu(clip_norm(found, norm, grid.real))
            before, after = neighbours(found, grid.real)
            found = convolution(torch.cat([before, found, after], dim=-1))
        return x + found


class TemporalAttention(nn.Module):
    """Each cell attends to itself in all frames, twice, then a feed-forward layer, all residual: the usual temporal
    transformer (as AnimateDiff's, 2307.04725)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attentions = nn.ModuleList(_Attention(width) for _ in range(2))
        self.norm = nn.LayerNorm(width)
        self.widened, self.narrowed = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, grid: FrameGrid) -> Tensor:
        clips, frames, cells, width = x.shape
        real = None if grid.real is None else grid.real.repeat_interleave(cells, dim=0)
        for attention in self.attentions:
            rows = x.transpose(1, 2).reshape(clips * cells, frames, width)
            x = x + attention(rows, real).view(clips, cells, frames, width).transpose(1, 2)
        return x + self.narrowed(F.gelu(self.widened(self.norm(x))))


class STI(nn.Module):
    """The spatial-temporal interaction layer (VSD2M, 2412.08259).

    Semantic interaction: maps pooled by 2, one attention over all cells of all frames, enlarged again, + input. Detail
    preservation: temporal convolutions, + input. Fusion: w1 semantic + w2 detail with scalars that start at 0 and 1,
    then GroupNorm.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = _Attention(width)
        self.detail = TemporalConvolution(width)
        self.shares = nn.Parameter(torch.tensor([0.0, 1.0]))
        self.norm = nn.GroupNorm(_groups(width), width)

    def forward(self, x: Tensor, grid: FrameGrid) -> Tensor:
        if x.shape[2] != grid.rows * grid.columns:
            raise SealError(
                "motion: its layers (sti) look at whole maps, which another node shrinks (Deep Shrink); take that node "
                "out, or learn the motion with layer attention or conv3d."
            )
        semantic = x + self._interaction(x, grid)
        return clip_norm(self.shares[0] * semantic + self.shares[1] * self.detail(x, grid), self.norm, grid.real)

    def _interaction(self, x: Tensor, grid: FrameGrid) -> Tensor:
        clips, frames, cells, width = x.shape
        maps = x.reshape(clips * frames, grid.rows, grid.columns, width).movedim(-1, 1)
        small = F.avg_pool2d(maps, 2, ceil_mode=True, count_include_pad=False)
        tokens = small.flatten(2).transpose(1, 2).reshape(clips, -1, width)
        real = None if grid.real is None else grid.real.repeat_interleave(tokens.shape[1] // frames, dim=1)
        found = self.attention(tokens, real).view(clips * frames, *small.shape[2:], width).movedim(-1, 1)
        large = F.interpolate(found, size=(grid.rows, grid.columns), mode="nearest")
        return large.flatten(2).transpose(1, 2).reshape(clips, frames, cells, width)


class _Attention(nn.Module):
    """LayerNorm and self-attention over rows (R, L, C); keys that are not `real` (R, L) are not seen."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, min(MOST_HEADS, width // HEAD))
        inner = self.heads * HEAD
        self.norm = nn.LayerNorm(width)
        self.to_qkv, self.to_out = nn.Linear(width, 3 * inner, bias=False), nn.Linear(inner, width)

    def forward(self, rows: Tensor, real: Tensor | None) -> Tensor:
        q, k, v = self.to_qkv(self.norm(rows)).unflatten(-1, (3, self.heads, HEAD)).permute(2, 0, 3, 1, 4)
        mask = None if real is None else real[:, None, None, :]
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.to_out(found.transpose(1, 2).flatten(2))


LAYERS: Mapping[str, type[nn.Module]] = {"sti": STI, "conv3d": TemporalConvolution, "attention": TemporalAttention}
"""Name -> layer; each is made with the width C."""


def neighbours(x: Tensor, real: Tensor | None) -> tuple[Tensor, Tensor]:
    """The frames before and after each frame of x (B, F, ...), going round the real ones."""
    if real is None:
        return x.roll(1, dims=1), x.roll(-1, dims=1)
    frames = torch.arange(x.shape[1], device=x.device)
    counts = real.sum(dim=1, keepdim=True).clamp(min=1)
    rows = torch.arange(x.shape[0], device=x.device)[:, None]
    return x[rows, (frames - 1) % counts], x[rows, (frames + 1) % counts]


def clip_norm(x: Tensor, norm: nn.Module, real: Tensor | None) -> Tensor:
    """A GroupNorm over all frames and cells of a clip x (B, F, N, C), with the statistics of its real frames."""
    assert isinstance(norm, nn.GroupNorm)
    wide = x.float().unflatten(-1, (norm.num_groups, -1))
    if real is None:
        variance, mean = torch.var_mean(wide, dim=(1, 2, 4), correction=0, keepdim=True)
    else:
        share = real[..., None, None, None].to(wide)
        share = share / (share.sum(dim=1, keepdim=True) * wide.shape[2] * wide.shape[4])
        mean = (wide * share).sum(dim=(1, 2, 4), keepdim=True)
        variance = ((wide - mean) ** 2 * share).sum(dim=(1, 2, 4), keepdim=True)
    plain = ((wide - mean) * (variance + norm.eps).rsqrt()).flatten(-2).to(x.dtype)
    return plain * norm.weight + norm.bias


def _groups(width: int) -> int:
    return math.gcd(width, GROUPS)
