"""Random-weight files that ComfyUI's ordinary loaders accept: `python checkpoints.py COMFY_DIR OUT NAME...`.

Run by ComfyUI's interpreter, since names and shapes come from ComfyUI's modules (built on the meta device: nothing is
downloaded). Widths that ComfyUI's detection ignores are reduced; `sd15` is the full SD 1.5 layout. Kept outside the
repository; see `server.py`.

| name | what | ComfyUI detects | size |
|---|---|---|---|
| sd15 | full layout: 860 M U-Net, CLIP-L, VAE | SD15 | 2.1 GB |
| sd15-small | U-Net 320/640, one block a level | SD15 | 0.6 GB |
| sd21v | U-Net 320 in four levels, CLIP-H, v-prediction | SD20, V_PREDICTION | 1.1 GB |
| sdxl | U-Net of Segmind-Vega's depths, CLIP-L and CLIP-G | Segmind_Vega (an SDXL) | 2.5 GB |
| sd3 | one block, 64 wide: a diffusion transformer, which SEAL refuses | SD3 | 1 MB |
| lora, controlnet | for sd15-small | | small |
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from typing import Any

UNETS: dict[str, dict[str, Any]] = {
    "sd15": {
        "model_channels": 320, "channel_mult": [1, 2, 4, 4], "num_res_blocks": [2, 2, 2, 2], "num_heads": 8,
        "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_output": [1] * 9 + [0] * 3,
        "transformer_depth_middle": 1, "context_dim": 768, "use_linear_in_transformer": False,
    },
    "sd15-small": {
        "model_channels": 320, "channel_mult": [1, 2], "num_res_blocks": [1, 1], "num_heads": 8,
        "transformer_depth": [1, 1], "transformer_depth_output": [1, 1, 1, 1],
        "transformer_depth_middle": 1, "context_dim": 768, "use_linear_in_transformer": False,
    },
    # Twelve output blocks, because ComfyUI reads the prediction type off output_blocks.11.
    "sd21v": {
        "model_channels": 320, "channel_mult": [1, 1, 1, 1], "num_res_blocks": [2, 2, 2, 2], "num_head_channels": 64,
        "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_output": [1] * 9 + [0] * 3,
        "transformer_depth_middle": 1, "context_dim": 1024, "use_linear_in_transformer": True,
    },
    # transformer_depth is what ComfyUI tells the SDXL kinds apart by; these are Segmind-Vega's.
    "sdxl": {
        "model_channels": 320, "channel_mult": [1, 2, 2], "num_res_blocks": [2, 2, 2], "num_head_channels": 64,
        "transformer_depth": [0, 0, 1, 1, 2, 2], "transformer_depth_output": [0, 0, 0, 1, 1, 1, 1, 1, 1],
        "transformer_depth_middle": 1, "context_dim": 2048, "use_linear_in_transformer": True,
        "num_classes": "sequential", "adm_in_channels": 2816,
    },
}  # fmt: skip
TEXT = {
    "clip_l": "sd1_clip_config.json",
    "clip_h": "text_encoders/sd2_clip_config.json",
    "clip_g": "clip_config_bigg.json",
}
CHECKPOINTS = {  # name -> text encoders with their prefixes in such files
    "sd15": {"clip_l": "cond_stage_model."},
    "sd15-small": {"clip_l": "cond_stage_model."},
    "sd21v": {"clip_h": "cond_stage_model.model."},
    "sdxl": {"clip_l": "conditioner.embedders.0.", "clip_g": "conditioner.embedders.1.model."},
}
VAE = {
    "double_z": True, "z_channels": 4, "resolution": 256, "in_channels": 3, "out_ch": 3, "ch": 128,
    "ch_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_resolutions": [], "dropout": 0.0,
}  # fmt: skip
# Last linear of every residual branch: scaled down, so that activations stay near one in fp16.
BRANCH_ENDS = tuple(f"{end}.weight" for end in ("out_layers.3", "to_out.0", "ff.net.2", "conv2", "out_proj", "fc2"))


def shapes(kind: str, name: str) -> dict[str, Any]:
    """state_dict of one part on the meta device."""
    import comfy.cldm.cldm
    import comfy.clip_model
    import comfy.ops
    import torch
    from comfy.ldm.models.autoencoder import AutoencoderKL
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    ops = comfy.ops.disable_weight_init
    with torch.device("meta"):
        if kind == "text":
            with open(os.path.join(os.path.dirname(comfy.__path__[0]), "comfy", TEXT[name])) as file:
                return comfy.clip_model.CLIPTextModel(json.load(file), None, "meta", ops).state_dict()
        if kind == "vae":
            return AutoencoderKL(ddconfig=VAE, embed_dim=4).state_dict()
        common = {"image_size": 32, "in_channels": 4, "use_spatial_transformer": True, "legacy": False}
        options = {**common, **UNETS[name], "dtype": torch.float32, "device": "meta", "operations": ops}
        if kind == "controlnet":
            options.pop("transformer_depth_output")
            return comfy.cldm.cldm.ControlNet(hint_channels=3, **options).state_dict()
        return UNetModel(out_channels=4, **options).state_dict()


def random_weights(empty: dict[str, Any], seed: int) -> dict[str, Any]:
    """Weights of the given shapes in half precision: unit gain, biases near zero, norms near one.

    Cross-attention's queries and keys get more gain, so that prompts steer attention and a token's vector changes the
    picture.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    pool = torch.randn(1 << 22, generator=generator)
    offsets = iter(torch.randint(0, 1 << 22, (len(empty),), generator=generator).tolist())

    def noise(shape: Any) -> Any:
        # One pool of numbers, read repeatedly from random places: full SD 1.5 in seconds.
        count, start = math.prod(shape), next(offsets)
        copies = -(-(start + count) // pool.numel())
        return pool.repeat(copies)[start : start + count].view(shape)

    result = {}
    for key, value in empty.items():
        shape = tuple(value.shape)
        if not value.is_floating_point():
            result[key] = torch.arange(math.prod(shape)).view(shape)
            continue
        if "embedding.weight" in key:
            weight = noise(shape) * (0.02 if "token" in key else 0.01)
        elif key.endswith("weight") and len(shape) == 1:
            weight = 1 + 0.05 * noise(shape)
        elif len(shape) == 1 or not shape:
            weight = 0.02 * noise(shape)
        else:
            gain = 0.3 if key.endswith(BRANCH_ENDS) else 1.0
            if key.endswith(("attn2.to_q.weight", "attn2.to_k.weight")):
                gain = 1.5
            weight = noise(shape) * gain / math.sqrt(math.prod(shape[1:]))
        result[key] = weight.half().contiguous()
    return result


def open_clip(state: dict[str, Any]) -> dict[str, Any]:
    """SD 2.x and SDXL files keep their OpenCLIP encoders under OpenCLIP's names."""
    from comfy.diffusers_convert import convert_text_enc_state_dict_v20

    return convert_text_enc_state_dict_v20({f"transformer.{key}": value for key, value in state.items()})


def checkpoint(name: str) -> dict[str, Any]:
    """Everything that CheckpointLoaderSimple needs, in one file."""
    seed = sum(map(ord, name))
    unet = random_weights(shapes("unet", name), seed)
    if name == "sd21v":  # ComfyUI: std above 0.09 means v-prediction
        key = "output_blocks.11.1.transformer_blocks.0.norm1.bias"
        unet[key] = unet[key] / unet[key].float().std() * 0.2
    state = {f"model.diffusion_model.{key}": value for key, value in unet.items()}
    for index, (encoder, prefix) in enumerate(CHECKPOINTS[name].items()):
        weights = random_weights(shapes("text", encoder), seed + 1 + index)
        if encoder == "clip_l":
            weights.pop("text_projection.weight")
            weights = {f"transformer.{key}": value for key, value in weights.items()}
        else:
            weights = open_clip(weights)
        state |= {prefix + key: value for key, value in weights.items()}
    vae = random_weights(shapes("vae", ""), 7)
    return state | {f"first_stage_model.{key}": value for key, value in vae.items()}


def lora(rank: int = 4) -> dict[str, Any]:
    """A LoRA (kohya names) on the U-Net's cross-attention and the text encoder, strong enough to show."""
    import torch

    generator = torch.Generator().manual_seed(3)
    targets = {
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_v": (320, 768),
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k": (640, 768),
        "lora_unet_up_blocks_1_attentions_0_transformer_blocks_0_attn2_to_q": (320, 320),
        "lora_te_text_model_encoder_layers_0_self_attn_q_proj": (768, 768),
        "lora_te_text_model_encoder_layers_11_mlp_fc2": (768, 3072),
    }
    state = {}
    for name, (out, inner) in targets.items():
        state[f"{name}.lora_down.weight"] = torch.randn(rank, inner, generator=generator).half() / math.sqrt(inner)
        state[f"{name}.lora_up.weight"] = torch.randn(out, rank, generator=generator).half() * 0.3
        state[f"{name}.alpha"] = torch.tensor(float(rank))
    return state


def sd3() -> dict[str, Any]:
    """The smallest diffusion transformer that UNETLoader takes for SD 3: depth 1, so 64 wide."""
    import comfy.ops
    import torch
    from comfy.ldm.modules.diffusionmodules.mmdit import MMDiT

    embedder = {"target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 64}}
    with torch.device("meta"):
        model = MMDiT(
            input_size=None, patch_size=2, in_channels=16, out_channels=16, depth=1, adm_in_channels=2048,
            context_embedder_config=embedder, num_patches=16, pos_embed_max_size=4, pos_embed_scaling_factor=None,
            dtype=torch.float32, device="meta", operations=comfy.ops.disable_weight_init,
        )  # fmt: skip
    return random_weights(model.state_dict(), 9)


def make(name: str) -> dict[str, Any]:
    if name in CHECKPOINTS:
        return checkpoint(name)
    if name == "controlnet":
        return {f"control_model.{k}": v for k, v in random_weights(shapes("controlnet", "sd15-small"), 5).items()}
    return {"lora": lora, "sd3": sd3}[name]()


def main() -> None:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from launch import prepare

    comfy_dir, out, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    sys.path.insert(0, comfy_dir)
    prepare()
    import comfy.options

    comfy.options.enable_args_parsing()
    sys.argv = [sys.argv[0], "--cpu"]
    from safetensors.torch import save_file

    os.makedirs(out, exist_ok=True)
    for name in names:
        started = time.time()
        path = os.path.join(out, f"{name}.safetensors")
        save_file({key: value.contiguous() for key, value in make(name).items()}, path + ".part")
        os.replace(path + ".part", path)
        print(f"{name}: {os.path.getsize(path) / 1e9:.2f} GB in {time.time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
