"""What a training gives: `Progress` after each step, `TrainResult` at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..concept.concept import Concept
from ..prompts.attributes import attribute_schema
from .references import Reference

PROBES = 10
"""How often, at most, the attention is looked at during a training."""


class StopTraining(Exception):
    """A callback raises it after a step: the training ends there, and what it has learned is kept."""


@dataclass(frozen=True)
class Progress:
    """What a callback sees after each step. Raising there ends the training, and leaves nothing but for StopTraining.

    loss: of this step. attention: (h, w) map of the token on the first reference when it was last looked at. concept:
    makes the concept as learned so far. Step 0 comes before the first, while words for the sticker are looked for:
    there is no loss yet. note: the words so far, later all that were found; empty without such words.
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
    """A learned concept and how it came about. Maps are (h, w); report holds plain JSON values.

    stopped: the step after which a callback stopped it, or None; the report then says so, too.
    """

    concept: Concept
    losses: list[float]
    attention_before: Tensor
    attention_after: Tensor
    reference: Reference
    merged_at: int | None
    report: dict[str, Any] = field(default_factory=dict)
    stopped: int | None = None


def found_in_words(report: Mapping[str, Any]) -> str:
    """What a training found of its sticker, from its report: "grey cat, wearing a crown; waving, beach background"."""
    schema = attribute_schema()
    described, seen = report.get("described") or {"text": ""}, report.get("seen") or {"attributes": {}}
    shown = ", ".join(schema[name].say(value) for name, value in seen["attributes"].items())
    return "; ".join(filter(None, (described["text"], shown)))
