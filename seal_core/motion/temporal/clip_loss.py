"""The denoising error of clips (ours, after min-SNR, 2303.09556)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...hosts.base import Context, Host
from .clip_host import clip_host
from .frame_masks import counted_frames
from .motion_layers import MotionLayers

GAMMA = 5.0


@dataclass(frozen=True)
class ClipBatch:
    """latents: (B, F, 4, h, w), scaled. context: B * F rows. sigma: (B,) noise levels. noise: as latents, independent.
    known: (B, F) bool, frames given without noise. real: (B, F) bool, False for padding; None: all. focus:
    (B, F, h, w), where detail matters, mean 1; None: everywhere."""

    latents: Tensor
    context: Context
    sigma: Tensor
    noise: Tensor
    known: Tensor
    real: Tensor | None = None
    focus: Tensor | None = None


def clip_loss(host: Host, layers: MotionLayers | None, batch: ClipBatch) -> Tensor:
    """Mean weighted squared error of x_0 over the frames that count: real ones that were not given.

    The weight is the one under which the model was trained, cut off above a signal-to-noise ratio of GAMMA. layers:
    None for frames that do not see each other. Gradients flow into the layers only.
    """
    clips, frames = batch.latents.shape[:2]
    flat = batch.latents.flatten(0, 1)
    drawing = clip_host(host, layers, frames, clips, batch.known, flat, batch.real)
    sigma = batch.sigma.repeat_interleave(frames)
    noisy = drawing.add_noise(flat, batch.noise.flatten(0, 1), sigma)
    error = (drawing.denoise(noisy, sigma, batch.context) - flat) ** 2
    if batch.focus is not None:
        error = error * batch.focus.flatten(0, 1)[:, None]
    weight = host.loss_weight(sigma).clamp(max=GAMMA + 1)
    counted = counted_frames(batch.known, batch.real).flatten().to(error)
    return (error.mean(dim=(1, 2, 3)) * weight * counted).mean()
