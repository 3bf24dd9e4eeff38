"""The two carriers: learned input tokens (Textual Inversion) and a learned output tail (HiPer)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..concept.concept import Concept
from ..hosts.base import Context, Host, Prompt
from ..messages import SealError
from ..prompts.training_prompt import plain_words, training_prompt
from .attention import slot_positions
from .config import TrainConfig
from .losses import contrast_loss
from .tokens import TokenBank


class InputCarrier:
    """K vectors in the token-embedding space of every text encoder, and the context token (2208.01618)."""

    def __init__(self, host: Host, config: TrainConfig, generator: torch.Generator) -> None:
        self._host = host
        self.bank = TokenBank(host, config.tokens, generator)
        self._order: list[int] = []
        self._generator = generator

    def parameters(self) -> list[Tensor]:
        return self.bank.parameters()

    def _next_index(self) -> int:
        """Alternatives by permutation, so that each gets its turn."""
        if not self._order:
            self._order = torch.randperm(self.bank.count, generator=self._generator).tolist()
        return self._order.pop()

    def encode(self, prompts: Sequence[Prompt], plain: Context, look: bool = False) -> Context:
        """Contexts of prompts with slots; in the split phase each takes the next alternative.

        look: take the first alternative and leave the order alone, so that looking changes nothing.
        """
        chosen = [self.bank.choose(p, 0 if look else self._next_index()) for p in prompts]
        distinct = list(dict.fromkeys(chosen))
        encoded = self._host.encode(distinct, self.bank.vectors())
        return replace(encoded.rows([distinct.index(p) for p in chosen]), pooled=plain.pooled)

    @torch.no_grad()
    def check(self, prompt: Prompt) -> None:
        """Raise SealError where the prompt with as many vectors as it will hold after the merge is too long."""
        longest = {e: v[:1].expand(max(len(v), self.bank.most), -1) for e, v in self.bank.result().items()}
        self._host.encode([self.bank.choose(prompt, 0)], {**self.bank.vectors(), "concept0": longest})

    def encode_words(self, prompts: Sequence[Prompt], words: str, plain: Context) -> Context:
        """Contexts with plain words in the concept's place, and the context token where it stands."""
        said = [p.fill({"concept": words}) for p in prompts]
        distinct = list(dict.fromkeys(said))
        encoded = self._host.encode(distinct, self.bank.vectors())
        return replace(encoded.rows([distinct.index(p) for p in said]), pooled=plain.pooled)

    def concept_positions(self, context: Context) -> list[tuple[int, ...]]:
        return slot_positions(context.positions, "concept")

    def background_positions(self, context: Context) -> list[tuple[int, ...]]:
        return slot_positions(context.positions, "background")

    def contrast(self) -> Tensor:
        """Contrastive term of the split phase; 0 outside it or without a context token."""
        pairs = [contrast_loss(tokens, others) for tokens, others in self.bank.pairs() if len(others)]
        return torch.stack(pairs).mean() if self.bank.split and pairs else torch.zeros((), device=self._host.device)

    def merge(self) -> None:
        self.bank.merge()
        self._order = []

    def constrain(self) -> None:
        self.bank.constrain()

    def load(self, vectors: Mapping[str, Tensor]) -> None:
        self.bank.load(vectors)

    def result(self) -> dict[str, Tensor]:
        return self.bank.result()


class TailCarrier:
    """The last n positions of the text encoder's output (HiPer, 2303.08767).

    They start from the class-word prompt's own tail; the rest of the context stays as it is.
    """

    def __init__(self, host: Host, config: TrainConfig, generator: torch.Generator) -> None:
        self._host = host
        self._count = config.tail
        named = training_prompt(config.templates[0], context_token=False, attributes=dict(config.attributes))
        source = plain_prompt(named, config.tokens.class_word)
        tail = host.encode([source], {}).cross[0, -config.tail :]
        self.tail = tail.detach().clone().float().requires_grad_()

    def parameters(self) -> list[Tensor]:
        return [self.tail]

    def encode(self, prompts: Sequence[Prompt], plain: Context, look: bool = False) -> Context:
        head = plain.cross[:, : -self._count]
        return replace(plain, cross=torch.cat([head, self.tail.expand(head.shape[0], -1, -1)], dim=1))

    def check(self, prompt: Prompt) -> None:
        """A tail takes no tokens of the prompt."""

    def concept_positions(self, context: Context) -> list[tuple[int, ...]]:
        length = context.cross.shape[1]
        return [tuple(range(length - self._count, length))] * context.cross.shape[0]

    def background_positions(self, context: Context) -> list[tuple[int, ...]]:
        return [()] * context.cross.shape[0]

    def contrast(self) -> Tensor:
        return torch.zeros((), device=self._host.device)

    def merge(self) -> None:
        """A tail is never split."""

    def constrain(self) -> None:
        """A tail's norm is free."""

    def load(self, vectors: Mapping[str, Tensor]) -> None:
        self.tail = vectors["tail"].detach().clone().to(self._host.device).requires_grad_()
        self._count = self.tail.shape[0]

    def result(self) -> dict[str, Tensor]:
        return {"tail": self.tail.detach().float().cpu().clone()}


Carrier = InputCarrier | TailCarrier


def make_carrier(host: Host, config: TrainConfig, generator: torch.Generator, resume: Concept | None) -> Carrier:
    """The carrier that the config asks for, started anew or from a trained concept.

    Raises SealError where `resume` is of another kind or base-model family.
    """
    kind = InputCarrier if config.carrier == "input" else TailCarrier
    carrier = kind(host, config, generator)
    if resume is not None:
        if not resume.family.fits(host.family):
            raise SealError(f"resume: {resume.name} was trained for {resume.family}, the model is {host.family}.")
        if resume.carrier != config.carrier:
            raise SealError(
                f"resume: {resume.name} is kept in {resume.carrier} vectors, this preset trains {config.carrier} "
                "vectors; use the preset it was trained with."
            )
        counts = {encoder: len(vectors) for encoder, vectors in resume.vectors.items()}
        if len(set(counts.values())) > 1:
            has = " and ".join(f"{count} vectors for {encoder}" for encoder, count in counts.items())
            raise SealError(f"resume: {resume.name} has {has}; training goes on only from equally many.")
        carrier.load(resume.vectors)
    return carrier


def plain_prompt(prompt: Prompt, class_word: str) -> Prompt:
    """The same prompt without learned tokens: the class word in the concept's place."""
    return prompt.fill(plain_words(class_word))
