"""The shipped tiny model as ComfyUI's own MODEL, CLIP and VAE.

The model was trained with diffusers' and transformers' classes. ComfyUI's classes compute the same (SD 1.x in
miniature, v-prediction as in SD 2.1), so loading it means renaming weights, by ComfyUI's own tables where it has them.
Everything stays in float32: the model is small, and its pictures match those of `python -m seal_core` on any machine.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import comfy.diffusers_convert
import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models_base
import comfy.utils
import folder_paths
import torch
from torch import Tensor, nn

from ...seal_core.demo.model_file import MODEL_FILE, ModelFile, read_model
from ...seal_core.demo.sticker_files import BUILT_IN, built_in_sticker
from ...seal_core.messages import SealError

_DTYPE = torch.float32


class StickerLatents(comfy.latent_formats.LatentFormat):
    """Scale and preview colours of the tiny VAE's latents."""

    def __init__(self, scale: float, factors: Tensor, bias: Tensor) -> None:
        self.scale_factor = scale
        self.latent_rgb_factors = factors.tolist()
        self.latent_rgb_factors_bias = bias.tolist()


class StickerWorldModel(comfy.supported_models_base.BASE):
    """ComfyUI's description of a kind of model. `native_resolution` (pixels) is ours: see unet_sites.py."""

    unet_extra_config = {}  # noqa: RUF012 (ComfyUI's own class attributes are plain)
    supported_inference_dtypes = [_DTYPE]  # noqa: RUF012
    memory_usage_factor = 1.0

    def __init__(self, config: Mapping[str, Any], latents: StickerLatents) -> None:
        super().__init__(unet_config(config["unet"]))
        self.latent_format = latents
        self.native_resolution = config["unet"]["sample_size"] * 2 ** (len(config["vae"]["block_out_channels"]) - 1)
        noise = config["scheduler"]
        _must(noise["beta_schedule"] == "scaled_linear", "beta_schedule")
        self.prediction = noise["prediction_type"]
        self.sampling_settings = {  # what ComfyUI calls "linear" is linear in the square root
            "beta_schedule": "linear",
            "linear_start": noise["beta_start"],
            "linear_end": noise["beta_end"],
            "timesteps": noise["num_train_timesteps"],
            "zsnr": noise.get("rescale_betas_zero_snr", False),
        }

    def model_type(self, state_dict: Any, prefix: str = "") -> comfy.model_base.ModelType:
        kinds = comfy.model_base.ModelType
        return {"v_prediction": kinds.V_PREDICTION, "epsilon": kinds.EPS}[self.prediction]


def load_tiny_model(path: Path = MODEL_FILE) -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP, comfy.sd.VAE]:
    """MODEL, CLIP and VAE of a StickerWorld model file, as a checkpoint loader would give them.

    Raises SealError where the file is missing, damaged or of a layout that ComfyUI cannot express.
    """
    file = read_model(path)
    try:
        vae = _vae(file)
        return _model(file, _latents(file, vae)), _clip(file), vae
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, comfy.model_management.OOM_EXCEPTION):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise SealError(f"model: {path} does not fit this version of SEAL ({reason}); reinstall the pack.") from None


