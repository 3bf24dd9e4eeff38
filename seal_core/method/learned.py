"""What is learned: tokens at the text encoder's input (Textual Inversion), or the tail of its output (HiPer).

Either gives contexts with the concept in them, and the tensors that the optimiser moves. To the tokens SEAL adds that
they are split and merged (after ConceptExpress) and that a context token stands beside them (ours).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..concept.concept import Concept
from ..concept.settings import NO_CARRIER, Tokens
from ..concept.vocabulary import class_word_vector, mean_vector_norm
from ..hosts.base import Context, Host, Prompt, Vectors
from ..messages import SealError
from ..prompts.training_prompt import training_prompt, with_class_word
from .attention import slot_positions
from .config import TrainConfig
from .losses import contrast_loss

Encode = Callable[[Sequence[Prompt], Vectors], Context]
"""As `Host.encode`."""

NOISE = 0.1
"""Size of the noise that the vectors start with, as a share of the vocabulary's mean norm (ours)."""


class LearnedTokens:
    """K vectors in the token-embedding space of every text encoder, and the context token (2208.01618).

    While they are split, slot "concept0" ... "concept{K-1}" hold one vector each and a prompt takes one of them. After
    the merge, slot "concept0" holds the whole row. The context token stands in slot "background".
    """

    def __init__(self, host: Host, tokens: Tokens, generator: torch.Generator) -> None:
        self._host, self._tokens, self._generator = host, tokens, generator
        self._turns: list[int] = []
        self.split = tokens.split > 1 and tokens.merge != "none"
        count = 1 if tokens.init == "described" else tokens.split  # the class word alone, until its words are found
        encoders = host.family.encoders
        self.concept = {e: self._start(e, tokens.class_word, count) for e in encoders}
        self.background: dict[str, Tensor] = {}
        if tokens.context_token:
            self.background = {e: self._start(e, "background", 1) for e in encoders}
        self._norms = {e: mean_vector_norm(host, e) for e in encoders} if tokens.norm == "fixed" else {}
        self.constrain()

    def _start(self, encoder: str, word: str, count: int) -> Tensor:
        """(count, width) vectors to start from, as `Tokens.init` says."""
        table = self._host.vocabulary(encoder)
        if self._tokens.init == "vocabulary":
            mean, spread = (v.cpu() for v in (table.float().mean(dim=0), table.float().std(dim=0)))
            start = mean + spread * torch.randn(count, table.shape[1], generator=self._generator)
        else:
            start = class_word_vector(self._host, encoder, word).repeat(count, 1)
        if self._tokens.init == "class_word_noise":
            noise = torch.randn(start.shape, generator=self._generator) / start.shape[1] ** 0.5
            start = start + NOISE * mean_vector_norm(self._host, encoder) * noise
        return start.to(self._host.device).requires_grad_()

    def start_from(self, vectors: Mapping[str, Tensor]) -> None:
        """Go on from vectors (encoder -> (n, width)), learned ones or those of words. This ends the split phase."""
        self.split = False
        self.concept = {e: v.detach().clone().to(self.concept[e].device).requires_grad_() for e, v in vectors.items()}
        self.constrain()

    def parameters(self) -> list[Tensor]:
        """What the optimiser moves."""
        return [*self.concept.values(), *self.background.values()]

    # -- contexts ----------------------------------------------------------------------------------

    @property
    def alternatives(self) -> int:
        """How many vectors a prompt can choose from: K while split, else 1."""
        return next(iter(self.concept.values())).shape[0] if self.split else 1

    def slots(self) -> Vectors:
        """Slot -> encoder -> (n, width), carrying gradients."""
        if self.split:
            slots = {
                f"concept{i}": {e: v[i : i + 1] for e, v in self.concept.items()} for i in range(self.alternatives)
            }
        else:
            slots = {"concept0": dict(self.concept)}
        return {**slots, "background": dict(self.background)} if self.background else slots

    def encode(
        self, prompts: Sequence[Prompt], plain: Context, look: bool = False, by: Encode | None = None
    ) -> Context:
        """Contexts of prompts with slots; while split, each prompt takes the next alternative.

        plain: the same prompts with the class word; their pooled vectors stay. look: take the first alternative and
        leave the order of turns alone, so that looking changes nothing. by: encodes in the host's place.
        """
        return self._encoded([_with_vector(p, 0 if look else self._next_turn()) for p in prompts], plain, by)

    def encode_words(self, prompts: Sequence[Prompt], words: str, plain: Context, by: Encode | None = None) -> Context:
        """Contexts with plain words in the concept's place, and the context token in its own."""
        return self._encoded([p.fill({"concept": words}) for p in prompts], plain, by)

    def _encoded(self, prompts: Sequence[Prompt], plain: Context, by: Encode | None) -> Context:
        distinct = list(dict.fromkeys(prompts))
        encoded = (by or self._host.encode)(distinct, self.slots())
        return replace(encoded.rows([distinct.index(p) for p in prompts]), pooled=plain.pooled)

    def _next_turn(self) -> int:
        """Alternatives by permutation, so that each gets its turn."""
        if not self._turns:
            self._turns = torch.randperm(self.alternatives, generator=self._generator).tolist()
        return self._turns.pop()

    @torch.no_grad()
    def check_fits(self, prompt: Prompt) -> None:
        """Raise SealError where the prompt is too long for as many vectors as it will hold after the merge."""
        most = self._tokens.split if self._tokens.init == "described" else 1
        row = {e: v[:1].expand(max(len(v), most), -1) for e, v in self.result().items()}
        self._host.encode([_with_vector(prompt, 0)], {**self.slots(), "concept0": row})

    def concept_positions(self, context: Context) -> list[tuple[int, ...]]:
        """Token positions of the concept in each row."""
        return slot_positions(context.positions, "concept")

    def background_positions(self, context: Context) -> list[tuple[int, ...]]:
        """Token positions of the context token in each row; none where the prompt names no background."""
        return slot_positions(context.positions, "background")

    # -- the split phase ---------------------------------------------------------------------------

    def contrast(self) -> Tensor:
        """Contrastive term of the split phase; 0 outside it or without a context token."""
        pairs = [contrast_loss(tokens, others) for tokens, others in self._pairs()]
        return torch.stack(pairs).mean() if self.split and pairs else torch.zeros((), device=self._host.device)

    def _pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(split vectors, context vector) of each encoder that has both."""
        for encoder, context in self.background.items():
            yield self.concept[encoder], context

    def merge(self) -> None:
        """End the split phase: one mean vector, or all in a row. New leaf tensors, so the optimiser starts anew."""
        if not self.split:
            return
        self.split, self._turns = False, []
        if self._tokens.merge == "mean":
            self.concept = {e: v.detach().mean(dim=0, keepdim=True).requires_grad_() for e, v in self.concept.items()}
        self.constrain()

    @torch.no_grad()
    def constrain(self) -> None:
        """norm "fixed": put every vector back on the sphere of the vocabulary's mean norm."""
        for encoder, norm in self._norms.items():
            for store in (self.concept, self.background):
                if encoder in store:
                    store[encoder].copy_(norm * torch.nn.functional.normalize(store[encoder], dim=1))

    def result(self) -> dict[str, Tensor]:
        """What is kept: encoder -> (n, width) float32 on the CPU. Still split: as if merged now."""
        final = {e: v.detach().float().cpu().clone() for e, v in self.concept.items()}
        if self.split and self._tokens.merge == "mean":
            return {e: v.mean(dim=0, keepdim=True) for e, v in final.items()}
        return final


