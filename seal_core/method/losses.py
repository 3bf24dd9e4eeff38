"""The losses: masked denoising, three forms of the spatial attention loss, contrast between split tokens."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON, TINY = 1e-6, 1e-12
"""Least divisor; least mass of a cell of a distribution, whose logarithm is taken."""
TRANSPORT_SIDE = 16
"""Cells a side at most in the transport loss: its cost grows with the fourth power (32: 27 s a step on a CPU core)."""


def denoising_errors(
    predicted: Tensor, target: Tensor, weight: Tensor, mask: Tensor, background_weight: float
) -> Tensor:
    """Mean squared error (B,) of the model's own prediction, weighted by the mask: foreground 1, background less.

    predicted, target: x_0, (B, 4, h, w). weight: (B,), the host's `loss_weight` at their noise levels.
    mask: (B, h, w) in [0, 1]. background_weight: 0 = Break-a-Scene's masked loss, 1 = plain.
    The mask's weights are normalised to mean 1, so that a small subject is not a small loss (ours).
    """
    error = (predicted - target).square().mean(dim=1) * weight[:, None, None]
    share = mask + background_weight * (1 - mask)
    share = share / share.mean(dim=(1, 2), keepdim=True).clamp_min(EPSILON)
    return (share * error).mean(dim=(1, 2))


def attention_loss(kind: str, attention: Tensor, mask: Tensor) -> Tensor:
    """Semantic-guided spatial attention loss of token maps against masks; a scalar, differentiable.

    attention, mask: (B, h, w), not negative; the mask in [0, 1].
    mse: mean (A / max A - M)^2 (after Break-a-Scene).
    leak: share of the token's attention that falls outside the mask (ours).
    transport: entropic optimal transport between A and M as distributions (after ConceptExpress).
    """
    return MAP_LOSSES[kind](attention, mask).mean()


def peak_error(attention: Tensor, mask: Tensor) -> Tensor:
    """Squared error of maps (B, h, w) against masks, each map divided by its maximum."""
    peak = attention.amax(dim=(1, 2), keepdim=True).clamp_min(EPSILON)
    return (attention / peak - mask).square()


def leakage(attention: Tensor, mask: Tensor) -> Tensor:
    """Share of attention outside the mask, (B,) in [0, 1], for maps (B, h, w)."""
    outside = (attention * (1 - mask)).sum(dim=(1, 2))
    return outside / attention.sum(dim=(1, 2)).clamp_min(EPSILON)


def sinkhorn(attention: Tensor, mask: Tensor, epsilon: float = 1e-3, iterations: int = 200) -> Tensor:
    """Entropic transport cost (B,) between two maps (B, h, w) taken as distributions.

    Cost: squared distance on the unit square. Sinkhorn in the log domain (Cuturi 2013), with ConceptExpress's epsilon
    and iterations. Larger maps are averaged down to TRANSPORT_SIDE cells a side, the size of Stable Diffusion 1's at
    512 px. Differentiable through the attention.
    """
    size = [min(side, TRANSPORT_SIDE) for side in attention.shape[-2:]]
    attention, mask = (_precise(F.interpolate(m[:, None], size=size, mode="area")[:, 0]) for m in (attention, mask))
    height, width = attention.shape[-2:]
    rows = (torch.arange(height).to(attention) + 0.5) / height
    columns = (torch.arange(width).to(attention) + 0.5) / width
    grid = torch.cartesian_prod(rows, columns)
    cost = torch.cdist(grid, grid).square()
    log_a, log_b = (
        (m.flatten(1) / m.flatten(1).sum(1, keepdim=True).clamp_min(EPSILON)).clamp_min(TINY).log()
        for m in (attention, mask)
    )
    kernel = -cost / epsilon
    f, g = torch.zeros_like(log_a), torch.zeros_like(log_b)
    for _ in range(iterations):
        f = log_a - torch.logsumexp(kernel + g[:, None, :], dim=2)
        g = log_b - torch.logsumexp(kernel + f[:, :, None], dim=1)
    plan = (f[:, :, None] + kernel + g[:, None, :]).exp()
    return (plan * cost).sum(dim=(1, 2)).float()


MAP_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": peak_error,
    "leak": leakage,
    "transport": sinkhorn,
}
"""Kind -> loss of maps (B, h, w) against masks, before its mean. `config.ATTENTION_LOSSES` and `ATTENTION_WEIGHTS` name
the same."""


def _precise(tensor: Tensor) -> Tensor:
    """In float64, where the device has it: these two gradients nearly cancel (1e-3 to 1e-2 off in float32)."""
    return tensor if tensor.device.type == "mps" else tensor.double()


def contrast_loss(tokens: Tensor, others: Tensor, temperature: float = 0.07) -> Tensor:
    """Supervised contrastive loss that pulls split tokens together and away from `others`.

    tokens: (K, width), the parts of one concept. others: (N, width), e.g. the context token. Both in the space of input
    embeddings, L2-normalised here (ConceptExpress; SupCon 2004.11362). 0 where K < 2.
    """
    count = tokens.shape[0]
    if count <= 1:  # no partner
        return tokens.new_zeros(())
    points = F.normalize(_precise(torch.cat([tokens, others])), dim=1)
    similarity = points[:count] @ points.T / temperature
    itself = torch.eye(count, points.shape[0], dtype=torch.bool, device=tokens.device)
    log_share = similarity - torch.logsumexp(similarity.masked_fill(itself, -torch.inf), dim=1, keepdim=True)
    partners = torch.zeros_like(itself)
    partners[:, :count] = True
    return -log_share[partners & ~itself].mean().float()
