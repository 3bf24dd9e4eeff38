"""What the method needs of a diffusion model, and nothing more.

A host translates names and noise parameterisation; the algorithms see only this module. Two hosts
exist: `nodes.comfy.comfy_host.ComfyHost` (the models wired in ComfyUI) and
`seal_core.hosts.diffusers.host.DiffusersHost` (diffusers pipelines).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

Vectors = Mapping[str, Mapping[str, Tensor]]
"""Learned input vectors: slot name -> text encoder name -> (n, width) float32."""


@dataclass(frozen=True)
class Family:
    """The kind of base model an embedding belongs to.

    `widths` maps each text encoder to the width of its token embeddings, in the order in which
    their outputs are concatenated (SD 1.x: clip_l 768; SD 2.x: clip_h 1024; SDXL: clip_l 768, clip_g 1280).
    """

    name: str
    widths: tuple[tuple[str, int], ...]

    @property
    def encoders(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.widths)

    def fits(self, other: Family) -> bool:
        """Whether vectors trained for `other` have the shapes that this family's encoders take."""
        return self.widths == other.widths

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(f'{n} {w}' for n, w in self.widths)})"


@dataclass(frozen=True)
class Prompt:
    """A prompt with slots for learned tokens, written `{slot}` in `text`: "a sticker of {concept}"."""

    text: str

    @property
    def slots(self) -> tuple[str, ...]:
        """Slot names in order of appearance."""
        return tuple(re.findall(r"\{(\w+)\}", self.text))

    def fill(self, words: Mapping[str, str]) -> Prompt:
        """Replace the slots named in `words` by plain words; the others stay."""
        text = re.sub(r"\{(\w+)\}", lambda m: words.get(m[1], m[0]), self.text)
        return Prompt(re.sub(r" +", " ", text).replace(" ,", ",").strip())

    def pieces(self) -> list[tuple[str, bool]]:
        """The prompt as (text, is_slot) pieces, in order, without empty texts."""
        parts = re.split(r"\{(\w+)\}", self.text)
        return [(part, i % 2 == 1) for i, part in enumerate(parts) if part.strip() or i % 2]


@dataclass(frozen=True)
class Context:
    """What the text encoder(s) make of a batch of prompts.

    cross: (B, L, D) context of the cross-attention, float32 on the host's device.
    pooled: (B, P) pooled text vector, or None for models that take none.
    positions: for each row, slot name -> the token positions (0 <= p < L) where its vectors stand.
    """

    cross: Tensor
    pooled: Tensor | None = None
    positions: tuple[Mapping[str, tuple[int, ...]], ...] = ()

    def rows(self, index: Sequence[int]) -> Context:
        """Select (and repeat) rows."""
        where = torch.as_tensor(list(index), device=self.cross.device)
        return Context(
            self.cross[where],
            None if self.pooled is None else self.pooled[where],
            tuple(self.positions[i] for i in index) if self.positions else (),
        )


def stack_contexts(contexts: Sequence[Context]) -> Context:
    """The rows of several contexts of one host, one below the other; token positions are not kept."""
    pooled = [context.pooled for context in contexts if context.pooled is not None]
    cross = torch.cat([context.cross for context in contexts])
    return Context(cross, torch.cat(pooled) if len(pooled) == len(contexts) else None)