class NothingLearned:
    """No vectors: the contexts are those of plain prompts, and low-rank weights are all that is learned."""

    split = False

    def __init__(self, host: Host) -> None:
        self._host = host

    def start_from(self, vectors: Mapping[str, Tensor]) -> None:
        """Nothing to start from."""

    def parameters(self) -> list[Tensor]:
        """None."""
        return []

    def encode(
        self, prompts: Sequence[Prompt], plain: Context, look: bool = False, by: Encode | None = None
    ) -> Context:
        """The plain contexts."""
        return plain

    def check_fits(self, prompt: Prompt) -> None:
        """The prompt takes no more tokens than it has."""

    def concept_positions(self, context: Context) -> list[tuple[int, ...]]:
        """None."""
        return [()] * context.cross.shape[0]

    background_positions = concept_positions

    def contrast(self) -> Tensor:
        """0."""
        return torch.zeros((), device=self._host.device)

    def merge(self) -> None:
        """Nothing to merge."""

    def constrain(self) -> None:
        """Nothing to constrain."""

    def result(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}


class LearnedTail(NothingLearned):
    """The last n positions of the text encoder's output (HiPer, 2303.08767).

    They start from the tail of the class-word prompt; the rest of the context stays as it is. Nothing is split, and the
    norm is free.
    """

    def __init__(self, host: Host, config: TrainConfig) -> None:
        super().__init__(host)
        self._count = config.tail
        named = training_prompt(config.templates[0], context_token=False, attributes=dict(config.attributes))
        source = with_class_word(named, config.tokens.class_word)
        self.tail = host.encode([source], {}).cross[0, -config.tail :].detach().clone().float().requires_grad_()

    def start_from(self, vectors: Mapping[str, Tensor]) -> None:
        """Go on from a learned tail (n, width)."""
        self.tail = vectors["tail"].detach().clone().to(self._host.device).requires_grad_()
        self._count = self.tail.shape[0]

    def parameters(self) -> list[Tensor]:
        """What the optimiser moves."""
        return [self.tail]

    def encode(
        self, prompts: Sequence[Prompt], plain: Context, look: bool = False, by: Encode | None = None
    ) -> Context:
        """The plain contexts, with the learned tail in place of their own."""
        head = plain.cross[:, : -self._count]
        return replace(plain, cross=torch.cat([head, self.tail.expand(head.shape[0], -1, -1)], dim=1))

    def concept_positions(self, context: Context) -> list[tuple[int, ...]]:
        """The tail's positions, for each row."""
        length = context.cross.shape[1]
        return [tuple(range(length - self._count, length))] * context.cross.shape[0]

    def background_positions(self, context: Context) -> list[tuple[int, ...]]:
        """None: a tail comes without a context token."""
        return [()] * context.cross.shape[0]

    def result(self) -> dict[str, Tensor]:
        """What is kept: "tail" -> (n, width) float32 on the CPU."""
        return {"tail": self.tail.detach().float().cpu().clone()}


Learned = LearnedTokens | NothingLearned


def make_learned(host: Host, config: TrainConfig, generator: torch.Generator, resume: Concept | None) -> Learned:
    """What the config asks for, started anew or from a trained concept.

    Raises SealError where `resume` is of another kind or base-model family.
    """
    if config.carrier == NO_CARRIER:
        learned: Learned = NothingLearned(host)
    elif config.carrier == "input":
        learned = LearnedTokens(host, config.tokens, generator)
    else:
        learned = LearnedTail(host, config)
    if resume is not None:
        _check_resume(resume, host, config)
        learned.start_from(resume.vectors)
    return learned


def _check_resume(resume: Concept, host: Host, config: TrainConfig) -> None:
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


def _with_vector(prompt: Prompt, index: int) -> Prompt:
    """The prompt with alternative `index` standing for the concept."""
    return prompt.fill({"concept": f"{{concept{index}}}"})
