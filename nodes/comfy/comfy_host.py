"""ComfyHost: ComfyUI's MODEL, CLIP and VAE as a SEAL host.

No other file knows how to call ComfyUI's models. ComfyUI runs nodes under `torch.inference_mode()` and loads weights
there, so a host is used inside `torch.inference_mode(False)` and first lets gradients through (trainable_models.py).
Everything that it changes is undone on exit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.model_sampling
import comfy.patcher_extension
import torch
from comfy.ldm.modules.attention import BasicTransformerBlock, attention_pytorch
from torch import Tensor, nn

from ...seal_core.hosts.base import Context, Prompt, Site, Stage, Vectors
from ...seal_core.hosts.uncompiled import uncompiled
from ...seal_core.messages import SealError
from .model_identity import Identity, identity, not_ours
from .noising import Noising
from .prompt_tokens import PromptTokens, literal, tokenize
from .text_encoders import ComfyText, out_of_place, text_layers, text_models
from .trainable_models import (
    Gradients,
    differentiable_products,
    in_training,
    no_inference_tensors,
    refuse_untrainable,
    require_whole,
    static_parts,
)
from .unet_sites import native_resolution, require_unet, unet_sites

TRAINING_MEMORY = 32.0
"""Memory of a training pass in units of ComfyUI's estimate for sampling: backward needs the activations. With low-rank
weights 18 (SD 1.5, up) to 43 (SDXL, up), with checkpointing 4 to 6 (tests/comfyui/bench_memory.py)."""


class ComfyHost(ComfyText):
    """A host over the models wired into a node; see `seal_core.hosts.base.Host`.

    Enter it as a context manager under `torch.inference_mode(False)`; `identity`, `resolution` and `plan` work without.
    Inside, gradients can pass `model`, `clip` and `unet`; these may be copies of the wired ones, `copied_bytes` large.
    Without `gradients` the wired models themselves are used, whatever they are.
    Raises SealError for models that are no cross-attention U-Nets and for weights that gradients cannot pass.
    """

    def __init__(self, model: comfy.model_patcher.ModelPatcher, clip: Any, vae: Any, *, gradients: bool = True) -> None:
        super().__init__(clip)
        if getattr(vae, "patcher", None) is None:
            raise SealError("vae: there is none, since the checkpoint holds none; load one with Load VAE.")
        self.vae = vae
        self._wired = (model, clip, vae)
        self.copied_bytes = 0
        self._use(model, clip)
        self.device = model.load_device
        self.dtype = model.get_model_object("manual_cast_dtype") or model.model.get_dtype()
        self.noising = Noising(model.get_model_object("model_sampling"))
        self.prediction, self.sigmas = self.noising.prediction, self.noising.sigmas
        self.add_noise, self.loss_weight = self.noising.add_noise, self.noising.loss_weight
        self.latent_format = model.get_model_object("latent_format")  # a node may have patched it
        self.resolution = native_resolution(model)
        self._check_widths()
        if gradients:
            refuse_untrainable("model", model)
            refuse_untrainable("clip", clip.patcher)
        self._loaded = False
        self._gradients = Gradients() if gradients else None
        self._stack = contextlib.ExitStack()
        self.plan(1, self.resolution)

    def _use(self, model: comfy.model_patcher.ModelPatcher, clip: Any) -> None:
        self.model, self.clip, self.unet = model, clip, require_unet(model)

    def _check_widths(self) -> None:
        have = sum(width for _, width in self.family.widths)
        sites = unet_sites(self.unet)
        want = sites[0].module.to_k.weight.shape[1]
        if have != want:
            raise SealError(
                f"clip: its context is {have} wide ({self.family}), the model reads {want}. "
                "Wire model and clip from the same checkpoint."
            )

    # -- life --------------------------------------------------------------------------------------

    def __enter__(self) -> ComfyHost:
        if torch.is_inference_mode_enabled():
            raise RuntimeError("use ComfyHost inside torch.inference_mode(False)")
        with contextlib.ExitStack() as stack:
            if self._gradients is not None:
                self._let_gradients_through(self._gradients, stack)
            stack.enter_context(uncompiled())  # each hook of the method would have it compiled again
            stack.enter_context(out_of_place(self.clip.cond_stage_model))
            stack.callback(self.clip.cond_stage_model.reset_clip_options)
            self._stack = stack.pop_all()
        return self

    def _let_gradients_through(self, gradients: Gradients, stack: contextlib.ExitStack) -> None:
        model, clip, _ = self._wired
        stack.callback(self._use, model, clip)
        model, clip, self.copied_bytes = stack.enter_context(static_parts(model, clip))
        self._use(model, clip)
        stack.enter_context(in_training())
        stack.enter_context(differentiable_products(model.model, clip.cond_stage_model))
        stack.callback(gradients.restore)

    def __exit__(self, *exc: object) -> None:
        self._loaded = False
        self._stack.close()

    def plan(self, batch: int, resolution: int) -> None:
        """Sets the size of the training passes (pixels), for which ComfyUI makes room when it loads."""
        self._shape = [batch, 4, resolution // 8, resolution // 8]

    def _load(self) -> None:
        """Brings text encoder, then U-Net to the device; for training whole and with room for backward."""
        if self._loaded:
            return
        trains = self._gradients is not None
        room = self.model.model.memory_required(self._shape) * (TRAINING_MEMORY if trains else 1.0)
        comfy.model_management.load_models_gpu(
            [self.clip.patcher, self.model], memory_required=room, force_full_load=trains
        )
        if self._gradients is not None:
            for part, patcher in (("clip", self.clip.patcher), ("model", self.model)):
                require_whole(part, patcher)
                patcher.unpin_all_weights()
                self._gradients.let_through(patcher.model)
        self._loaded = True

    # -- text --------------------------------------------------------------------------------------

    def encode(self, prompts: Sequence[Prompt], vectors: Vectors) -> Context:
        self._load()
        stage = self.clip.cond_stage_model
        stage.reset_clip_options()
        if self.clip.layer_idx is not None:
            stage.set_clip_options({"layer": self.clip.layer_idx})
        stage.set_clip_options({"execution_device": self.clip.patcher.load_device})
        read = [self._tokens(prompt, vectors) for prompt in prompts]
        crosses, pooled = [], None
        for encoder, model in text_models(self.clip).items():
            rows = [[token for token, _ in tokens[encoder].pairs()[0]] for tokens in read]
            with no_inference_tensors("clip"):
                output, pooled = model.encode(rows)[:2]
            crosses.append(output)
        positions = tuple(tokens[self.family.encoders[0]].positions() for tokens in read)
        cross = torch.cat(crosses, dim=-1).float().to(self.device)
        # SD 1.x and 2.x U-Nets take no pooled vector, though ComfyUI's encoders return one.
        vector = pooled.float().to(self.device) if len(crosses) > 1 and pooled is not None else None
        return Context(cross, vector, positions)

    def _tokens(self, prompt: Prompt, vectors: Vectors) -> dict[str, PromptTokens]:
        """Tokens of one prompt for each text encoder. Raises SealError where they do not fit into one chunk."""
        pieces = [(piece if is_slot else literal(piece), is_slot) for piece, is_slot in prompt.pieces()]
        read = tokenize(self.clip, pieces, vectors)
        if any(len(tokens.chunks) > 1 for tokens in read.values()):
            raise SealError(
                f"prompts: {prompt.text!r} is longer than the {self.max_tokens} tokens that the text encoder reads "
                "in one piece. Shorten the template or the attributes."
            )
        return read

    def text_layers(self) -> list[nn.Module]:
        return text_layers(self.clip.cond_stage_model)

    # -- image -------------------------------------------------------------------------------------

    @torch.no_grad()
    def encode_image(self, images: Tensor) -> Tensor:
        self._loaded = False  # loading the VAE may unload the others
        with torch.inference_mode():  # as in ComfyUI's own node: autograd needs none of this
            latents = self.vae.encode(images)
        if latents.ndim != 4 or latents.shape[1] != 4:
            raise SealError(
                f"vae: its latents are {tuple(latents.shape[1:])}, the model takes 4 channels. "
                "Wire the VAE of the same checkpoint."
            )
        return self.latent_format.process_in(latents).clone().float().to(self.device)

    @torch.no_grad()
    def decode_latents(self, latents: Tensor) -> Tensor:
        self._loaded = False
        with torch.inference_mode():
            images = self.vae.decode(self.latent_format.process_out(latents))
        return images.clone().float().cpu()

    # -- U-Net -------------------------------------------------------------------------------------

    def sites(self) -> list[Site]:
        return unet_sites(self.unet)

    def self_attentions(self) -> list[tuple[int, nn.Module]]:
        """(scale, attn1) beside each site, in the same order."""
        beside = {m.attn2: m.attn1 for m in self.unet.modules() if isinstance(m, BasicTransformerBlock) and m.attn2}
        return [(site.scale, beside[site.module]) for site in self.sites()]

    def _touched(self) -> bool:
        """Whether the wired MODEL runs other people's code inside the U-Net."""
        options = self.model.model_options.get("transformer_options", {})
        keys = ("patches", "patches_replace", "wrappers")
        patched = any(options.get(key) for key in keys) or "model_function_wrapper" in self.model.model_options
        wrapped = any(not_ours(self.model.wrappers).values())
        return bool(patched or wrapped or self.model.injections)

    def stages(self) -> list[Stage] | None:
        if self._touched():
            return None
        middle = [] if self.unet.middle_block is None else [Stage(tuple(self.unet.middle_block))]
        return [
            *(Stage(tuple(block), pushes=True) for block in self.unet.input_blocks),
            *middle,
            *(Stage(tuple(block), pops=True) for block in self.unet.output_blocks),
        ]

    def denoise(self, x_t: Tensor, sigma: Tensor, context: Context) -> Tensor:
        self._load()
        height, width = x_t.shape[-2] * 8, x_t.shape[-1] * 8
        conditions = self.model.model.extra_conds(
            cross_attn=context.cross,
            pooled_output=context.pooled,
            noise=x_t,
            device=self.device,
            width=width,
            height=height,
        )
        arguments = {
            name: condition.process_cond(batch_size=x_t.shape[0], area=None).cond
            for name, condition in conditions.items()
        }
        # As in sampling: patches and wrappers ask the model for its patcher.
        self.model.pre_run()
        try:
            with no_inference_tensors("model"):
                return self.model.model.apply_model(x_t, sigma, transformer_options=self._options(sigma), **arguments)
        finally:
            self.model.cleanup()

    def _options(self, sigma: Tensor) -> dict[str, Any]:
        """A copy of the wired MODEL's transformer_options, with an attention that gradients can pass."""
        options = comfy.patcher_extension.copy_nested_dicts(self.model.model_options.get("transformer_options", {}))
        wrappers = {"wrappers": {kind: dict(by_key) for kind, by_key in self.model.wrappers.items()}}
        options = comfy.patcher_extension.merge_nested_dicts(options, wrappers)
        options["optimized_attention_override"] = lambda function, *args, **kwargs: attention_pytorch(*args, **kwargs)
        options["cond_or_uncond"] = [0]
        options["sigmas"] = sigma
        return options

    def spare_memory(self) -> int | None:
        self._load()
        return int(comfy.model_management.get_free_memory(self.device))

    # -- identity ----------------------------------------------------------------------------------

    def identity(self) -> Identity:
        """Of the models as they are wired. Loads nothing."""
        return identity(*self._wired)

    def fingerprint(self) -> str:
        return self.identity().hash
