"""The sites of ComfyUI's UNetModel: where its cross-attentions are, and how patches name them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from comfy.ldm.modules.attention import BasicTransformerBlock, SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import Downsample, ResBlock, UNetModel, Upsample
from comfy.model_base import ModelType
from torch import nn

from ...seal_core.hosts.base import Site
from ...seal_core.messages import SealError
from ...seal_core.method.sites import PARTS

SiteKey = tuple[str, int, int]
"""(kind, number, index): how an attn2 patch sees a site, `(*extra["block"], extra["block_index"])`."""

_KINDS: dict[str, str] = dict(zip(PARTS, ("input", "middle", "output"), strict=True))


def require_unet(model: Any) -> UNetModel:
    """The U-Net of a ComfyUI MODEL.

    Raises SealError for models of another kind (Flux, SD3, ...) and for U-Nets without cross-attention.
    """
    unet = getattr(getattr(model, "model", None), "diffusion_model", None)
    if not isinstance(unet, UNetModel):
        raise SealError(
            f"model: {type(unet).__name__} is not a cross-attention U-Net. Transformers such as Flux or SD3 read text "
            "and image in one joint attention, so there are no separate cross-attention sites to let a token into; "
            "load an SD 1.x, SD 2.x or SDXL checkpoint."
        )
    if not unet_sites(unet):
        raise SealError("model: this U-Net has no cross-attention to text; load an SD 1.x, SD 2.x or SDXL checkpoint.")
    return unet


def unet_sites(unet: UNetModel) -> list[Site]:
    """Every cross-attention (`attn2`) of a UNetModel in execution order."""
    return [site for site, _ in sites_with_keys(unet)]


def sites_with_keys(unet: UNetModel) -> list[tuple[Site, SiteKey]]:
    """Sites in execution order with their patch keys. The walk follows UNetModel._forward."""
    found: list[tuple[Site, SiteKey]] = []
    counts: dict[str, int] = dict.fromkeys(PARTS, 0)
    level, place, scale = counts.copy(), counts.copy(), 1
    for part, block, layers in _blocks(unet):
        before = scale
        for layer in layers:
            if isinstance(layer, SpatialTransformer):
                # diffusers counts the blocks of each size, and in each of them the residual blocks.
                where = "mid_block" if part == "mid" else f"{part}_blocks.{level[part]}"
                for index, transformer in enumerate(layer.transformer_blocks):
                    # In a temporal block the second attention may be self-attention: no text enters.
                    if _reads_text(transformer):
                        path = f"{where}.attentions.{place[part]}.transformer_blocks.{index}"
                        site = Site(part, counts[part], scale, transformer.attn2, transformer, path)
                        found.append((site, (_KINDS[part], block, index)))
                        counts[part] += 1
            scale = _rescaled(scale, layer)
        if scale != before:
            level[part], place[part] = level[part] + 1, 0
        elif any(isinstance(layer, ResBlock) for layer in layers):
            place[part] += 1
    return found


def _blocks(unet: UNetModel) -> Iterator[tuple[str, int, Any]]:
    yield from (("down", i, block) for i, block in enumerate(unet.input_blocks))
    if unet.middle_block is not None:
        yield "mid", 0, unet.middle_block
    yield from (("up", i, block) for i, block in enumerate(unet.output_blocks))


def _reads_text(block: nn.Module) -> bool:
    return isinstance(block, BasicTransformerBlock) and block.attn2 is not None and not block.switch_temporal_ca_to_sa


def _rescaled(scale: int, layer: nn.Module) -> int:
    change = layer.h_upd if isinstance(layer, ResBlock) else layer  # models with `resblock_updown` resample inside
    if isinstance(change, Downsample):
        return scale * 2
    return scale // 2 if isinstance(change, Upsample) else scale


def native_resolution(model: Any) -> int:
    """The side in pixels that a U-Net was made for: from its config, else from its context's width and prediction."""
    # Only the tiny model's config has it, and getattr would log for all others that they do not.
    if said := vars(model.model.model_config).get("native_resolution"):
        return int(said)
    width = unet_sites(require_unet(model))[0].module.to_k.weight.shape[1]
    is_v = model.model.model_type is ModelType.V_PREDICTION  # the checkpoint's, whatever ModelSampling nodes say
    return 1024 if width == 2048 else 768 if width == 1024 and is_v else 512
