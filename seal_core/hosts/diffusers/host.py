"""DiffusersHost: a diffusers pipeline with a UNet2DConditionModel (SD 1.x, SD 2.x, SDXL) as a SEAL host.

The library's own modules do the work: the text encoders run with their own forward, into which the
learned vectors enter by a scoped hook on the token embedding. Nothing on the pipeline changes: flags
that a pass needs otherwise (requires_grad, training) are set for that pass only.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import diffusers
import torch
import transformers
from torch import Tensor, nn

from ...messages import SealError
from ..base import Context, Prompt, Site, Stage, Vectors
from ..frozen_modules import passing_gradients
from ..weights_digest import add_weights
from .clip_encoders import TextEncoder, text_encoders, text_family
from .load_folder import load_pipeline
from .unet import check_unet, diffusers_sites, unet_stages

PREDICTIONS = ("epsilon", "v_prediction", "sample")
ZERO_SNR = 4.8973451890853435e-08
"""Smallest alpha-bar: zero-terminal-SNR schedules end at 0, an infinite sigma. ComfyUI stops at the same value."""

M = TypeVar("M", bound=nn.Module)


class DiffusersHost:
    """A host over a loaded pipeline; see `seal_core.hosts.base.Host` for the members.

    pipe: a StableDiffusionPipeline, StableDiffusionXLPipeline or another with the same parts. Text
    encoders and VAE compute in float32; where the pipe holds them in half precision the host works on
    copies. The U-Net keeps its precision. Raises SealError for pipelines that are no such U-Net.
    `with DiffusersHost(...) as host` works too, and does no more than the plain call.
    """

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe
        self.unet = check_unet(pipe)
        self.device: torch.device = self.unet.device
        self.dtype: torch.dtype = self.unet.dtype
        self._encoders = text_encoders(pipe, lambda m: self._own(m))
        self.vae = self._own(pipe.vae)
        self.family = text_family(self._encoders)
        self.max_tokens = min(e.max_tokens for e in self._encoders)
        self.prediction, self.sigmas = _noise_levels(pipe.scheduler)
        self.pixels = 2 ** (len(self.vae.config.block_out_channels) - 1)
        size = self.unet.config.sample_size
        self.resolution = int(size if isinstance(size, int) else max(size or [64])) * self.pixels
        self._takes_size = self.unet.config.addition_embed_type == "text_time"
        self._check_widths()

    @classmethod
    def from_folder(
        cls, path: str | Path, device: str | torch.device | None = None, dtype: torch.dtype | None = None
    ) -> DiffusersHost:
        """Load a local diffusers folder (the one with model_index.json); nothing is downloaded.

        device: default the GPU where there is one. dtype: of the U-Net; default float32 on the CPU and
        bfloat16 (else float16) on a CUDA GPU. Raises SealError for a missing or damaged folder and for
        a model that is no U-Net with cross-attention, such as Flux or SD3.
        """
        return cls(load_pipeline(Path(path), device, dtype))

    def __enter__(self) -> DiffusersHost:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to undo: every pass restores what it changed."""

    def _own(self, module: M) -> M:
        """The module itself if it is float32 on the host's device, else a copy that is."""
        if module.dtype == torch.float32 and module.device == self.device:
            return module
        return copy.deepcopy(module).to(self.device, torch.float32)

    def _check_widths(self) -> None:
        width, want = sum(w for _, w in self.family.widths), self.unet.config.cross_attention_dim
        if isinstance(want, int) and width != want:
            raise SealError(
                f"model: its text encoders give {width} values a token ({self.family}), its U-Net reads {want}. "
                "Use text encoders and U-Net of one model."
            )

    # -- text --------------------------------------------------------------------------------------

    def _encoder(self, name: str) -> TextEncoder:
        return next(e for e in self._encoders if e.name == name)

    def vocabulary(self, encoder: str) -> Tensor:
        return self._encoder(encoder).table

    def token_ids(self, encoder: str, text: str) -> list[int]:
        return self._encoder(encoder).ids(text)

    def trained_ids(self, encoder: str) -> frozenset[int] | None:
        """Of a pipe that tells them in `ids`, as the tiny model does; see `Words`."""
        ids = getattr(self.pipe, "ids", None)
        return frozenset(ids) if ids else None

    def encode(self, prompts: Sequence[Prompt], vectors: Vectors) -> Context:
        """Contexts (B, max_tokens, D), the encoders' outputs side by side; see `Host.encode`."""
        crosses, pooled = [], None
        positions: tuple[dict[str, tuple[int, ...]], ...] = ()
        penultimate = len(self._encoders) > 1  # SDXL; SD 2.x folders come without the last layer instead
        for encoder in self._encoders:
            with passing_gradients(encoder.model):
                cross, pooled, places = encoder.run(prompts, vectors, self.max_tokens, penultimate)
            crosses.append(cross)
            positions = positions or places
        return Context(torch.cat(crosses, dim=-1), pooled if self._takes_size else None, positions)

    def text_layers(self) -> list[nn.Module]:
        return [layer for encoder in self._encoders for layer in encoder.layers]

    # -- U-Net -------------------------------------------------------------------------------------

    def sites(self) -> list[Site]:
        names = {module: name for name, module in self.unet.named_modules()}
        return [Site(part, n, scale, b.attn2, b, names[b]) for part, n, scale, b in diffusers_sites(self.unet)]

    def self_attentions(self) -> list[tuple[int, nn.Module]]:
        """(scale, attn1) beside each site, in the same order."""
        return [(scale, block.attn1) for _, _, scale, block in diffusers_sites(self.unet)]

    def stages(self) -> list[Stage] | None:
        return unet_stages(self.unet)

    def timestep(self, sigma: Tensor) -> Tensor:
        """The training timesteps (B,) whose noise levels are nearest to sigma (B,), on a log scale."""
        known = self.sigmas.to(sigma.device).log()
        return (sigma.float().log()[:, None] - known).abs().argmin(dim=1)

    def add_noise(self, x_0: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        return x_0 + sigma.to(x_0)[:, None, None, None] * noise

    def loss_weight(self, sigma: Tensor) -> Tensor:
        if self.prediction == "sample":
            return torch.ones_like(sigma)
        variance = sigma.square()
        return (variance + 1) / variance if self.prediction == "v_prediction" else 1 / variance

    def denoise(self, x_t: Tensor, sigma: Tensor, context: Context) -> Tensor:
        x_t = x_t.float()
        wide = sigma.to(x_t)[:, None, None, None]
        variance = wide**2 + 1
        added = None
        if self._takes_size:
            if context.pooled is None:
                raise SealError(
                    "model: it takes a pooled text vector and this context has none; encode the prompt with this model."
                )
            added = {"text_embeds": context.pooled.to(self.dtype), "time_ids": self._sizes(x_t)}
        with passing_gradients(self.unet):
            output = self.unet(
                (x_t * variance.rsqrt()).to(self.dtype),
                self.timestep(sigma).to(x_t.device),
                encoder_hidden_states=context.cross.to(self.dtype),
                added_cond_kwargs=added,
                return_dict=False,
            )[0].float()
        if self.prediction == "v_prediction":
            return x_t / variance - wide * variance.rsqrt() * output
        if self.prediction == "sample":
            return output
        return x_t - wide * output

    def _sizes(self, x: Tensor) -> Tensor:
        """SDXL's size conditioning (B, 6): original size, crop, target size, rows before columns."""
        height, width = x.shape[-2] * self.pixels, x.shape[-1] * self.pixels
        row = torch.tensor([height, width, 0, 0, height, width], dtype=self.dtype, device=x.device)
        return row.expand(x.shape[0], -1)

    def spare_memory(self) -> int | None:
        if self.device.type != "cuda":
            return None
        free, _ = torch.cuda.mem_get_info(self.device)
        # What torch holds and does not use is free, too.
        return free + torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)

    # -- image -------------------------------------------------------------------------------------

    @torch.no_grad()
    def encode_image(self, images: Tensor) -> Tensor:
        config = self.vae.config
        pixels = images.to(self.device, torch.float32).movedim(-1, 1) * 2 - 1
        with passing_gradients(self.vae):
            mode = self.vae.encode(pixels).latent_dist.mode()
        return (mode - (getattr(config, "shift_factor", None) or 0.0)) * config.scaling_factor

    @torch.no_grad()
    def decode_latents(self, latents: Tensor) -> Tensor:
        config = self.vae.config
        scaled = latents.to(self.device, torch.float32) / config.scaling_factor
        with passing_gradients(self.vae):
            images = self.vae.decode(scaled + (getattr(config, "shift_factor", None) or 0.0)).sample
        return (images / 2 + 0.5).clamp(0, 1).movedim(1, -1).cpu()

    # -- identity ----------------------------------------------------------------------------------

    def fingerprint(self) -> str:
        """Hash of names, shapes and a sample of every weight, and of the noise levels."""
        digest = hashlib.sha256(f"{self.family} {self.prediction} {self.dtype}".encode())
        add_weights(digest, [("sigmas", self.sigmas)])
        for module in (self.unet, *(e.model for e in self._encoders), self.vae):
            add_weights(digest, module.state_dict().items())
        return digest.hexdigest()[:16]


def quiet() -> None:
    """Silence diffusers and transformers but for errors, and hide their progress bars. For the command line."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


def _noise_levels(scheduler: Any) -> tuple[str, Tensor]:
    """(what the model predicts, its training sigmas (T,) float32 rising), from a scheduler's betas."""
    config, name = scheduler.config, type(scheduler).__name__
    prediction = config.get("prediction_type", "epsilon")
    betas: Any = getattr(scheduler, "betas", None)
    if prediction not in PREDICTIONS or not isinstance(betas, Tensor) or config.get("use_flow_sigmas"):
        raise SealError(
            f"model: its scheduler {name} (prediction {prediction}) has no variance-preserving noise schedule. Use a "
            f"model that predicts {' or '.join(PREDICTIONS)} (SD 1.x, SD 2.x, SDXL)."
        )
    if "original_inference_steps" in config:  # LCM, TCD
        raise SealError(
            f"model: its scheduler {name} is one for models distilled to a few steps, which do not predict what "
            "they would be trained on here. Train on the model that it was distilled from; the concept works with both."
        )
    kept = torch.cumprod(1 - betas.double().cpu(), dim=0).clamp(min=ZERO_SNR)
    return prediction, ((1 - kept) / kept).sqrt().float()
