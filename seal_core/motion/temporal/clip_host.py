"""A host that draws clips: any host with temporal layers, its batch read as clips of F frames (ours).

`method.sampling.sample` and whatever else takes a host work with it as they are. Frames share a part of their noise
(PYoCo, 2305.10474): a clip then starts as pictures that are alike. Known frames go in without noise, at the lowest
noise level that the model knows, which every frozen U-Net understands; no channel is added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from ...concept.settings import Layers
from ...hosts.base import Context, Host
from ...messages import SealError, require_in_range
from .motion_layers import ClipPass, MotionLayers, inserted

SHARED_NOISE = 0.9
"""Share of the noise's variance that all frames of a clip have in common where layers learn. On the tiny model,
frames drawn independently differ in style and colours at 0.5, are mostly one character at 0.9, one picture at 0.96."""
DRAWN_NOISE = 0.98
"""The same while layers draw a clip: they bring the motion, and what frames do not share is flicker then."""


@dataclass(frozen=True)
class Acting:
    """How far and when layers act: strength 1 = as learned; from the noise level `first` down to `last`."""

    strength: float = 1.0
    first: float = math.inf
    last: float = 0.0

    @classmethod
    def within(cls, where: Layers, sigmas: Tensor, strength: float = 1.0) -> Acting:
        """In the part of the sampling that `where` names, for a host's noise levels."""
        last = len(sigmas) - 1
        first, final = (float(sigmas[round((1 - p) * last)]) for p in (where.start_percent, where.end_percent))
        return cls(strength, first, final)

    def at(self, sigma: Tensor) -> bool:
        """Whether they act in a pass at these noise levels. Without a window nothing waits for the device."""
        whole = self.first == math.inf and self.last == 0
        return bool(self.strength) and (whole or self.last <= float(sigma.max()) <= self.first)


AS_LEARNED = Acting()
"""At full strength, all the time."""


class ClipHost:
    """See `clip_host`. Everything that is not here is the inner host's."""

    def __init__(
        self, host: Host, layers: MotionLayers | None, frames: int, known: Tensor, given: Tensor | None,
        real: Tensor | None, shared: float, acting: Acting,
    ) -> None:  # fmt: skip
        self._host, self._layers, self.frames, self._shared = host, layers, frames, shared
        self._acting = acting
        self._known, self._given, self._real = known, given, real
        self._sites = [] if layers is None else layers.sites_in(host.sites())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    def add_noise(self, x_0: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        return self._host.add_noise(x_0, shared_noise(noise, self.frames, self._shared), sigma)

    def denoise(self, x_t: Tensor, sigma: Tensor, context: Context) -> Tensor:
        clips = x_t.shape[0] // self.frames
        if clips * self.frames != x_t.shape[0] or clips % self._known.shape[0]:
            wanted = self.frames * self._known.shape[0]
            raise SealError(f"frames: {x_t.shape[0]} pictures are not whole clips; give {wanted} or a multiple of it.")
        repeats = clips // self._known.shape[0]
        known = self._known.to(x_t.device)
        rows = known.repeat(repeats, 1).flatten()
        given = None if self._given is None else self._given.to(x_t).repeat(repeats, 1, 1, 1)
        if given is not None:
            x_t = torch.where(rows[:, None, None, None], given, x_t)
            sigma = torch.where(rows, self._host.sigmas[0].to(sigma), sigma)
        if self._layers is None or not self._acting.at(sigma):
            x_0 = self._host.denoise(x_t, sigma, context)
        else:
            levels = sigma.view(repeats, -1, self.frames)[0]
            clip = ClipPass(levels, known, self._real, *x_t.shape[-2:])
            with inserted(self._layers, self._sites, clip, self._acting.strength):
                x_0 = self._host.denoise(x_t, sigma, context)
        return x_0 if given is None else torch.where(rows[:, None, None, None], given, x_0)


def clip_host(
    host: Host,
    layers: MotionLayers | None,
    frames: int,
    clips: int = 1,
    known: Tensor | None = None,
    given: Tensor | None = None,
    real: Tensor | None = None,
    shared: float = SHARED_NOISE,
    acting: Acting = AS_LEARNED,
) -> Host:
    """A host whose batches are `clips` clips of `frames` frames, one clip after another (or several times those).

    layers: None for frames that do not see each other. known: (clips, F) bool, with given: (clips * F, 4, H, W), scaled
    latents that hold the known frames. real: (clips, F) bool, False for padding. shared: see SHARED_NOISE, 0 to 1.
    acting: how far and when the layers act.
    Raises SealError where the layers belong to another kind of model.
    """
    require_in_range("shared", shared, 0, 1, "use 0 (each frame its own noise) to 1 (all the same).")
    if (known is None) != (given is None):
        raise SealError("known: frames are known by their latents; give both known and given, or neither.")
    mask = torch.zeros(clips, frames, dtype=torch.bool) if known is None else known
    if mask.shape != (clips, frames):
        raise SealError(f"known: it has shape {tuple(mask.shape)}; give one value a frame, {(clips, frames)}.")
    return cast(Host, ClipHost(host, layers, frames, mask, given, real, shared, acting))


def shared_noise(noise: Tensor, frames: int, shared: float) -> Tensor:
    """Standard normal noise (B * F, ...) whose frames correlate by `shared`, made of independent noise."""
    if not shared:
        return noise
    own = noise.unflatten(0, (-1, frames))
    mean = own.mean(dim=1, keepdim=True)
    low, high = (1 - shared) ** 0.5, (1 - shared + shared * frames) ** 0.5
    return (low * (own - mean) + high * mean).flatten(0, 1)


def repeated(rows: Context, frames: int) -> Context:
    """One context a clip as one a frame."""
    return rows.rows([i for i in range(rows.cross.shape[0]) for _ in range(frames)])
