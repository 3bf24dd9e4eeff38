"""ComfyHost: ComfyUI's MODEL, CLIP and VAE as a SEAL host.

The one file that knows how ComfyUI's models are called. ComfyUI executes nodes under
`torch.inference_mode()` and loads weights there, so a host is used inside `torch.inference_mode(False)`
and turns weights into normal tensors first; everything else it changes is undone on exit.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from typing import Any, cast

import comfy.model_management
import comfy.model_patcher
import comfy.model_sampling
import comfy.patcher_extension
import comfy.quant_ops
import torch
from comfy.ldm.modules.attention import BasicTransformerBlock, attention_pytorch
from torch import Tensor, nn

from ..seal_core.errors import SealError
from ..seal_core.fingerprint import add_samples
from ..seal_core.host import Context, Prompt, Site, Stage, Vectors
from .comfy_noise import Noising
from .comfy_text import ComfyText, out_of_place, text_models
from .comfy_tokens import PromptTokens, literal, tokenize
from .unet_sites import require_unet, unet_sites

TRAINING_MEMORY = 4.0
"""How much more memory a training pass takes than ComfyUI's estimate for sampling (activations are kept)."""


def native_resolution(model: comfy.model_patcher.ModelPatcher) -> int:
    """The side in pixels that a U-Net was made for: as its config says, else by its context's width and prediction."""
    said = vars(model.model.model_config).get("native_resolution")  # of ours; getattr would log that others lack it
    if said:
        return int(said)
    width = unet_sites(require_unet(model))[0].module.to_k.weight.shape[1]
    is_v = isinstance(model.get_model_object("model_sampling"), comfy.model_sampling.V_PREDICTION)
    return 1024 if width == 2048 else 768 if width == 1024 and is_v else 512


