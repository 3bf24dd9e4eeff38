"""Learned vectors in ComfyUI's own tokenizers and text encoders.

ComfyUI's tokenizers look `embedding:NAME` up in files. A copy with that look-up answered from memory
puts vectors (also ones that carry a gradient) into the token list, so that prompt weights, chunks
over 77 tokens and CLIP skip stay ComfyUI's own.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import comfy.clip_model
import comfy.sd
import comfy.sd1_clip
from torch import Tensor, nn

from ..seal_core.errors import SealError
from ..seal_core.forwards import swapped_forwards
from ..seal_core.host import Family, Vectors

_FAMILIES = {("clip_l",): "sd1", ("clip_h",): "sd2", ("clip_l", "clip_g"): "sdxl"}


def text_models(clip: comfy.sd.CLIP) -> dict[str, comfy.sd1_clip.SDClipModel]:
    """Text encoder name -> module, in the order in which their outputs are concatenated.

    Raises SealError for text encoders of other model families (T5 and the like).
    """
    if clip is None:
        raise SealError("clip: there is none, since the checkpoint holds no text encoder; load one with CLIPLoader.")
    stage = clip.cond_stage_model
    found = {n: m for n, m in stage.named_children() if isinstance(m, comfy.sd1_clip.SDClipModel)}
    ordered = {n: found[n] for n in ("clip_l", "clip_h", "clip_g") if n in found}
    if tuple(ordered) not in _FAMILIES or len(ordered) != len(list(stage.children())):
        names = ", ".join(n for n, _ in stage.named_children()) or type(stage).__name__
        raise SealError(
            f"clip: text encoder {names} is not one of SD 1.x (clip_l), SD 2.x (clip_h) or SDXL (clip_l and clip_g). "
            "SEAL learns token embeddings of these; load such a checkpoint."
        )
    return ordered


def tokenizers(clip: comfy.sd.CLIP) -> dict[str, comfy.sd1_clip.SDTokenizer]:
    """Text encoder name -> ComfyUI's tokenizer for it."""
    parts = {name: getattr(clip.tokenizer, name, None) for name in text_models(clip)}
    if not all(isinstance(part, comfy.sd1_clip.SDTokenizer) for part in parts.values()):
        raise SealError("clip: its tokenizer is not ComfyUI's own; wire the CLIP of an ordinary checkpoint loader.")
    return parts


def family(clip: comfy.sd.CLIP) -> Family:
    """The base-model family that this CLIP belongs to."""
    models = text_models(clip)
    widths = tuple((n, m.transformer.get_input_embeddings().weight.shape[1]) for n, m in models.items())
    return Family(_FAMILIES[tuple(models)], widths)


class ComfyText:
    """The text side of a host: what can be asked of a CLIP alone. See `seal_core.host.Host`."""

    def __init__(self, clip: comfy.sd.CLIP) -> None:
        self.clip = clip
        self.family = family(clip)
        self.max_tokens = min(int(t.max_length) for t in tokenizers(clip).values())

    def vocabulary(self, encoder: str) -> Tensor:
        return text_models(self.clip)[encoder].transformer.get_input_embeddings().weight.detach()

    def token_ids(self, encoder: str, text: str) -> list[int]:
        tokenizer = tokenizers(self.clip)[encoder]
        end = -1 if tokenizer.tokenizer_adds_end_token else None
        return list(tokenizer.tokenizer(text)["input_ids"][tokenizer.tokens_start : end])


def learned_tokenizer(clip: comfy.sd.CLIP, vectors: Vectors, found: list[tuple[str, int]] | None = None) -> Any:
    """A copy of `clip.tokenizer` to which `embedding:NAME` means `vectors[NAME]`.

    Names that are not in `vectors` are looked up in files as before. `found`, where given, receives
    (name, number of vectors) for every embedding in the order of the prompt, once per encoder; the
    name of one from a file is "".
    """
    result = copy.copy(clip.tokenizer)
    for encoder, original in tokenizers(clip).items():
        part = copy.copy(original)
        table = {name: per_encoder[encoder] for name, per_encoder in vectors.items()}
        part._try_get_embedding = _look_up(table, original._try_get_embedding, found)
        if part.embedding_directory is None:  # ComfyUI ignores `embedding:` altogether without one
            part.embedding_directory = []
        setattr(result, encoder, part)
    return result


def _look_up(table: dict[str, Any], from_files: Any, found: list[tuple[str, int]] | None) -> Any:
    def look_up(embedding_name: str) -> tuple[Any, str]:
        first, *rest = embedding_name.split()
        bare = first.rstrip(",")
        if bare not in table:
            embedding, leftover = from_files(embedding_name)
            if found is not None and embedding is not None:
                found.append(("", 1 if embedding.ndim == 1 else embedding.shape[0]))
            return embedding, leftover
        if found is not None:
            found.append((bare, table[bare].shape[0]))
        commas = first[len(bare) :]
        return table[bare], " ".join([commas, *rest] if commas else rest)

    return look_up


@contextlib.contextmanager
def out_of_place(root: nn.Module) -> Iterator[None]:
    """Let ComfyUI's CLIP layers add out of place: their `x += ...` breaks autograd. Restored on exit."""
    layers = [m for m in root.modules() if isinstance(m, comfy.clip_model.CLIPLayer)]

    def make(layer: Any) -> Any:
        def forward(x: Any, mask: Any = None, optimized_attention: Any = None) -> Any:
            x = x + layer.self_attn(layer.layer_norm1(x), mask, optimized_attention)
            return x + layer.mlp(layer.layer_norm2(x))

        return forward

    with swapped_forwards({layer: make(layer) for layer in layers}):
        yield
