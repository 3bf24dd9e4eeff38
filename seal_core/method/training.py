"""The one training loop. Baselines and ablations are configurations of it (see `config.PRESETS`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from .. import __version__
from ..concept.concept import Concept
from ..concept.vocabulary import require_new_name, tokens_in_words, word_vectors
from ..hosts.base import Host
from ..messages import SealError
from ..prompts.attributes import clean_value
from .config import TrainConfig
from .initial_words import Description, describe
from .loss_scale import LossScale
from .references import Reference
from .step import Passes

PROBES = 10
"""How often, at most, the attention is looked at during a training."""
DESCRIBED_AT = (0.1, 0.7)
"""Noise levels at which words are judged, as shares of the token's time window, 0 = its cleanest. Chosen on
StickerWorld: colours tell at the noisy end, small things at the clean one."""
STEPS_A_DRAW = 15
"""The search passes each of its draws about 42 times; a step, with its gradient, costs about three passes."""


@dataclass(frozen=True)
class Progress:
    """What a callback sees after each step; raising in the callback ends the training, leaving nothing behind.

    loss: of this step. attention: (h, w) map of the token on the first reference when it was last
    looked at. concept: makes the concept as learned so far. Step 0, before the first: the words to start
    from are being looked for, note is the phrase so far, and there is no loss yet.
    """

    step: int
    steps: int
    loss: float
    losses: Sequence[float]
    attention: Tensor
    concept: Callable[[], Concept]
    note: str = ""


@dataclass(frozen=True)
class TrainResult:
    """A learned concept and how it came about. Maps are (h, w); report holds plain JSON values."""

    concept: Concept
    losses: list[float]
    attention_before: Tensor
    attention_after: Tensor
    reference: Reference
    merged_at: int | None
    report: dict[str, Any] = field(default_factory=dict)


class Training(Passes):
    """One run: everything that is fixed before the first step, and the loop."""

    def __init__(
        self, host: Host, references: Sequence[Reference], config: TrainConfig, resume: Concept | None = None
    ) -> None:
        if not references:
            raise SealError("image: no reference given; wire the sticker.")
        require_new_name(host, config.tokens)
        super().__init__(host, references, config, resume)
        self.references = references
        self.warnings: list[str] = []
        if config.attention_loss == "none" and config.attention_weight > 0:
            self.warnings.append(
                "attention_weight: without effect, since attention_loss is none; choose mse, leak or transport."
            )
        self.merge_step = self._merge_step(resume)
        self.describes = config.tokens.init == "described" and config.carrier == "input" and resume is None
        self._check_prompts()

    def _merge_step(self, resume: Concept | None) -> int | None:
        """After which step the split tokens merge; each gets at least one draw before."""
        config = self.config
        if config.carrier == "tail" or config.tokens.split == 1 or config.tokens.merge == "none" or resume:
            return None
        once_each = math.ceil(config.tokens.split / config.batch_size)
        if once_each > config.steps:
            self.warnings.append(
                f"steps: {config.steps} are too few to train each of the {config.tokens.split} split tokens once."
            )
        return min(max(round(config.tokens.merge_at * config.steps), once_each), config.steps)

    def _check_prompts(self) -> None:
        """Refuse a prompt that does not fit now, not at the step that happens to draw it.

        Encodes the longest one, with the class word and with as many vectors as will stand in it.
        """
        encoder = self.host.family.encoders[0]
        prompts = self.draws.prompts()
        longest = max(prompts, key=lambda p: len(self.host.token_ids(encoder, p.fill(dict.fromkeys(p.slots, "")).text)))
        self.plain([longest])
        self.carrier.check(longest)

    # -- the start ---------------------------------------------------------------------------------

    def describe(self, notice: Callable[[str], None] | None = None) -> Description:
        """Find the words under which the model sees the subject, and start the vectors there.

        What is known of the appearance is said from the beginning, where it fits.
        """
        tokens, words = self.config.tokens, self.host

        def fits(text: str) -> bool:
            return all(len(words.token_ids(e, text)) <= tokens.split for e in words.family.encoders)

        subject = " ".join(tokens.class_word.split())
        looks = clean_value("appearance", dict(self.config.attributes).get("appearance"))
        if looks and fits(f"{subject}, {looks}"):
            subject = f"{subject}, {looks}"
        effort = min(max(self.config.steps * self.config.batch_size // STEPS_A_DRAW, 4), 48)
        draws = self.draws.spread(self.config.describe_draws or effort, *DESCRIBED_AT)
        prefix = self.new_prefix()
        found = describe(
            subject,
            lambda text, first, last: self.errors(text, draws[first:last], prefix),
            len(draws),
            fits,
            notice,
        )
        self.carrier.load({e: word_vectors(words, e, found.text) for e in words.family.encoders})
        return found

    # -- the loop ----------------------------------------------------------------------------------

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.carrier.parameters(), lr=self.config.learning_rate, weight_decay=self.config.weight_decay
        )

    def rate(self, step: int) -> float:
        """The learning rate of a step, which are counted from 1."""
        done = (step - 1) / self.config.steps
        share = 0.5 * (1 + math.cos(math.pi * done)) if self.config.rate == "cosine" else 1.0
        return self.config.learning_rate * share

    def _described(self, attention: Tensor, callback: Callable[[Progress], None] | None) -> dict[str, Any]:
        def notice(text: str) -> None:
            if callback is not None:
                callback(Progress(0, self.config.steps, math.nan, (), attention, self.concept, text))

        found = self.describe(notice)
        return {"text": found.text, "parts": found.parts, "passes": found.passes}

    def run(self, callback: Callable[[Progress], None] | None = None) -> TrainResult:
        """Train to the end. Raises SealError when the loss is not finite any more."""
        config = self.config
        before, leak_before, loss_before = self.probe()
        attention = before
        losses: list[float] = []
        terms: dict[str, float] = {}
        described = self._described(before, callback) if self.describes else None
        optimizer, scaler = self.optimizer(), LossScale(self.host.dtype == torch.float16)
        look_every = max(10, config.steps // PROBES)
        overflows = 0
        for step in range(1, config.steps + 1):
            loss, terms = self.losses(self.draws.next(config.batch_size))
            value = float(loss.detach())
            fine = math.isfinite(value) and scaler.backward(loss, self.carrier.parameters())
            overflows = 0 if fine else overflows + 1
            if not math.isfinite(value) or (not fine and (overflows > 16 or self.host.dtype != torch.float16)):
                raise SealError(
                    f"training: the loss is not finite at step {step} of {config.steps} ({terms}). "
                    f"Lower learning_rate (now {config.learning_rate:g}) or attention_weight (now "
                    f"{config.attention_weight:g}), or load the model in float32 or bfloat16."
                )
            if fine:
                for group in optimizer.param_groups:
                    group["lr"] = self.rate(step)
                optimizer.step()
                self.carrier.constrain()
            optimizer.zero_grad(set_to_none=True)
            losses.append(value)
            if step == self.merge_step:
                self.carrier.merge()
                optimizer = self.optimizer()  # new leaf tensors: the old moments belong to the old ones
            if step % look_every == 0 and step < config.steps and callback is not None:
                attention = self.probe(shares=(0.5,))[0]
            if callback is not None:
                callback(Progress(step, config.steps, value, losses, attention, self.concept))
        after, leak_after, loss_after = self.probe()
        report = {
            "config": self.config.effective(),
            "model": str(self.host.family),
            "prediction": self.host.prediction,
            "device": str(self.host.device),
            "dtype": str(self.host.dtype).removeprefix("torch."),
            "class_word": tokens_in_words(self.host, config.tokens.class_word),
            "sites": [s.name for s in self.allowed],
            "attention_sites": [s.name for s in self.watched],
            "losses": [round(v, 6) for v in losses],
            "last_terms": terms,
            "merged_at": self.merge_step,
            "described": described,
            "leakage": {"before": round(leak_before, 4), "after": round(leak_after, 4)},
            "probe_loss": {"before": round(loss_before, 6), "after": round(loss_after, 6)},
            "pool": {"draws": config.pool, "bytes": self.prefix.bytes if self.prefix else 0, "limit": config.pool_bytes}
            if config.pool
            else None,
            "warnings": self.warnings,
        }
        concept = self.concept()
        kept = {"config": report["config"], "leakage": report["leakage"], "steps": config.steps}
        concept = replace(concept, provenance={**concept.provenance, **kept})
        return TrainResult(concept, losses, before, after, self.references[0], self.merge_step, report)

    def concept(self) -> Concept:
        """The concept as learned so far."""
        config = self.config
        return Concept(
            name=config.tokens.concept,
            class_word=config.tokens.class_word,
            vectors=self.carrier.result(),
            family=self.host.family,
            carrier=config.carrier,
            tokens=config.tokens,
            layers=config.layers,
            provenance={"seal": __version__},
        )


def train(
    host: Host,
    references: Sequence[Reference],
    config: TrainConfig,
    callback: Callable[[Progress], None] | None = None,
    resume: Concept | None = None,
) -> TrainResult:
    """Learn one concept from its reference(s) with a host's model; the model is left as it was.

    Deterministic for a seed on one machine. The callback is called after every step and may raise to
    cancel. Raises SealError for bad input and for a loss that is not finite.
    """
    return Training(host, references, config, resume).run(callback)
