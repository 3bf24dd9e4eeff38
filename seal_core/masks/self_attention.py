"""Foreground of a sticker from the diffusion model's own attention, without another model.

The image is noised to a middle level and denoised once per draw with the prompt "a sticker of CLASS". Self-attention
says which places belong together: clusters, after DiffSeg (2308.12469) and ConceptExpress (2407.07077). The class
word's cross-attention says which clusters are the subject. Number of clusters, noise level, vote and up-sampling are
ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from scipy import ndimage
from scipy.cluster.vq import kmeans2
from scipy.linalg import eigh
from torch import Tensor, nn

from ..hosts.base import Context, Host, Prompt
from ..messages import SealError
from ..pictures.resize import resize

MAX_PLACES = 1600  # largest self-attention map to cluster, in places: about 32 x 32 to 40 x 40
NOISE_LEVEL = 0.35  # share of the training noise levels: shapes still show, and the word already matters


class SelfAttentionHost(Host, Protocol):
    """A host that also gives access to its self-attentions."""

    def self_attentions(self) -> Sequence[tuple[int, nn.Module]]:
        """(scale, attn1 module) beside each site, in the order of `sites()`; modules have to_q, to_k and heads."""
        ...


@torch.no_grad()
def attention_mask(
    host: SelfAttentionHost, image: Tensor, class_word: str, *, draws: int = 2, clusters: int = 6, seed: int = 0
) -> Tensor:
    """Foreground mask (H, W) float32 in [0, 1] of an image (H, W, 3) in [0, 1].

    draws: number of noise draws to average. clusters: how many parts to cut the picture into. seed: of noise and
    clustering. The image is scaled to the model's resolution, with both sides a multiple of 64.
    Raises SealError for a class word that tokenises to nothing, and for a host without self-attentions.
    """
    modules = host.self_attentions() if hasattr(host, "self_attentions") else ()
    if not modules:
        raise SealError("model: its self-attention cannot be read; choose method border or wire a mask.")
    height, width = image.shape[:2]
    rows, columns = _fit(height, width, host.resolution)
    small = torch.from_numpy(resize(image.detach().float().cpu().numpy(), rows, columns)).clamp(0, 1)
    latents = host.encode_image(small[None]).to(host.device, torch.float32)
    context, where = _word_context(host, class_word)
    size = latents.shape[-2:]
    scale = _finest([s for s, _ in modules], size)
    grid = _grid(size, scale)
    own = [m for s, m in modules if s == scale]
    sites = [s for s in host.sites() if s.scale >= scale]
    coarse = [s for s in sites if s.scale in (2 * scale, 4 * scale)] or sites or host.sites()

    generator = torch.Generator().manual_seed(seed)
    sigma = host.sigmas[[int(NOISE_LEVEL * (len(host.sigmas) - 1))]].to(host.device, torch.float32)
    affinity = torch.zeros(grid[0] * grid[1], grid[0] * grid[1])
    vote = torch.zeros(grid)
    for _ in range(draws):
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        with _record([*own, *(s.module for s in coarse)]) as maps:
            host.denoise(host.add_noise(latents, noise, sigma), sigma, context)
            for module in own:
                affinity += maps(module) / (draws * len(own))
            for site in coarse:
                word = maps(site.module, where).sum(1).reshape(site.map_size(*size))
                vote += torch.from_numpy(resize(word.numpy(), *grid)) / (draws * len(coarse))
    chosen = _subject(_cluster(affinity, clusters, seed), vote.flatten().numpy()).reshape(grid)
    return torch.from_numpy(_sharpen(chosen, image.detach().float().cpu().numpy()))


def _word_context(host: Host, class_word: str) -> tuple[Context, tuple[int, ...]]:
    """The context of "a sticker of CLASS", and the token positions of the class word.

    The word is a slot filled with its own vocabulary rows. That gives the plain prompt's context, and the host says
    where the word stands.
    """
    ids = {name: host.token_ids(name, class_word) for name in host.family.encoders}
    if not class_word.strip() or not all(ids.values()):
        raise SealError(f"class_word: {class_word!r} is no word for this model; say what the sticker shows, e.g. cat.")
    vectors = {name: host.vocabulary(name)[torch.as_tensor(i)].detach().float().clone() for name, i in ids.items()}
    context = host.encode([Prompt("a sticker of {word}")], {"word": vectors})
    return context, tuple(context.positions[0]["word"])


def _fit(height: int, width: int, resolution: int) -> tuple[int, int]:
    shrink = resolution / max(height, width)
    rows, columns = (max(64, round(side * shrink / 64) * 64) for side in (height, width))
    return rows, columns


def _grid(size: Sequence[int], scale: int) -> tuple[int, int]:
    return -(-size[0] // scale), -(-size[1] // scale)


def _finest(scales: Sequence[int], size: Sequence[int]) -> int:
    """The finest scale whose map has at most MAX_PLACES places, else the coarsest scale."""
    fitting = [s for s in scales if np.prod(_grid(size, s)) <= MAX_PLACES]
    return min(fitting) if fitting else max(scales)


@contextmanager
def _record(modules: Sequence[nn.Module]) -> Iterator:
    """Record the queries and keys of attention modules within the block.

    Yields maps(module, keys=None) -> softmax(q k^T / sqrt d), averaged over heads, of the batch's first row: (places,
    keys) float32 on the CPU. The hooks are removed at the end in any case.
    """
    seen: dict[tuple[int, str], Tensor] = {}
    handles = []

    def keep(module: nn.Module, name: str):  # one function per module, so that each hook knows its module
        def hook(_: nn.Module, __: tuple, output: Tensor) -> None:
            seen[id(module), name] = output[0].detach().float()

        return hook

    def maps(module: Any, keys: Sequence[int] | None = None) -> Tensor:
        if (id(module), "to_q") not in seen:
            raise SealError("model: an attention layer did not run as expected; choose method border or wire a mask.")
        q, k = seen[id(module), "to_q"], seen[id(module), "to_k"]
        heads = int(module.heads)
        total = q.new_zeros(())
        for a, b in zip(q.chunk(heads, -1), k.chunk(heads, -1)):  # head by head, to limit memory
            weights = (a @ b.T / a.shape[-1] ** 0.5).softmax(-1)
            weights = weights if keys is None else weights[:, list(keys)]
            total = total + weights
        return (total / heads).cpu()

    try:
        for module in modules:
            for name in ("to_q", "to_k"):
                handles.append(getattr(module, name).register_forward_hook(keep(module, name)))
        yield maps
    finally:
        for handle in handles:
            handle.remove()


def _cluster(affinity: Tensor, clusters: int, seed: int) -> np.ndarray:
    """The cluster of each place (N,), by k-means on the leading eigenvectors of the symmetric, degree-normalised
    self-attention (spectral clustering, Ng, Jordan and Weiss 2001)."""
    a = ((affinity + affinity.T) / 2).double()
    scale = a.sum(1).clamp_min(1e-12).rsqrt()
    count = min(clusters, len(a) - 1)
    last = [len(a) - count, len(a) - 1]
    leading = eigh((scale[:, None] * a * scale[None]).numpy(), subset_by_index=last)[1]
    points = leading / np.maximum(np.linalg.norm(leading, axis=1, keepdims=True), 1e-12)
    best, labels = np.inf, np.zeros(len(points), int)
    for run in range(4):
        centres, found = kmeans2(points, count, minit="++", rng=np.random.default_rng([seed, run]), missing="warn")
        spread = float(((points - centres[found]) ** 2).sum())
        if spread < best:
            best, labels = spread, found
    return labels


def _subject(labels: np.ndarray, vote: np.ndarray) -> np.ndarray:
    """1 for each place (N,) in a cluster whose mean attention to the class word is in the upper half of the range."""
    names = np.unique(labels)
    means = np.array([vote[labels == n].mean() for n in names])
    middle = (means.max() + means.min()) / 2
    return np.isin(labels, names[means > middle]).astype(np.float32)


def _sharpen(coarse: np.ndarray, image: np.ndarray) -> np.ndarray:
    """A coarse mask at the image's size, snapped to the image's edges (guided filter, He et al. 2010)."""
    height, width = image.shape[:2]
    shrink = max(1.0, max(height, width) / 512)
    size = (max(1, round(height / shrink)), max(1, round(width / shrink)))
    guide, mask = resize(image, *size), resize(coarse, *size)
    window = 2 * max(1, round(max(size) / max(coarse.shape))) + 1

    def mean(x: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(x, (window, window) + (0,) * (x.ndim - 2), mode="nearest")

    centre, level = mean(guide), mean(mask)
    outer = mean(guide[..., :, None].repeat(3, 3) * guide[..., None, :]) - centre[..., :, None] * centre[..., None, :]
    joint = mean(guide * mask[..., None]) - centre * level[..., None]
    slope = np.linalg.solve(outer + 1e-3 * np.eye(3), joint[..., None])[..., 0]
    offset = level - (slope * centre).sum(-1)
    slope, offset = resize(mean(slope), height, width), resize(mean(offset), height, width)
    return np.clip(2 * ((slope * image).sum(-1) + offset) - 0.5, 0, 1).astype(np.float32)
