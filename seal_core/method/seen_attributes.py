"""What else a sticker shows, as the model itself sees it: its background, action and emotion (ours).

Training prompts that name it keep it out of the concept, but few users say it. The model can: a denoiser restores a
noised picture best under the words that fit it (`initial_words`), and words for the context fit far more of the picture
than those for a bow. What is not clearly seen stays unsaid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ..concept.vocabulary import is_known
from ..prompts.attributes import attribute_schema
from ..prompts.training_prompt import training_prompt
from .class_word import ClassWordContexts
from .config import EXPLAINED, TrainConfig
from .examples import Example, Examples
from .losses import denoising_errors
from .step import Step
from .word_search import CONVINCED, NOISE_LEVELS, Errors, WordSearch, most_looks, rows_at_once

STEPS_PER_EXAMPLE = 25
"""The search passes each of its examples through the U-Net about 20 times, a step costs about three passes: so it takes
a quarter as long as the training."""
FEWEST, MOST = 12, 48
"""Examples that judge the words, unless the config says how many."""
LEAST_SIDE = 0.02
"""Share of the picture below which subject or ground is too small to judge by."""


@dataclass(frozen=True)
class SeenAttributes:
    """What was seen. attributes: name -> value, of those that were clear. parts: name -> the best value, its gain in
    the loss and that gain in standard errors. passes: rows that went through the U-Net."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    passes: int = 0


def unsaid(config: TrainConfig) -> tuple[str, ...]:
    """Names of the attributes that are to be looked for: those nobody named."""
    named = {name for name, value in config.attributes if value}
    return tuple(name for name in EXPLAINED if name not in named) if config.sees else ()


def most_candidates(config: TrainConfig) -> int:
    """How many candidates the search looks at, at most, and calls its notice for: a length for a progress bar."""
    return sum(most_looks([attribute_schema()[name].suggestions]) for name in unsaid(config))


def see_attributes(
    step: Step, examples: Examples, config: TrainConfig, notice: Callable[[str], None] | None = None
) -> SeenAttributes:
    """Name what is `unsaid`, one attribute after the other, each with what was found before it.

    notice: called with the words so far before each candidate; may raise to cancel.
    """
    host, schema, notice = step.host, attribute_schema(), notice or (lambda text: None)
    count = config.describe_draws or min(max(config.steps * config.batch_size // STEPS_PER_EXAMPLE, FEWEST), MOST)
    judges = examples.spread(count, *NOISE_LEVELS)
    found, parts, passes = dict[str, str](), dict[str, dict[str, Any]](), 0
    for name in unsaid(config):
        known = {v: v for v in schema[name].suggestions if is_known(host, schema[name].say(v))}
        errors = _errors_of(name, found, step, examples, judges)
        if not known or errors is None:
            continue
        search = WordSearch(errors, count, notice)
        now = ", ".join(schema[n].say(v) for n, v in found.items())
        value = search.best(now, [known])[0]
        gain, sigmas = search.gain("", value)
        accepted = sigmas > CONVINCED
        parts[name] = {"thing": value, "gain": gain, "sigmas": sigmas, "accepted": accepted}
        passes += search.passes
        if accepted:
            found[name] = value
    return SeenAttributes(found, parts, passes)


def _errors_of(
    name: str, found: Mapping[str, str], step: Step, examples: Examples, judges: list[Example]
) -> Errors | None:
    """Denoising errors where an attribute shows, by its value in the prompt ("" = unsaid); None if that is nowhere."""
    config = step.config
    said = {**dict(config.attributes), **found}
    plain = ClassWordContexts(step.host, config.tokens.class_word, {})  # hundreds of prompts that never come again
    if min(float(_side(name, examples.masks[judge.view]).mean()) for judge in judges) < LEAST_SIDE:
        return None

    def errors(value: str, first: int, last: int) -> Tensor:
        prompt = training_prompt(config.templates[0], context_token=False, attributes={**said, name: value})
        chosen = [replace(judge, prompt=prompt) for judge in judges[first:last]]
        told = torch.zeros(len(chosen))
        for places, batch in examples.batches(chosen, rows_at_once(config.batch_size)):
            x_0 = step.as_the_class_word(batch, plain)
            told[places] = denoising_errors(x_0, batch.latents, batch.weights, _side(name, batch.masks), 0.0).cpu()
        return told

    return errors


def _side(name: str, masks: Tensor) -> Tensor:
    """Of masks (..., h, w) in [0, 1]: where an attribute shows."""
    return 1 - masks if name == "background" else masks
