"""A learned concept, and a bundle of several: what SEAL_EMBEDDING carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..hosts.base import Family
from ..messages import SealError
from .settings import NO_CARRIER, Layers, Tokens


@dataclass(frozen=True, eq=False)
class LowRank:
    """What is added to one linear layer: x -> up (down x), for down (rank, in) and up (out, rank)."""

    down: Tensor
    up: Tensor


@dataclass(frozen=True, eq=False)
class Concept:
    """One learned concept.

    vectors: carrier "input": text encoder -> (n, width); carrier "tail": {"tail": (n, D)}, the last n
    positions of the encoder's output; carrier "none": none, a look that has weights alone. float32 on the CPU. In
    foreign files SDXL's two encoders may have different n.
    layers: the restriction it was trained under, as `sites.spelled` says it.
    clip_skip: ComfyUI's `clip.layer_idx` at training (-2 = skip one), or None for the model's default.
    file: stem of the file it is kept in, or "".
    provenance: plain JSON values: config, hash, leakage, versions.
    weights: name of a linear layer in diffusers -> what is added to it. float32 on the CPU.
    """

    name: str
    class_word: str
    vectors: Mapping[str, Tensor]
    family: Family
    carrier: str = "input"
    tokens: Tokens = field(default_factory=Tokens)
    layers: Layers = field(default_factory=Layers)
    clip_skip: int | None = None
    file: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, LowRank] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.carrier == NO_CARRIER:
            return f"{self.name}: a look, weights for {len(self.weights)} layers of {self.family}"
        counts = [vectors.shape[0] for vectors in self.vectors.values()]
        number = " and ".join(map(str, counts if len(set(counts)) > 1 else counts[:1]))
        kind = f"{number} {'tail position' if self.carrier == 'tail' else 'token'}{'s' * (max(counts) > 1)}"
        weights = f" and weights for {len(self.weights)} layers" if self.weights else ""
        return f"{self.name} ({self.class_word}): {kind}{weights} for {self.family}; layers {self.layers}"


@dataclass(frozen=True, eq=False)
class Embedding:
    """One or several learned concepts of one base-model family (SEAL_EMBEDDING)."""

    concepts: tuple[Concept, ...]

    def __post_init__(self) -> None:
        if not self.concepts:
            raise SealError("embedding: holds no concept; train or load one first.")
        for look in (c for c in self.concepts if c.carrier == NO_CARRIER):
            raise SealError(
                f"embedding: {look.name} is a look without a word; move its file to models/loras and bring it by Load "
                "LoRA."
            )
        for other in self.concepts[1:]:
            if not other.family.fits(self.family):
                raise SealError(
                    f"embedding: {other.name} belongs to {other.family}, {self.concepts[0].name} to {self.family}. "
                    "Stack only concepts of one base model."
                )
        names = [c.name for c in self.concepts]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise SealError(f"embedding: {', '.join(twice)} is there twice; load each concept once.")

    @property
    def family(self) -> Family:
        return self.concepts[0].family

    def __str__(self) -> str:
        return "\n".join(str(c) for c in self.concepts)
