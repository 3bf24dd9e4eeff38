"""A learned motion at sampling: a MODEL that draws a latent batch as the frames of a clip."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...seal_core.hosts.aside import is_aside
from ...seal_core.messages import SealError
from ...seal_core.motion.temporal.clip_host import shared_noise
from ...seal_core.motion.temporal.motion_file import LearnedMotion
from ...seal_core.motion.temporal.motion_layers import ClipPass, MotionLayers, inserted
from .routing.plan import noise_level, window_of, within
from .unet_sites import require_unet, unet_sites

KEY = "seal_motion"


def with_motion(
    model: Any, motion: LearnedMotion, *, strength: float, frames: int, shared: float, first: Tensor | None = None
) -> Any:
    """A clone of a MODEL whose latent batches are clips of `frames` frames, which move as the motion does.

    shared: share of the noise that a clip's frames have in common. first: latents (1, 4, h, w), as VAE Encode gives
    them, that are the first frame of every clip. A motion that it has already is replaced. Raises SealError for a model
    without sites or of another layout.
    """
    motion.layers.sites_in(unet_sites(require_unet(model)))
    given = None
    if first is not None:
        if first.ndim != 4 or first.shape[1] != 4:
            raise SealError(f"first_frame: its shape is {tuple(first.shape)}; wire one picture through VAE Encode.")
        given = model.get_model_object("latent_format").process_in(first[:1]).float().cpu()
    moving = _Moving(motion, strength, frames, shared, given)
    patched = model.clone()
    wrappers = ((WrappersMP.OUTER_SAMPLE, moving.outer_sample), (WrappersMP.APPLY_MODEL, moving.apply_model))
    for kind, wrapper in wrappers:
        patched.remove_wrappers_with_key(kind, KEY)
        patched.add_wrapper_with_key(kind, KEY, wrapper)
    return patched


class _Moving:
    """The two wrappers. Once per sampling: the noise, and new copies of the layers. Once per pass: the layers act."""

    def __init__(
        self, motion: LearnedMotion, strength: float, frames: int, shared: float, given: Tensor | None
    ) -> None:
        self._motion, self._strength, self._frames = motion, strength, frames
        self._shared, self._given = shared, given

    def outer_sample(self, executor: Any, noise: Tensor, latent_image: Tensor, *args: Any, **kwargs: Any) -> Any:
        guider = executor.class_obj
        if len(noise) % self._frames:
            raise SealError(
                f"latent: {len(noise)} pictures are no clips of {self._frames} frames; set batch_size of Empty Latent "
                f"Image to {self._frames} or a multiple of it."
            )
        if self._given is not None and self._given.shape[-2:] != noise.shape[-2:]:
            height, width = (8 * side for side in noise.shape[-2:])
            raise SealError(f"first_frame: it has another size than the latents; make it {width} x {height} pixels.")
        # With several cards each thread asks for its own.
        on_device = functools.cache(lambda device: copy.deepcopy(self._motion.layers).to(device))
        guider.model_options["transformer_options"][KEY] = on_device
        return executor(shared_noise(noise, self._frames, self._shared), latent_image, *args, **kwargs)

    def apply_model(
        self,
        executor: Any,
        x: Tensor,
        t: Tensor,
        c_concat: Tensor | None = None,
        c_crossattn: Tensor | None = None,
        control: Any = None,
        transformer_options: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> Tensor:
        options = dict(transformer_options or {})
        on_device: Callable[[torch.device], MotionLayers] | None = options.get(KEY)
        if on_device is None or is_aside():  # no sampling, such as a training; or a style picture, which is no frame
            return executor(x, t, c_concat, c_crossattn, control, options, **rest)
        if len(x) % self._frames:
            raise SealError(
                f"latent: another node cuts the batch into passes of {len(x)} pictures, which are no clips of "
                f"{self._frames} frames; let its context windows be as long as a clip, without overlap, or leave them "
                "off."
            )
        if self._given is not None and self._given.shape[-2:] != x.shape[-2:]:
            raise SealError(
                "first_frame: a prompt with an area sees a part of the frames only; use Conditioning (Set Mask) in "
                "place of Conditioning (Set Area)."
            )
        model = executor.class_obj
        known = torch.zeros(len(x) // self._frames, self._frames, dtype=torch.bool, device=x.device)
        known[:, 0] = self._given is not None
        x, t = self._with_given(x, known), torch.where(known.flatten(), model.model_sampling.sigmas[0].to(t), t)
        acting: Any = contextlib.nullcontext()
        window = window_of(self._motion.where, model.model_sampling)
        if self._strength and within(window, noise_level(model.model_sampling, t, options)):
            clip = ClipPass(t.float().view_as(known), known, None, *x.shape[-2:])
            layers = on_device(x.device)
            sites = layers.sites_in(unet_sites(model.diffusion_model))
            acting = inserted(layers, sites, clip, self._strength)
        with acting:
            x_0 = executor(x, t, c_concat, c_crossattn, control, options, **rest)
        return self._with_given(x_0, known)

    def _with_given(self, rows: Tensor, known: Tensor) -> Tensor:
        """The rows (B * F, 4, h, w) with the known frames (B, F) as they are given."""
        if self._given is None:
            return rows
        return torch.where(known.flatten()[:, None, None, None], self._given.to(rows), rows)