@dataclass(frozen=True, eq=False)
class Site:
    """One cross-attention module (`attn2`): where text enters the U-Net.

    part is "down", "mid" or "up"; ordinal counts within the part in execution order; scale is how
    many times smaller than the latents its map is (1, 2, 4, 8), rounded up. block: the transformer
    block that it belongs to, with attn1, attn2 and ff; path: that block's name in diffusers, which
    LoRA files use.
    """

    part: str
    ordinal: int
    scale: int
    module: Any = field(repr=False)  # each host's own class, with to_q, to_k, to_v and heads
    block: Any = field(default=None, repr=False)
    path: str = ""

    @property
    def name(self) -> str:
        return f"{self.part}.{self.ordinal}"

    @property
    def heads(self) -> int:
        return int(self.module.heads)  # both ComfyUI's CrossAttention and diffusers' Attention call it so

    def map_size(self, height: int, width: int) -> tuple[int, int]:
        """(rows, columns) of this site's attention map for latents of height x width."""
        return -(-height // self.scale), -(-width // self.scale)


@dataclass(frozen=True)
class Stage:
    """A run of layers between two skip connections, for the frozen prefix.

    layers: modules called one after another, each on the output of the one before.
    pops: whether the stage reads one skip (concatenated to its input).
    pushes: whether its output is kept as a skip for a later stage.
    """

    layers: tuple[nn.Module, ...]
    pops: bool = False
    pushes: bool = False


class Words(Protocol):
    """The part of a host that knows words; a CLIP alone has it.

    It may also have `trained_ids(encoder) -> frozenset[int] | None`: the tokens that the encoder ever saw, so that
    words which mean nothing to a small model are not tried on it. None, or no such method: not known.
    """

    family: Family

    def vocabulary(self, encoder: str) -> Tensor:
        """The (V, width) table of token embeddings of one text encoder; read only."""
        ...

    def token_ids(self, encoder: str, text: str) -> list[int]:
        """Ids of a text's tokens, without start, end and padding."""
        ...


class Host(Words, Protocol):
    """A text-to-image U-Net with its text encoder(s) and VAE, ready to be differentiated through.

    Latents are scaled as the U-Net takes them. A host noises and weights as its model was trained: x_t is
    x_0 + sigma * noise (variance exploding, whatever the model's own scale) or (1 - sigma) * x_0 + sigma * noise
    (flow matching). In both, (x_t - x_0) / sigma is dx/dsigma of the probability-flow ODE.
    """

    device: torch.device
    dtype: torch.dtype  # the U-Net's computing precision; contexts, losses and learned vectors are float32
    prediction: str  # what the model was trained to predict, to be told: "epsilon", "v_prediction", ...
    resolution: int  # the side in pixels that the model was made for (512, 768, 1024, ...)
    sigmas: Tensor  # (T,) float32 on the CPU, rising: the training noise levels
    max_tokens: int  # tokens the text encoder reads at once, start and end included (77)

    def encode(self, prompts: Sequence[Prompt], vectors: Vectors) -> Context:
        """Contexts of a batch of prompts; differentiable with respect to `vectors`.

        Raises SealError when a prompt does not fit into `max_tokens`.
        """
        ...

    def add_noise(self, x_0: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """x_t (B, 4, H, W) of x_0 and standard normal noise (B, 4, H, W) at the noise levels sigma (B,)."""
        ...

    def loss_weight(self, sigma: Tensor) -> Tensor:
        """Factors (B,) that make a squared error of x_0 one of what the model was trained to predict.

        Raises SealError for a model whose own training is not known, which therefore cannot be trained through.
        """
        ...

    def denoise(self, x_t: Tensor, sigma: Tensor, context: Context) -> Tensor:
        """Predicted x_0, (B, 4, H, W) float32, for x_t (B, 4, H, W) and sigma (B,); differentiable."""
        ...

    def sites(self) -> list[Site]:
        """All cross-attention modules in execution order."""
        ...

    def stages(self) -> list[Stage] | None:
        """The U-Net's layers in execution order, or None where replaying them would not be exact."""
        ...

    def text_layers(self) -> list[nn.Module]:
        """The transformer layers of the text encoder(s), which `encode` runs one after another."""
        ...

    def spare_memory(self) -> int | None:
        """Bytes that a training pass may take where the U-Net computes, or None where nobody can tell.

        To be asked when U-Net and text encoders are in place.
        """
        ...

    def encode_image(self, images: Tensor) -> Tensor:
        """Latents (B, 4, h, w) of images (B, H, W, 3) in [0, 1]; the mode of the posterior; no gradient."""
        ...

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Images (B, H, W, 3) in [0, 1], float32 on the CPU; no gradient."""
        ...

    def fingerprint(self) -> str:
        """A short hash that tells these weights (with LoRAs applied, CLIP skip included) from others."""
        ...
