"""StickerWorld's own latent diffusion model: SD 1.x in miniature, with v-prediction as SD 2.1.

128 px, 16x16x4 latents. Widths are multiples that ComfyUI can express (design.md): the U-Net's are 64 x (1, 2, 2) with
heads of 32, the VAE's are multiples of the 32 groups that its GroupNorm has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ..messages import SealError
from .model_file import END, MODEL_FILE, RETRAIN, START, VOCABULARY, ModelFile, clip_bpe, read_model, write_model

if TYPE_CHECKING:
    from ..hosts.diffusers.host import DiffusersHost

M = TypeVar("M", bound=nn.Module)

SIZE = 128
"""Pixels of an image's side."""
LATENT = 16
"""Latent cells of an image's side."""
TOKENS = 77

WIDTHS = (64, 128, 128)
TEXT_WIDTH = 128
UNET: dict[str, Any] = {
    "sample_size": LATENT,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": WIDTHS,
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D",) * 3,
    "up_block_types": ("CrossAttnUpBlock2D",) * 3,
    "cross_attention_dim": TEXT_WIDTH,
    # diffusers' name is misleading: this is the number of heads of each level; each head is 32 wide
    "attention_head_dim": tuple(width // 32 for width in WIDTHS),
    "use_linear_projection": True,
    "norm_num_groups": 32,
}
TEXT: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": TEXT_WIDTH,
    "intermediate_size": 4 * TEXT_WIDTH,
    "projection_dim": TEXT_WIDTH,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": TOKENS,
    "hidden_act": "quick_gelu",
    "bos_token_id": START,
    "eos_token_id": END,
    "pad_token_id": END,
}
VAE: dict[str, Any] = {
    "sample_size": SIZE,
    "block_out_channels": (32, 32, 64, 128),  # 64 at 64 px would cost four times as much
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 32,
    "scaling_factor": 1.0,
}
SCHEDULER: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "prediction_type": "v_prediction",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
DEFAULTS = {"unet": UNET, "text_encoder": TEXT, "vae": VAE, "scheduler": SCHEDULER}


@dataclass
class TinyModel:
    """The parts of the model, named as in a diffusers pipeline, which is what DiffusersHost expects."""

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    vae: AutoencoderKL
    scheduler: DDIMScheduler
    config: dict[str, dict[str, Any]]
    ids: tuple[int, ...] = (START, END)
    """Rows of the token table that training used: those a file stores."""
    card: dict[str, Any] = field(default_factory=dict)

    def modules(self) -> tuple[nn.Module, nn.Module, nn.Module]:
        return self.unet, self.text_encoder, self.vae

    def to(self, device: str | torch.device) -> TinyModel:
        for module in self.modules():
            module.to(device)
        return self


def moved(module: M, to: str | torch.device | torch.dtype) -> M:
    """`module.to(to)`, typed: diffusers leaves the arguments of its `to` untyped."""
    return module.to(to)


def tokenizer() -> CLIPTokenizer:
    """CLIP's own byte-pair encoding, 77 tokens, padded with the end token as SD 1.x."""
    vocabulary, merges = clip_bpe()
    # its type hints ask for strings, but it keeps pairs
    return CLIPTokenizer(vocab=vocabulary, merges=cast(Any, merges), model_max_length=TOKENS)


def build(seed: int = 0, config: dict[str, dict[str, Any]] | None = None) -> TinyModel:
    """A new model with random weights, in float32 on the CPU, in eval mode. config: see DEFAULTS."""
    config = {**DEFAULTS, **(config or {})}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = UNet2DConditionModel(**config["unet"])
        text_encoder = CLIPTextModel(CLIPTextConfig(**config["text_encoder"]))
        vae = AutoencoderKL(**config["vae"])
    model = TinyModel(unet, text_encoder, tokenizer(), vae, DDIMScheduler(**config["scheduler"]), config)
    for module in model.modules():
        module.eval()
    return model


def save_model(model: TinyModel, path: Path, card: dict[str, Any] | None = None) -> Path:
    """Write the model to one float16 safetensors file. card: facts about it (data, steps, figures)."""
    config = {**model.config, "vae": {**model.config["vae"], "scaling_factor": model.vae.config["scaling_factor"]}}
    file = ModelFile(
        config=config,
        card=model.card if card is None else card,
        unet=model.unet.state_dict(),
        text_encoder=_public_names(model.text_encoder.state_dict()),
        vae=model.vae.state_dict(),
        ids=tuple(sorted(set(model.ids) | {START, END})),
    )
    return write_model(path, file)


def load_model(path: Path = MODEL_FILE, device: str | torch.device = "cpu") -> TinyModel:
    """Read a model file; float32, eval mode. Raises SealError for missing, damaged and unfitting files."""
    file = read_model(path)
    config = {part: {**DEFAULTS[part], **_tuples(file.config.get(part, {}))} for part in DEFAULTS}
    try:
        model = build(config=config)
        model.unet.load_state_dict(file.unet)
        model.vae.load_state_dict(file.vae)
        model.text_encoder.load_state_dict(_own_names(model.text_encoder, file.text_encoder))
    except (RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise SealError(f"model: {path} does not fit this version ({reason}); {RETRAIN}.") from None
    model.ids, model.card = file.ids, file.card
    return model.to(device)


def host(model: TinyModel, quick: bool = False) -> DiffusersHost:
    """The model as a SEAL host. quick: its U-Net in bfloat16, on the CPU with plain attention.

    One core then takes 16 ms a training sample (batch 16) instead of 27, and 7 ms a sampling step instead of 13.
    """
    from ..hosts.diffusers.host import DiffusersHost

    if quick:
        moved(model.unet, torch.bfloat16)
        if model.unet.device.type == "cpu":
            model.unet.set_attn_processor(AttnProcessor())
    return DiffusersHost(model)


def used_ids(tok: CLIPTokenizer, texts: Iterable[str]) -> tuple[int, ...]:
    """Token ids that occur in the texts, with start and end, rising."""
    found = {START, END}
    for text in texts:
        found.update(tok(text)["input_ids"])
    return tuple(sorted(found))


def _public_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names with the prefix `text_model.`, as in public files; transformers 5 dropped it."""
    kept = {name: tensor for name, tensor in state.items() if not name.endswith("position_ids")}
    return {name if name.startswith("text_model.") else f"text_model.{name}": t for name, t in kept.items()}


def _own_names(module: nn.Module, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Public names as the installed transformers calls them."""
    mine = {name.removeprefix("text_model."): name for name in module.state_dict()}
    return {mine.get(name.removeprefix("text_model."), name): tensor for name, tensor in state.items()}


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has only lists; diffusers compares with tuples."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
