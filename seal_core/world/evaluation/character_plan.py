"""One unseen character's evaluation: its reference, and prompts that vary one attribute at a time (ours).

A prompt that names another background hides a leak, because an obedient model paints over it. So some prompts leave
attributes open, and others ask for a value unlike the reference's; both are counted.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from ...demo.attribute_values import PLAIN_BACKGROUNDS, SCENE, VALUES
from ...messages import SealError
from ...prompts.attribute_prompt import attribute_prompt
from ..renderer import seeds
from ..renderer.scenes import Scene, random_scene

SPLITS = {"validation": seeds.VALIDATION, "test": seeds.TEST}

NEUTRAL = Scene("happy", "standing", "full body", "flat vector", "plain white")
"""Values that a full prompt names for the attributes it does not vary."""

FEWEST_PROMPTS = 8
"""One prompt for each attribute, and three that leave some open."""

_OPEN = (("emotion",), ("emotion", "camera"), ("style",), ("style", "camera"), ("action",), ("camera",))
"""What the open prompts name, in turn. An open action needs a named camera: only a full body shows one."""

_CAMERAS = ("full body", "full body", "wide shot")
"""Cameras of the references: without a visible action there is no pose to memorise."""


@dataclass(frozen=True)
class Ask:
    """One prompt.

    kind: "full" names all attributes that the picture can show, neutral except for the varied one; "short" names only
    the varied one (for an action the full body too); "open" varies nothing. vary: the varied attribute, "" for open.
    values: what is named. filled: a whole scene for the prompt, open attributes neutral.
    """

    kind: str
    vary: str
    values: Mapping[str, str]

    def text(self, subject: str) -> str:
        """The prompt, in the wording of StickerAttributePrompt. subject: "cat" or the learned concept's name."""
        return attribute_prompt(subject, **self.values).prompt

    @property
    def filled(self) -> Scene:
        return NEUTRAL.but(**self.values)


@dataclass(frozen=True)
class CharacterPlan:
    """One character's part of an evaluation: how its reference looks, and the prompts (samples of each)."""

    seed: int
    reference: Scene
    asks: tuple[Ask, ...]
    samples: int


def characters(split: str, count: int, offset: int = 0) -> list[int]:
    """Seeds of `count` characters of a split, from its `offset`-th on. Raises SealError beyond its range."""
    if split not in SPLITS:
        raise SealError(f"split: {split!r} is not known; choose one of {', '.join(SPLITS)}.")
    every = SPLITS[split]
    if count < 1:
        raise SealError(f"concepts: {count} is too few; use 1 or more.")
    if not 0 <= offset <= len(every) - count:
        raise SealError(f"seed-offset: {offset} is out of range; use 0 to {len(every) - count} for {count} characters.")
    return list(every[offset : offset + count])


def plan_character(seed: int, prompts: int = 16, samples: int = 2) -> CharacterPlan:
    """The plan for the character of a seed; depends on nothing else, so that all methods answer the same prompts.

    prompts: how many, of which three in eight are open. samples: of each.
    """
    if prompts < FEWEST_PROMPTS:
        raise SealError(f"prompts: {prompts} is too few; use {FEWEST_PROMPTS} or more: one an attribute, three open.")
    if samples < 1:
        raise SealError(f"samples: {samples} is too few; use 1 or more.")
    rng = random.Random(f"evaluation {seed}")
    reference = random_scene(
        rng,
        background=rng.choice([v for v in VALUES["background"] if v not in PLAIN_BACKGROUNDS]),
        action=rng.choice([v for v in VALUES["action"] if v != NEUTRAL.action]),
        camera=rng.choice(_CAMERAS),
    )
    others = {a: _others(rng, a, reference) for a in SCENE}
    opened = round(prompts * 3 / 8)
    asks = [_named(i, others) for i in range(prompts - opened)]
    for i in range(opened):
        named = _OPEN[i % len(_OPEN)]
        values = {a: NEUTRAL.camera if a == "camera" else rng.choice(others[a]) for a in named}
        asks.append(Ask("open", "", values))
    return CharacterPlan(seed, reference, tuple(asks), samples)


def _others(rng: random.Random, attribute: str, reference: Scene) -> list[str]:
    """Values that are neither the reference's nor neutral, shuffled: only an obedient model gets them right."""
    known = (getattr(reference, attribute), getattr(NEUTRAL, attribute))
    values = [v for v in VALUES[attribute] if v not in known]
    rng.shuffle(values)
    return values


def _named(i: int, others: Mapping[str, list[str]]) -> Ask:
    """The i-th prompt that varies an attribute: attributes in turn, alternating full and short."""
    turn, place = divmod(i, len(SCENE))
    attribute = SCENE[place]
    value = others[attribute][turn % len(others[attribute])]
    if (turn + place) % 2 == 0:
        whole = NEUTRAL.but(**{attribute: value})
        # A close-up shows no action: naming one would contradict the camera.
        return Ask("full", attribute, {a: v for a, v in whole.asdict().items() if whole.shows(a)})
    camera = {"camera": NEUTRAL.camera} if attribute == "action" else {}
    return Ask("short", attribute, {attribute: value} | camera)