class ComfyHost(ComfyText):
    """A host over the models wired into a node; see `seal_core.host.Host`.

    Use as a context manager under `torch.inference_mode(False)`. Raises SealError for models that are
    no cross-attention U-Nets and for quantised weights.
    """

    def __init__(self, model: comfy.model_patcher.ModelPatcher, clip: Any, vae: Any) -> None:
        super().__init__(clip)
        self.model, self.vae = model, vae
        self.unet = require_unet(model)
        self.device = model.load_device
        self.dtype = model.model.manual_cast_dtype or model.model.get_dtype()
        self.noising = Noising(model.get_model_object("model_sampling"))
        self.prediction, self.sigmas = self.noising.prediction, self.noising.sigmas
        self.add_noise, self.loss_weight = self.noising.add_noise, self.noising.loss_weight
        self.latent_format = model.get_model_object("latent_format")  # a node may have patched it
        self.resolution = native_resolution(model)
        self._check_widths()
        self._loaded = False
        self._stack = contextlib.ExitStack()
        self.plan(1, self.resolution)

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
            stack.enter_context(out_of_place(self.clip.cond_stage_model))
            stack.callback(self.clip.cond_stage_model.reset_clip_options)
            self._frozen: list[nn.Parameter] = []
            stack.callback(self._unfreeze)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._loaded = False
        self._stack.close()

    def plan(self, batch: int, resolution: int) -> None:
        """Say how large the training passes will be, so that ComfyUI makes room for them when it loads."""
        self._shape = [batch, 4, resolution // 8, resolution // 8]

    def _unfreeze(self) -> None:
        for parameter in self._frozen:
            parameter.requires_grad_(True)
        self._frozen.clear()

    def _load(self) -> None:
        """Bring text encoder and U-Net to the device, in this order, with room for the backward pass."""
        if self._loaded:
            return
        room = self.model.model.memory_required(self._shape) * TRAINING_MEMORY
        comfy.model_management.load_models_gpu(
            [self.clip.patcher, self.model], memory_required=room, force_full_load=True
        )
        for patcher in (self.clip.patcher, self.model):
            patcher.unpin_all_weights()
            self._make_trainable_through(patcher.model)
        self._loaded = True

    def _make_trainable_through(self, root: nn.Module) -> None:
        """Turn inference tensors into normal ones, one by one, and stop gradients at the weights.

        Autograd cannot save inference tensors. Unpatching a LoRA brings some back, so every run checks.
        """
        for module in root.modules():
            for store in cast(list[dict[str, Any]], [module._parameters, module._buffers]):
                for name, tensor in store.items():
                    if tensor is None:
                        continue
                    if isinstance(tensor, comfy.quant_ops.QuantizedTensor):
                        raise SealError(
                            "model: its weights are quantised, and gradients cannot pass them. "
                            "Load the checkpoint in fp16, bf16 or fp32."
                        )
                    if tensor.is_inference():
                        normal = tensor.detach().clone()
                        if isinstance(tensor, nn.Parameter):
                            normal = nn.Parameter(normal, requires_grad=tensor.requires_grad)
                        store[name] = normal
            for parameter in module._parameters.values():
                if parameter is not None and parameter.requires_grad:
                    parameter.requires_grad_(False)
                    self._frozen.append(parameter)

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
            output, pooled = model.encode(rows)[:2]
            crosses.append(output)
        positions = tuple(tokens[self.family.encoders[0]].positions() for tokens in read)
        cross = torch.cat(crosses, dim=-1).float().to(self.device)
        # SD 1.x and 2.x U-Nets take no pooled vector; ComfyUI's encoders return one all the same.
        vector = pooled.float().to(self.device) if len(crosses) > 1 and pooled is not None else None
        return Context(cross, vector, positions)

    def _tokens(self, prompt: Prompt, vectors: Vectors) -> dict[str, PromptTokens]:
        """Tokens of one prompt for each text encoder; they fit into one chunk."""
        pieces = [(piece if is_slot else literal(piece), is_slot) for piece, is_slot in prompt.pieces()]
        read = tokenize(self.clip, pieces, vectors)
        if any(len(tokens.chunks) > 1 for tokens in read.values()):
            raise SealError(
                f"prompts: {prompt.text!r} is longer than the {self.max_tokens} tokens that the text encoder reads "
                "in one piece. Shorten the template or the attributes."
            )
        return read

    # -- image -------------------------------------------------------------------------------------

    @torch.no_grad()
    def encode_image(self, images: Tensor) -> Tensor:
        self._loaded = False  # loading the VAE may push the others out
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
        return self.vae.decode(self.latent_format.process_out(latents)).clone().float().cpu()

    # -- U-Net -------------------------------------------------------------------------------------

    def sites(self) -> list[Site]:
        return unet_sites(self.unet)

    def self_attentions(self) -> list[tuple[int, nn.Module]]:
        """(scale, attn1) beside each site, in the same order."""
        beside = {m.attn2: m.attn1 for m in self.unet.modules() if isinstance(m, BasicTransformerBlock) and m.attn2}
        return [(site.scale, beside[site.module]) for site in self.sites()]

    def _patches(self) -> list[str]:
        """Names of the functions that the wired MODEL runs inside the U-Net; the same after a restart."""
        options = self.model.model_options.get("transformer_options", {})
        kept = {key: options.get(key) for key in ("patches", "patches_replace", "wrappers")}
        return sorted(_function_names({**kept, "model": self.model.wrappers}))

    def _touched(self) -> bool:
        """Whether the wired MODEL runs other people's code inside the U-Net."""
        options = self.model.model_options.get("transformer_options", {})
        keys = ("patches", "patches_replace", "wrappers")
        patched = any(options.get(key) for key in keys) or "model_function_wrapper" in self.model.model_options
        wrapped = any(by_key for by_key in self.model.wrappers.values())
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
        # pre_run and cleanup as in sampling: patches and wrappers ask the model for its patcher
        self.model.pre_run()
        try:
            return self.model.model.apply_model(x_t, sigma, transformer_options=self._options(sigma), **arguments)
        finally:
            self.model.cleanup()

    def _options(self, sigma: Tensor) -> dict[str, Any]:
        """Fresh transformer_options: those of the wired MODEL, and an attention that gradients can pass."""
        options = comfy.patcher_extension.copy_nested_dicts(self.model.model_options.get("transformer_options", {}))
        wrappers = {"wrappers": {kind: dict(by_key) for kind, by_key in self.model.wrappers.items()}}
        options = comfy.patcher_extension.merge_nested_dicts(options, wrappers)
        options["optimized_attention_override"] = lambda function, *args, **kwargs: attention_pytorch(*args, **kwargs)
        options["cond_or_uncond"] = [0]
        options["sigmas"] = sigma
        return options

    # -- identity ----------------------------------------------------------------------------------

    def fingerprint(self) -> str:
        """Hash of a sample of every weight as it stands on the device, so LoRAs count; of CLIP skip and sampling."""
        self._load()
        latents = type(self.latent_format).__name__
        settings = (self.family, self.clip.layer_idx, self.prediction, latents, self.dtype, *self._patches())
        digest = hashlib.sha256(" ".join(map(str, settings)).encode())
        add_samples(digest, self.noising.samples())
        for root in (self.unet, self.vae.first_stage_model):
            add_samples(digest, root.state_dict().items())
        for name, encoder in text_models(self.clip).items():
            # Files of SD 1.x and SDXL have neither for clip_l, and ComfyUI leaves memory as it was there.
            unread = ("logit_scale",) if name == "clip_g" else ("logit_scale", "transformer.text_projection.weight")
            add_samples(digest, ((k, v) for k, v in encoder.state_dict().items() if k not in unread))
        return digest.hexdigest()[:16]


def _function_names(tree: Any, path: str = "") -> list[str]:
    """ "path:module.name" of every function or object in nested dicts and lists."""
    if isinstance(tree, dict):
        return [name for key, branch in tree.items() for name in _function_names(branch, f"{path}/{key}")]
    if isinstance(tree, list | tuple):
        return [name for branch in tree for name in _function_names(branch, path)]
    if tree is None:
        return []
    kind = tree if hasattr(tree, "__qualname__") else type(tree)
    return [f"{path}:{kind.__module__}.{kind.__qualname__}"]
