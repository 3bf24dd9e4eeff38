"""What is learned: the concept's vectors, split and merged, and the context token beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ..concept.settings import Tokens
from ..concept.vocabulary import class_word_vector, mean_vector_norm
from ..hosts.base import Host, Prompt, Vectors

NOISE = 0.1
"""Size of the initial noise, as a share of the vocabulary's mean norm (ours)."""


class TokenBank:
    """The learned input vectors of one concept: K of them while split, then what they merged to.

    While split, slot "concept0" ... "concept{K-1}" hold one vector each and a prompt takes one of
    them; afterwards a single slot "concept0" holds the merged row. The context token is slot "background".
    """

    def __init__(self, host: Host, tokens: Tokens, generator: torch.Generator) -> None:
        self.tokens = tokens
        self.split = tokens.split > 1 and tokens.merge != "none"
        self.most = tokens.split if tokens.init == "described" else 1
        """As many vectors there may be in a row, at least."""
        count = 1 if tokens.init == "described" else tokens.split  # the class word alone, until it is described
        self.concept = {e: self._start(host, e, tokens.class_word, count, generator) for e in host.family.encoders}
        self.background: dict[str, Tensor] = {}
        if tokens.context_token:
            self.background = {e: self._start(host, e, "background", 1, generator) for e in host.family.encoders}
        self._norms = {e: mean_vector_norm(host, e) for e in host.family.encoders} if tokens.norm == "fixed" else {}
        self.constrain()

    def _start(self, host: Host, encoder: str, word: str, count: int, generator: torch.Generator) -> Tensor:
        table = host.vocabulary(encoder)
        if self.tokens.init == "vocabulary":
            sample = table.float()
            mean, spread = sample.mean(dim=0).cpu(), sample.std(dim=0).cpu()
            start = mean + spread * torch.randn(count, table.shape[1], generator=generator)
        else:
            start = class_word_vector(host, encoder, word).repeat(count, 1)
        if self.tokens.init == "class_word_noise":
            noise = torch.randn(start.shape, generator=generator) / start.shape[1] ** 0.5
            start = start + NOISE * mean_vector_norm(host, encoder) * noise
        return start.to(host.device).requires_grad_()

    def load(self, vectors: Mapping[str, Tensor]) -> None:
        """Go on from given vectors (encoder -> (n, width)), trained ones or words'; the split phase is over then."""
        self.split = False
        self.concept = {e: v.detach().clone().to(self.concept[e].device).requires_grad_() for e, v in vectors.items()}
        self.constrain()

    def parameters(self) -> list[Tensor]:
        return [*self.concept.values(), *self.background.values()]

    @property
    def count(self) -> int:
        """How many alternatives a prompt can choose from: K while split, else 1."""
        return next(iter(self.concept.values())).shape[0] if self.split else 1

    def vectors(self) -> Vectors:
        """Slot -> encoder -> (n, width), carrying gradients."""
        if self.split:
            slots = {f"concept{i}": {e: v[i : i + 1] for e, v in self.concept.items()} for i in range(self.count)}
        else:
            slots = {"concept0": dict(self.concept)}
        return {**slots, "background": dict(self.background)} if self.background else slots

    def choose(self, prompt: Prompt, index: int) -> Prompt:
        """The prompt with alternative `index` standing for the concept."""
        return prompt.fill({"concept": f"{{concept{index}}}"})

    def merge(self) -> None:
        """End the split phase: the mean of the K vectors, or all of them in a row. New leaf tensors."""
        if not self.split:
            return
        self.split = False
        if self.tokens.merge == "mean":
            self.concept = {e: v.detach().mean(dim=0, keepdim=True).requires_grad_() for e, v in self.concept.items()}
        self.constrain()

    @torch.no_grad()
    def constrain(self) -> None:
        """norm "fixed": put every vector back on the sphere of the vocabulary's mean norm."""
        for encoder, norm in self._norms.items():
            for store in (self.concept, self.background):
                if encoder in store:
                    vector = store[encoder]
                    vector.copy_(norm * torch.nn.functional.normalize(vector, dim=1))

    def pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(split vectors, context vectors) of each encoder, for the contrastive loss."""
        for encoder, vectors in self.concept.items():
            yield vectors, self.background.get(encoder, vectors[:0])

    def result(self) -> dict[str, Tensor]:
        """What is kept: encoder -> (n, width) float32 on the CPU. Still split: as if merged now."""
        final = {e: v.detach().float().cpu().clone() for e, v in self.concept.items()}
        return (
            {e: v.mean(dim=0, keepdim=True) for e, v in final.items()}
            if self.split and self.tokens.merge == "mean"
            else final
        )
