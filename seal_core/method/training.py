"""The one training loop. Baselines and ablations are configurations of it, see `presets`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .. import __version__
from ..concept.concept import Concept
from ..concept.vocabulary import require_new_name, tokens_in_words
from ..hosts.base import Host
from ..messages import SealError
from .config import TrainConfig
from .examples import Examples
from .initial_words import start_from_words
from .learned import make_learned
from .learning_rate import rate_share
from .optimiser import Descent, Moved, descend
from .passes import Passes
from .probe import Probe, gains
from .references import Reference
from .results import PROBES, Progress, TrainResult, found_in_words
from .seen_attributes import see_attributes, unsaid
from .sites import parse_sites, spelled
from .step import Step

FEWEST_STEPS_BETWEEN = 10
"""Steps between two looks, at least."""


def train(
    host: Host,
    references: Sequence[Reference],
    config: TrainConfig,
    callback: Callable[[Progress], None] | None = None,
    resume: Concept | None = None,
    passes: Passes | None = None,
) -> TrainResult:
    """Learn one concept from its reference(s) with a host's model; the model is left as it was.

    Deterministic for a seed on one machine. The callback is called after every step; it may raise StopTraining to end
    here and keep what is learned, anything else to cancel. passes: who runs the model, None = this training alone.
    Raises SealError for bad input and for a loss that is not finite.
    """
    return Training(host, references, config, resume, passes).run(callback)


class Training:
    """One run: everything that is fixed before the first step, and the loop.

    examples: what the steps look at. learned: what they move. step: from the one to the other. config: with the layers
    as they are saved. merge_step: after which step the split tokens merge, or None.
    """

    def __init__(
        self,
        host: Host,
        references: Sequence[Reference],
        config: TrainConfig,
        resume: Concept | None = None,
        passes: Passes | None = None,
    ) -> None:
        if not references:
            raise SealError("image: no reference given; wire the sticker.")
        if not config.weights.rank and any(r.caption is not None for r in references):
            raise SealError("rank: 0, but of pictures with captions only weights are learned; use 1 to 256, e.g. 8.")
        require_new_name(host, config.tokens)
        sites = host.sites()
        saved = spelled(parse_sites(config.layers.sites, sites), sites)
        self.host, self.references = host, references
        self.config = replace(config, layers=replace(config.layers, sites=saved))
        self.examples = Examples(host, references, self.config)
        generator = torch.Generator().manual_seed(config.seed + 1)
        self.learned = make_learned(host, self.config, generator, resume)
        self.step = Step(host, self.learned, self.config, generator, passes)
        self.probe = Probe(host, references, self.config, self.step)
        if resume is not None:
            self.step.weights.start_from(resume.weights)
        self.warnings: list[str] = []
        if config.attention_loss == "none" and config.attention_weight > 0:
            self.warnings.append(
                "attention_weight: without effect, since attention_loss is none; choose mse, leak or transport."
            )
        self.merge_step = None if resume else self._merge_step()
        self.starts_from_words = config.tokens.init == "described" and config.carrier == "input" and resume is None
        self.looks_for = bool(unsaid(config)) and all(r.caption is None for r in references)
        self._check_prompts()

    def _merge_step(self) -> int | None:
        """Each of the split tokens gets at least one example before they merge."""
        config = self.config
        if not self.learned.split:
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
        prompts = self.examples.prompts()
        longest = max(prompts, key=lambda p: len(self.host.token_ids(encoder, p.fill(dict.fromkeys(p.slots, "")).text)))
        self.step.plain([longest])
        self.learned.check_fits(longest)

    def _name(self, attributes: Mapping[str, str]) -> dict[str, str]:
        """Let the prompts name these attributes too; those that fit, which are returned."""
        given, found = dict(self.config.attributes), dict(attributes)
        before = self.examples
        while found:
            told = replace(self.config, attributes=tuple(sorted((given | found).items())))
            self.examples = Examples(self.host, self.references, told)
            try:
                self._check_prompts()
                self.probe = Probe(self.host, self.references, told, self.step)
                return found
            except SealError:
                found.popitem()  # a long prompt of the user's
        self.examples = before
        return {}

    # -- the loop ----------------------------------------------------------------------------------

    def run(self, callback: Callable[[Progress], None] | None = None) -> TrainResult:
        """Train to the end. Raises SealError when the loss is not finite any more."""
        config, losses = self.config, list[float]()
        terms: dict[str, float] = {}
        before = self.probe.look()
        attention = before.attention

        def show(step: int, loss: float, note: str) -> None:
            if callback is not None:
                callback(Progress(step, config.steps, loss, losses, attention, self.concept, note))

        def notice(text: str) -> None:
            show(0, math.nan, text)

        found: dict[str, Any] = {"seen": None, "described": None}
        if self.looks_for:
            seen = see_attributes(self.step, self.examples, config, notice)
            named = self._name(seen.attributes)
            found["seen"] = {"attributes": named, "parts": seen.parts, "passes": seen.passes}
            before = self.probe.look() if named else before
        if self.starts_from_words:
            words = start_from_words(self.step, self.examples, config, notice)
            found["described"] = {"text": words.text, "parts": words.parts, "passes": words.passes}
        started_as = found_in_words(found)

        def loss_at(step: int) -> tuple[Tensor, dict[str, float]]:
            loss, found = self.step.loss(self.examples.next(config.batch_size))
            terms.update(found)
            return loss, found

        def after_step(step: int, loss: float) -> None:
            nonlocal attention
            losses.append(loss)
            if step == self.merge_step:
                self.learned.merge()
                descent.start_anew()
            if step % look_every == 0 and step < config.steps and callback is not None:
                attention = self.probe.attention()
            show(step, loss, started_as)

        descent = self.descent()
        look_every = max(FEWEST_STEPS_BETWEEN, config.steps // PROBES)
        remedy = (
            f"Lower learning_rate (now {config.learning_rate:g}) or attention_weight (now {config.attention_weight:g}),"
            " or load the model in float32 or bfloat16."
        )
        stopped = descend(config.steps, descent, partial(rate_share, config), loss_at, after_step, remedy)
        if stopped:
            self._merge_early(stopped)
        after = self.probe.look()
        report = self._report(losses, terms)
        report |= found
        report["leakage"] = {"before": round(before.leakage, 4), "after": round(after.leakage, 4)}
        report["restored"] = gains(before, after)
        concept = self.concept()
        if stopped:
            report["stopped"] = stopped
        kept = {"config": report["config"], "leakage": report["leakage"], "steps": stopped or config.steps}
        concept = replace(concept, provenance={**concept.provenance, **kept})
        return TrainResult(
            concept, losses, before.attention, after.attention, self.references[0], self.merge_step, report, stopped
        )

    def descent(self) -> Descent:
        """A new optimiser of what is learned."""
        half = self.host.dtype == torch.float16
        backward, constrain = self.step.passes.backward, self.learned.constrain
        return Descent(self._moved, self.config.weight_decay, half, backward, constrain)

    def _moved(self) -> list[Moved]:
        vectors, weights = self.learned.parameters(), self.step.weights.parameters()
        groups = [Moved(vectors, self.config.learning_rate)]
        return groups + ([Moved(weights, self.config.weights_rate)] if weights else [])

    def _merge_early(self, step: int) -> None:
        """Where a training ends while its tokens are still split, they merge now: as that is what is kept."""
        if self.learned.split:
            self.learned.merge()
            self.merge_step = step

    # -- what comes of it --------------------------------------------------------------------------

    def concept(self) -> Concept:
        """The concept as learned so far."""
        config = self.config
        return Concept(
            name=config.tokens.concept,
            class_word=config.tokens.class_word,
            vectors=self.learned.result(),
            family=self.host.family,
            carrier=config.carrier,
            tokens=config.tokens,
            layers=config.layers,
            weights=self.step.weights.result(),
            provenance={"seal": __version__},
        )

    def _report(self, losses: Sequence[float], terms: dict[str, float]) -> dict[str, Any]:
        config, prefix = self.config, self.step.prefix
        kept = {"draws": config.pool, "bytes": prefix.bytes if prefix else 0, "limit": config.pool_bytes}
        return {
            "config": config.effective(),
            "model": str(self.host.family),
            "prediction": self.host.prediction,
            "device": str(self.host.device),
            "dtype": str(self.host.dtype).removeprefix("torch."),
            "class_word": tokens_in_words(self.host, config.tokens.class_word),
            "sites": [s.name for s in self.step.allowed],
            "attention_sites": [s.name for s in self.step.watched],
            "losses": [round(v, 6) for v in losses],
            "last_terms": terms,
            "merged_at": self.merge_step,
            "pool": kept if config.pool else None,
            "warnings": self.warnings,
        }
