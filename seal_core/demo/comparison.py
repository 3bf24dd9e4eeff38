"""One sticker, learned on the tiny model by Textual Inversion and by SEAL, and what each draws for the same prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..concept.concept import Concept
from ..hosts.base import Host
from ..masks.methods import semantic_mask
from ..method.fit_references import fit_references
from ..method.probe import gains_in_words
from ..method.references import Reference
from ..method.results import Progress, TrainResult
from ..method.training import train
from ..prompts.attribute_prompt import attribute_prompt
from .generation import generate_pictures
from .sticker_files import BUILT_IN, built_in_sticker
from .tuned_presets import NAMES_ATTRIBUTES, for_sticker, tuned_preset

METHODS = ("textual_inversion", "best")
"""The two presets that are compared."""
_VARIED: Mapping[str, tuple[str, ...]] = {
    "emotion": ("angry", "in love"),
    "action": ("jumping", "sitting"),
    "camera": ("close-up", "upper body"),
    "style": ("pixel art", "comic book"),
    "background": ("night city", "snowy"),
}
"""What prompts ask for, one attribute at a time: the first value, or the second if the sticker shows the first."""
_WORN = "wearing a red scarf"


@dataclass(frozen=True)
class Subject:
    """The sticker to learn. attributes: what else it is known to show. source: its name or path."""

    reference: Reference
    class_word: str
    attributes: Mapping[str, str]
    source: str


@dataclass(frozen=True)
class Column:
    """One column of the contact sheet.

    values: what the prompt names beside the concept. varied: the attribute in question, "" for none.
    """

    label: str
    values: Mapping[str, str]
    varied: str = ""


@dataclass(frozen=True)
class MethodResult:
    """What came of one method. images (columns, H, W, 3): one per prompt.

    scores: a scorer's figures; empty without one. words: the headline figures in a line.
    """

    result: TrainResult
    images: Tensor
    scores: Mapping[str, Any]
    words: str


class Scorer(Protocol):
    """Judges pictures; `seal_core.world` has such judges."""

    samples: int
    """How many pictures of each prompt it wants to see."""

    def __call__(self, subject: Subject, columns: Sequence[Column], images: Tensor) -> tuple[dict[str, Any], str]:
        """(figures as JSON values, the same in words) of images (len(columns) * samples, H, W, 3), column by column."""
        ...


def built_in_subject(name: str, class_word: str, attributes: Mapping[str, str], side: int) -> Subject:
    """A built-in sticker with its exact mask. attributes add to what it is known to show. side: the model's, pixels."""
    sticker = built_in_sticker(name)
    image, mask = (torch.from_numpy(np.float32(a) / 255) for a in (sticker.image, sticker.mask))
    [reference], _ = fit_references(image[None], mask[None], side, "foreground")
    return Subject(reference, class_word or sticker.class_word, {**BUILT_IN[name], **attributes}, name)


def own_reference(image: Tensor, side: int) -> Reference:
    """A user's sticker (H, W, 3 or 4) at the model's size, with the mask that SemanticMask finds. Raises SealError."""
    [reference], _ = fit_references(image[None], semantic_mask(image)[0][None], side, "foreground")
    return reference


def columns_for(attributes: Mapping[str, str]) -> list[Column]:
    """Nothing asked for, then each of the six attributes varied to a value that the sticker does not show."""
    columns = [Column("as it is", {}), Column(_WORN, {"appearance": _WORN})]
    for name, values in _VARIED.items():
        value = next(v for v in values if v != attributes.get(name))
        in_view = {"camera": "full body"} if name == "action" else {}
        columns.append(Column(value, {name: value} | in_view, name))
    return columns


def training_steps(method: str, steps: int = 0) -> int:
    """How many steps a method trains; steps: 0 = its own."""
    return steps or tuned_preset(method).steps


def learn(
    host: Host,
    subject: Subject,
    columns: Sequence[Column],
    method: str,
    *,
    steps: int = 0,
    seed: int = 0,
    callback: Callable[[Progress], None] | None = None,
    scorer: Scorer | None = None,
) -> MethodResult:
    """Train by one of METHODS, then draw every column's prompt. steps: 0 = the method's own."""
    preset = tuned_preset(method)
    known = subject.attributes if method in NAMES_ATTRIBUTES else {}
    config = for_sticker(preset, subject.class_word, known, host.resolution, seed)
    result = train(host, [subject.reference], replace(config, steps=training_steps(method, steps)), callback)

    def draw(samples: int) -> Tensor:
        return column_pictures(host, result.concept, columns, samples, seed)

    images = draw(1)
    if scorer is None:
        return MethodResult(result, images, {}, gains_in_words(result.report["restored"]))
    return MethodResult(result, images, *scorer(subject, columns, draw(scorer.samples)))


def column_pictures(host: Host, concept: Concept, columns: Sequence[Column], samples: int, seed: int) -> Tensor:
    """(columns * samples, H, W, 3) in [0, 1]: what the columns' prompts give with a concept, column by column."""
    prompts = [attribute_prompt(concept.name, **column.values).prompt for column in columns]
    return generate_pictures(host, concept, prompts, samples, seed=seed)


def training_figures(result: TrainResult) -> dict[str, Any]:
    """What a training knows of its own success, before and after, as JSON values.

    restored: how much better the model restores the subject elsewhere (what was learned), and the sticker's own ground
    (what leaks). words: the description that the training started from, "" for none.
    """
    report = result.report
    return {"restored": report["restored"], "words": (report["described"] or {"text": ""})["text"]}