def unet_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of diffusers' UNet2DConditionModel -> those of ComfyUI's UNetModel.

    Raises ValueError for layouts that ComfyUI's U-Net cannot have.
    """
    widths, depth = list(config["block_out_channels"]), config["layers_per_block"]
    heads = config["attention_head_dim"]  # diffusers' name for the number of heads of each level
    heads = [heads] * len(widths) if isinstance(heads, int) else list(heads)
    attends = [int(kind == "CrossAttnDownBlock2D") for kind in config["down_block_types"]]
    mirrored = [int(kind == "CrossAttnUpBlock2D") for kind in reversed(config["up_block_types"])]
    sizes = {width // number for width, number in zip(widths, heads, strict=True)}
    _must(len(sizes) == 1, "attention_head_dim")
    _must(all(width % widths[0] == 0 for width in widths), "block_out_channels")
    _must(config["norm_num_groups"] == 32, "norm_num_groups")
    return {
        "image_size": config["sample_size"],
        "in_channels": config["in_channels"],
        "out_channels": config["out_channels"],
        "model_channels": widths[0],
        "channel_mult": [width // widths[0] for width in widths],
        "num_res_blocks": [depth] * len(widths),
        "transformer_depth": [n for n in attends for _ in range(depth)],
        "transformer_depth_output": [n for n in mirrored for _ in range(depth + 1)],
        "transformer_depth_middle": 1,
        "context_dim": config["cross_attention_dim"],
        "num_heads": -1,
        "num_head_channels": sizes.pop(),
        "use_spatial_transformer": True,
        "use_linear_in_transformer": config["use_linear_projection"],
        "adm_in_channels": None,
        "use_checkpoint": False,
        "legacy": False,
    }


def latent_colours(latents: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """(factors (4, 3), bias (3,)): the colours in [-1, 1] that each latent cell stands for, by least squares.

    latents: (B, 4, h, w), as the model sees them. pictures: (B, 3, H, W) in [-1, 1], H and W multiples of h and w.
    """
    rows, columns = latents.shape[-2:]
    cells = nn.functional.adaptive_avg_pool2d(pictures, (rows, columns)).movedim(1, -1).reshape(-1, 3)
    known = latents.movedim(1, -1).flatten(0, 2)
    ones = torch.ones(len(known), 1)
    solved = torch.linalg.lstsq(torch.cat([known, ones], dim=1), cells, driver="gelsd").solution
    return solved[:-1], solved[-1]


def _model(file: ModelFile, latents: StickerLatents) -> comfy.model_patcher.ModelPatcher:
    manage = comfy.model_management
    kind = StickerWorldModel(file.config, latents)
    names = comfy.utils.unet_to_diffusers(kind.unet_config)
    weights = {names[name]: tensor for name, tensor in file.unet.items()}
    device, size = manage.get_torch_device(), sum(tensor.numel() for tensor in weights.values())
    kinds = kind.supported_inference_dtypes
    dtype = manage.unet_dtype(model_params=size, supported_dtypes=kinds, weight_dtype=_DTYPE)
    kind.set_inference_dtype(dtype, manage.unet_manual_cast(dtype, device, kinds))
    model = kind.get_model(weights, device=manage.unet_inital_load_device(size, dtype))
    model.load_model_weights(dict(weights))  # it takes them out of the dict
    _fits(model.diffusion_model, weights, "unet")
    return comfy.model_patcher.ModelPatcher(model, load_device=device, offload_device=manage.unet_offload_device())


def _clip(file: ModelFile) -> comfy.sd.CLIP:
    config = dict(file.config["text_encoder"])
    width = config["hidden_size"]
    # ComfyUI computes the projection, though nothing reads it: it must not be uninitialised memory.
    weights = {**file.text_encoder, "text_projection.weight": torch.eye(width)}
    shape = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "hidden_act")
    shape += ("max_position_embeddings", "eos_token_id")
    static = "disable_dynamic" in inspect.signature(comfy.sd.CLIP).parameters  # too small to be streamed
    clip = comfy.sd.CLIP(
        comfy.supported_models_base.ClipTarget(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel),
        embedding_directory=folder_paths.get_folder_paths("embeddings"),
        tokenizer_data={
            "clip_l_tokenizer_class": functools.partial(comfy.sd1_clip.SDTokenizer, embedding_size=width),
            "clip_l_max_length": config["max_position_embeddings"],
        },
        parameters=sum(tensor.numel() for tensor in weights.values()),
        model_options={"clip_l_model_config": {name: config[name] for name in shape}, "dtype": _DTYPE},
        **({"disable_dynamic": True} if static else {}),
    )
    clip.load_sd(weights)
    _fits(clip.cond_stage_model.clip_l.transformer, weights, "text_encoder")
    clip.cond_stage_model.seal_trained_ids = frozenset(file.ids)  # ComfyText.trained_ids reads them
    return clip


def _vae(file: ModelFile) -> comfy.sd.VAE:
    config = file.config["vae"]
    widths = config["block_out_channels"]
    _must(len(widths) == 4, "vae block_out_channels")  # core nodes assume 8 pixels a latent
    _must(all(width % widths[0] == 0 for width in widths), "vae block_out_channels")
    shape = {
        "ch": widths[0],
        "ch_mult": [width // widths[0] for width in widths],
        "num_res_blocks": config["layers_per_block"],
        "resolution": config["sample_size"],
        "z_channels": config["latent_channels"],
        "double_z": True,
        "in_channels": 3,
        "out_ch": 3,
        "attn_resolutions": [],
        "dropout": 0.0,
    }
    weights = comfy.diffusers_convert.convert_vae_state_dict(file.vae)
    params = {"ddconfig": shape, "embed_dim": config["latent_channels"]}
    vae = comfy.sd.VAE(sd=weights, config={"params": params}, dtype=_DTYPE)
    _fits(vae.first_stage_model, weights, "vae")
    return vae


@torch.no_grad()
def _latents(file: ModelFile, vae: comfy.sd.VAE) -> StickerLatents:
    """The latents' scale, and preview colours fitted to what this VAE makes of the built-in stickers."""
    scale = float(file.config["vae"]["scaling_factor"])
    pictures = torch.stack([torch.tensor(built_in_sticker(name).image) for name in BUILT_IN])
    pictures = pictures.movedim(-1, 1).to(_DTYPE) / 127.5 - 1
    latents = vae.first_stage_model.encode(pictures.to(next(vae.first_stage_model.parameters()).device)).cpu() * scale
    return StickerLatents(scale, *latent_colours(latents, pictures))


def _fits(module: nn.Module, weights: Mapping[str, Tensor], part: str) -> None:
    """Raises ValueError where a weight is missing, left over or of another shape, which ComfyUI only logs.

    To be called after loading: in newer ComfyUIs layers have no weights before, and then take any shape.
    """
    have = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear):
            have[f"{name}.weight"] = (layer.out_features, layer.in_features)
        elif isinstance(layer, nn.Embedding):
            have[f"{name}.weight"] = (layer.num_embeddings, layer.embedding_dim)
    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    wrong = sorted(name for name in have.keys() | given.keys() if have.get(name) != given.get(name))
    if wrong:
        raise ValueError(f"{part}: {len(wrong)} weights do not fit, the first is {wrong[0]}")


def _must(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(f"ComfyUI's classes cannot have this {what}")
