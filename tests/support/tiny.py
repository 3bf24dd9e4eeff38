"""Tiny random diffusers pipelines of the three families, made without any download.

`tiny_pipe("sd1" | "sd2v" | "sdxl")` has the layout of the real one: CLIP's tokenizer class (byte-level,
with a few words as single tokens), text encoder(s), U-Net, VAE and scheduler; 128 px, latents 16 x 16.
"""

from __future__ import annotations

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

KINDS = ("sd1", "sd2v", "sdxl")
WORDS = ("sticker", "background", "showing", "cartoon", "sleepy", "emoji", "beach", "cute", "plain", "cat", "dog", "of")


def tiny_tokenizer(pad: str = "<|endoftext|>") -> CLIPTokenizer:
    """CLIP's tokenizer over 256 bytes, 256 bytes that end a word, and the words of WORDS."""
    symbols = sorted(ByteLevel.alphabet())
    pieces = [*symbols, *(s + "</w>" for s in symbols)]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        letters = [*word[:-1], word[-1] + "</w>"]
        for i in range(1, len(letters)):
            pair = ("".join(letters[:i]), letters[i])
            if pair not in merges:
                merges.append(pair)
                pieces.append("".join(pair))
    pieces = list(dict.fromkeys([*pieces, "<|startoftext|>", "<|endoftext|>"]))
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, pad_token=pad, model_max_length=77)


def tiny_text_model(tokenizer: CLIPTokenizer, width: int, layers: int, projected: bool = False) -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=24,
        num_hidden_layers=layers,
        num_attention_heads=4,
        hidden_act="gelu" if projected else "quick_gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)
    for parameter in model.parameters():  # transformers' initial weights are so small that all words look alike
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.5 * parameter.shape[1] ** -0.5)
    return model


def tiny_unet(kind: str, context: int) -> UNet2DConditionModel:
    shared = {
        "sample_size": 16,
        "block_out_channels": (32, 64, 64),
        "norm_num_groups": 8,
        "cross_attention_dim": context,
    }
    if kind == "sdxl":
        return UNet2DConditionModel(
            **shared,
            layers_per_block=2,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 1, 2),
            attention_head_dim=(2, 4, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=24 + 6 * 8,
        )
    return UNet2DConditionModel(
        **shared,
        layers_per_block=1 if kind == "sd2v" else 2,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=(2, 4, 4) if kind == "sd2v" else 4,
        use_linear_projection=kind == "sd2v",
    )


def tiny_vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=128,
    )


def tiny_pipe(kind: str = "sd1", seed: int = 0) -> StableDiffusionPipeline | StableDiffusionXLPipeline:
    """A random pipeline in eval mode; the same seed gives the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tokenizer = tiny_tokenizer("!" if kind == "sd2v" else "<|endoftext|>")
        schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
        prediction = "v_prediction" if kind == "sd2v" else "epsilon"
        vae = tiny_vae().eval()
        if kind == "sdxl":
            second = tiny_tokenizer("!")
            return StableDiffusionXLPipeline(
                vae=vae,
                text_encoder=tiny_text_model(tokenizer, 32, 3).eval(),
                text_encoder_2=tiny_text_model(second, 40, 3, projected=True).eval(),
                tokenizer=tokenizer,
                tokenizer_2=second,
                unet=tiny_unet(kind, 72).eval(),
                scheduler=EulerDiscreteScheduler(**schedule),
                add_watermarker=False,
            )
        return StableDiffusionPipeline(
            vae=vae,
            text_encoder=tiny_text_model(tokenizer, 32, 2).eval(),
            tokenizer=tokenizer,
            unet=tiny_unet(kind, 32).eval(),
            scheduler=DDIMScheduler(**schedule, prediction_type=prediction, clip_sample=False, set_alpha_to_one=False),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )


def weights(pipe: DiffusionPipeline) -> dict[str, torch.Tensor]:
    """Copies of all weights of a pipeline by name."""
    return {
        f"{part}.{name}": tensor.detach().clone()
        for part, module in pipe.components.items()
        if isinstance(module, torch.nn.Module)
        for name, tensor in module.state_dict().items()
    }
