"""ComfyUI's text encoders: their family, their vocabulary, and layers that gradients can pass."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import comfy.clip_model
import comfy.sd
import comfy.sd1_clip
from torch import Tensor, nn

from ...seal_core.hosts.base import Family
from ...seal_core.messages import SealError
from ...seal_core.method.attention import swapped_forwards
from .prompt_tokens import chunk_length, token_ids

_FAMILIES = {("clip_l",): "sd1", ("clip_h",): "sd2", ("clip_l", "clip_g"): "sdxl"}


def text_models(clip: comfy.sd.CLIP) -> dict[str, comfy.sd1_clip.SDClipModel]:
    """Text encoder name -> module, in the order in which their outputs are concatenated.

    Raises SealError for text encoders of other model families (T5 and the like).
    """
    stage = getattr(clip, "cond_stage_model", None)
    if stage is None:
        raise SealError("clip: there is none, since the checkpoint holds no text encoder; load one with Load CLIP.")
    found = {n: m for n, m in stage.named_children() if isinstance(m, comfy.sd1_clip.SDClipModel)}
    ordered = {n: found[n] for n in ("clip_l", "clip_h", "clip_g") if n in found}
    if tuple(ordered) not in _FAMILIES or len(ordered) != len(list(stage.children())):
        names = ", ".join(n for n, _ in stage.named_children()) or type(stage).__name__
        raise SealError(
            f"clip: text encoder {names} is not one of SD 1.x (clip_l), SD 2.x (clip_h) or SDXL (clip_l and clip_g). "
            "SEAL learns token embeddings of these; load such a checkpoint."
        )
    return ordered


def family(clip: comfy.sd.CLIP) -> Family:
    """The base-model family that this CLIP belongs to."""
    models = text_models(clip)
    widths = tuple((n, m.transformer.get_input_embeddings().weight.shape[1]) for n, m in models.items())
    return Family(_FAMILIES[tuple(models)], widths)


class ComfyText:
    """The text half of a host, which needs nothing but a CLIP. See `seal_core.hosts.base.Host`."""

    def __init__(self, clip: comfy.sd.CLIP) -> None:
        self.clip = clip
        self.family = family(clip)
        self.max_tokens = chunk_length(clip)

    def vocabulary(self, encoder: str) -> Tensor:
        return text_models(self.clip)[encoder].transformer.get_input_embeddings().weight.detach()

    def token_ids(self, encoder: str, text: str) -> list[int]:
        return token_ids(self.clip, text)[encoder]

    def trained_ids(self, encoder: str) -> frozenset[int] | None:
        """Of the tiny model, which saw few words; see `seal_core.hosts.base.Words`."""
        return getattr(self.clip.cond_stage_model, "seal_trained_ids", None)


def text_layers(root: nn.Module) -> list[nn.Module]:
    """The transformer layers of all text encoders in it, in order."""
    return [m for m in root.modules() if isinstance(m, comfy.clip_model.CLIPLayer)]


@contextlib.contextmanager
def out_of_place(root: nn.Module) -> Iterator[None]:
    """Makes ComfyUI's CLIP layers add out of place, since their `x += ...` breaks autograd. Restored on exit."""
    layers = text_layers(root)

    def make(layer: Any) -> Any:
        def forward(x: Any, mask: Any = None, optimized_attention: Any = None) -> Any:
            x = x + layer.self_attn(layer.layer_norm1(x), mask, optimized_attention)
            return x + layer.mlp(layer.layer_norm2(x))

        return forward

    with swapped_forwards({layer: make(layer) for layer in layers}):
        yield
