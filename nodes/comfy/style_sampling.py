"""Style at sampling: a MODEL whose passes are preceded by one over the style pictures (see style/style_source.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor
from torch.nn import functional as F

from ...seal_core.concept.settings import Layers
from ...seal_core.hosts.aside import is_aside
from ...seal_core.messages import SealError
from ...seal_core.method.sites import parse_sites
from ...seal_core.pictures.inputs import images_of, masks_for, rgb_and_alpha
from ...seal_core.pictures.resize import resize
from ...seal_core.style.matching import require_few_styles
from ...seal_core.style.pictures_to_regions import fitted_sides
from ...seal_core.style.style_source import StyleSource, in_style
from .routing.plan import noise_level, window_of, within
from .routing.route import KEY as ROUTING
from .sampled_prompts import drawn_prompts, plainest_inputs, seen_part, with_prompts_told
from .unet_sites import native_resolution, require_unet, unet_sites

KEY = "seal_style"


def style_of(
    model: Any,
    vae: Any,
    image: Tensor,
    mask: Tensor | None,
    *,
    strength: float,
    layers: Layers,
    seed: int,
    resolution: int = 0,
    beside: bool = False,
) -> StyleSource:
    """Style pictures as latents, or with `beside` a subject's. resolution: longer side in pixels, 0 = the model's own.

    Raises SealError for a model without sites, layers that it lacks, and too many pictures.
    """
    parse_sites(layers.sites, unet_sites(require_unet(model)))
    pictures = images_of(image)
    kind = "reference" if beside else "style"
    require_few_styles("image", len(pictures), f"{kind} pictures")
    masks = None if mask is None else masks_for(mask, len(pictures), pictures.shape[1], pictures.shape[2])
    if masks is not None and not bool((masks.amax(dim=(1, 2)) > 0.5).all()):
        raise SealError(f"mask: it marks nothing of a {kind} picture; wire a mask with 1 = counts, or none.")
    rows, columns = fitted_sides(pictures.shape[1], pictures.shape[2], resolution or native_resolution(model))
    latents, shown = [], []
    for i, picture in enumerate(pictures):
        rgb, alpha = rgb_and_alpha(picture)
        small = torch.from_numpy(resize(rgb.numpy(), rows, columns)).clamp(0, 1)
        latent = model.get_model_object("latent_format").process_in(vae.encode(small[None]))
        if latent.ndim != 4 or latent.shape[1] != 4:
            raise SealError(f"vae: its latents are {tuple(latent.shape[1:])}; wire the VAE of the same checkpoint.")
        latents.append(latent.float().cpu())
        shown.append(alpha if masks is None else masks[i])
    return StyleSource(tuple(latents), tuple(shown), strength, layers, seed, beside)


def with_style(model: Any, source: StyleSource, where: Tensor | None = None) -> Any:
    """A clone of a MODEL that draws in the source's style. where: MASK, which part of the drawing takes it."""
    if where is not None:
        where = masks_for(where, 1, where.shape[-2], where.shape[-1])[0]
    patched = model.clone()
    with_prompts_told(patched)
    patched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, KEY, _Styled(source, where))
    return patched


class _Styled:
    """The wrapper of a pass: (executor, x, t, c_concat, c_crossattn, control, transformer_options, **rest)."""

    def __init__(self, source: StyleSource, where: Tensor | None) -> None:
        self._source, self._where = source, where

    def __call__(
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
        model = executor.class_obj
        window = window_of(self._source.layers, model.model_sampling)  # a ModelSampling node may come after ours
        acts = self._source.strength > 0 and within(window, noise_level(model.model_sampling, t, options))
        if not acts or is_aside():  # the pass of another style's picture
            return executor(x, t, c_concat, c_crossattn, control, options, **rest)
        rows = _prompted(options, len(x)) if self._source.beside else None
        if rows is not None and not bool(rows.any()):
            return executor(x, t, c_concat, c_crossattn, control, options, **rest)
        row, plainest = _plainest(options, len(x)), plainest_inputs(options)
        one = {name: plainest.get(name, _row(value, row, len(x))) for name, value in rest.items()}
        context = plainest.get("c_crossattn", _row(c_crossattn, row, len(x)))
        level = t.amax().view(1)  # a motion's given frames have a lower one

        def run(x_t: Tensor) -> None:
            concat = None if c_concat is None else F.interpolate(c_concat[row : row + 1].float(), x_t.shape[-2:])
            executor(x_t.to(x), level, concat, context, None, _alone(options), **one)

        def add_noise(latent: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
            return model.model_sampling.noise_scaling(sigma.view(-1, 1, 1, 1), noise, latent)

        noised = self._source.noised(add_noise, level.float())
        where = None if self._where is None else seen_part(self._where, options, x)
        sites = unet_sites(model.diffusion_model)
        with in_style(self._source, sites, [lambda x_t=x_t: run(x_t) for x_t in noised], where, rows):
            return executor(x, t, c_concat, c_crossattn, control, options, **rest)


def _plainest(options: Mapping[str, Any], rows: int) -> int:
    """A row of the negative prompt, where the batch has one: what says least about what is drawn."""
    drawn = drawn_prompts(options)
    return drawn.index(False) * (rows // len(drawn)) if False in drawn else 0


def _prompted(options: Mapping[str, Any], rows: int) -> Tensor | None:
    """Which rows (B,) are the prompt's, the only ones that look at a reference: guidance would take away again what the
    negative prompt's see, too. None: all."""
    drawn = drawn_prompts(options)
    return torch.tensor(drawn).repeat_interleave(rows // len(drawn)) if drawn else None


def _alone(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a style picture's pass. Of the wrappers about the U-Net only ours act: others' are caches such as
    EasyCache, which would answer with the drawing's own."""
    wrappers = {**options.get("wrappers", {})}
    inner = wrappers.get(WrappersMP.DIFFUSION_MODEL, {})
    wrappers[WrappersMP.DIFFUSION_MODEL] = {key: found for key, found in inner.items() if str(key).startswith(ROUTING)}
    return {**options, "wrappers": wrappers, "cond_or_uncond": [1], "uuids": [None]}


def _row(value: Any, row: int, rows: int) -> Any:
    whole = isinstance(value, Tensor) and value.ndim > 0 and value.shape[0] == rows
    return value[row : row + 1] if whole else value
