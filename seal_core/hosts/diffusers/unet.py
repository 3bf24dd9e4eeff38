"""Walking a UNet2DConditionModel: its cross-attentions and its layers, in execution order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from diffusers import UNet2DConditionModel
from torch import nn

from ...messages import SealError
from ..base import Stage

_DOWN = ("DownBlock2D", "CrossAttnDownBlock2D")
_MID = ("UNetMidBlock2D", "UNetMidBlock2DCrossAttn")
_UP = ("UpBlock2D", "CrossAttnUpBlock2D")


def check_unet(pipe: Any) -> UNet2DConditionModel:
    """The pipeline's U-Net. Raises SealError, saying why, where SEAL cannot train through the model."""
    kind = type(pipe).__name__
    if getattr(pipe, "unet", None) is None and getattr(pipe, "transformer", None) is not None:
        raise SealError(transformer_refused(kind))
    unet = getattr(pipe, "unet", False)
    if not isinstance(unet, UNet2DConditionModel):
        raise SealError(f"model: {kind} has no UNet2DConditionModel; use a folder of SD 1.x, SD 2.x or SDXL.")
    if unet.config.in_channels != unet.config.out_channels:
        raise SealError(
            f"model: its U-Net takes {unet.config.in_channels} channels (inpainting or image editing); "
            "use the plain text-to-image model."
        )
    if unet.config.encoder_hid_dim_type is not None or unet.config.addition_embed_type not in (None, "text_time"):
        raise SealError("model: its U-Net takes other conditions besides text (an IP-Adapter?); unload them first.")
    blocks = [block for *_, block in diffusers_sites(unet)]
    if not blocks:
        raise SealError("model: its U-Net has no cross-attention, so no text enters it; use SD 1.x, SD 2.x or SDXL.")
    if any(getattr(block.attn2, "fused_projections", False) for block in blocks):
        raise SealError("model: its attention projections are fused; call pipe.unfuse_qkv_projections() first.")
    return unet


def transformer_refused(kind: str) -> str:
    """Why a DiT cannot be used."""
    return (
        f"model: {kind} is a diffusion transformer (like Flux or SD3): text and image share one attention there, so it "
        "has no cross-attention sites for SEAL to restrict and supervise. Use a U-Net model: SD 1.x, SD 2.x or SDXL."
    )


def _parts(unet: UNet2DConditionModel) -> Iterator[tuple[str, nn.Module, int]]:
    """(part, block, scale) in execution order; named_modules would put mid last."""
    scale = 1
    for block in unet.down_blocks:
        yield "down", block, scale
        scale *= 2 ** len(getattr(block, "downsamplers", None) or ())
    if unet.mid_block is not None:
        yield "mid", unet.mid_block, scale
    for block in unet.up_blocks:
        yield "up", block, scale
        scale //= 2 ** len(getattr(block, "upsamplers", None) or ())


def diffusers_sites(unet: UNet2DConditionModel) -> list[tuple[str, int, int, Any]]:
    """(part, ordinal in it, scale, transformer block with attn1 and attn2) of every cross-attention."""
    found = []
    counts = {"down": 0, "mid": 0, "up": 0}
    for part, block, scale in _parts(unet):
        for module in block.modules():
            if getattr(module, "attn2", None) is not None:
                found.append((part, counts[part], scale, module))
                counts[part] += 1
    return found


def unet_stages(unet: UNet2DConditionModel) -> list[Stage] | None:
    """The layers between the skips, in execution order; None for block types other than SD's."""
    middle = unet.mid_block
    kinds = [(b, _DOWN) for b in unet.down_blocks] + [(b, _UP) for b in unet.up_blocks]
    kinds += [(middle, _MID)] if middle is not None else []
    if any(type(block).__name__ not in known for block, known in kinds):
        return None
    stages = [Stage((unet.conv_in,), pushes=True)]
    for block in unet.down_blocks:
        stages += [Stage(layers, pushes=True) for layers in _pairs(block)]
        stages += [Stage((sampler,), pushes=True) for sampler in getattr(block, "downsamplers", None) or ()]
    if middle is not None:
        layers = [middle.resnets[0]]
        for attention, resnet in zip(middle.attentions, middle.resnets[1:]):
            layers += [attention, resnet] if attention is not None else [resnet]
        stages.append(Stage(tuple(layers)))
    for block in unet.up_blocks:
        stages += [Stage(layers, pops=True) for layers in _pairs(block)]
        stages += [Stage((sampler,)) for sampler in getattr(block, "upsamplers", None) or ()]
    return stages


def _pairs(block: Any) -> list[tuple[nn.Module, ...]]:
    attentions = getattr(block, "attentions", None)
    return list(zip(block.resnets, attentions)) if attentions is not None else [(r,) for r in block.resnets]
