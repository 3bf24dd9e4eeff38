"""Captions for training the tiny model: some of the scene's attributes, sometimes a trait or two.

No caption describes a character fully: a new character cannot be prompted, only learned (ours).
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from ...demo.attribute_values import SCENE
from ...prompts.attributes import attribute_schema
from .characters import Character
from .movements import Movement
from .scenes import Scene

OPENINGS = (
    "a sticker of {}",
    "a sticker of {}",
    "a sticker of {}",
    "a cute sticker of {}",
    "a die-cut sticker of {}",
    "a cartoon sticker of {}",
    "a sticker showing {}",
    "an emoji sticker of {}",
    "{}",
)
KEEP = 0.72
"""Chance that an attribute is named."""
NO_CAPTION = 0.1
"""Share of empty captions, for classifier-free guidance."""
TRAIT = 0.5
"""Chance that one or two traits of the character are named beside its species."""
SHUFFLED = 0.25
"""Share of captions with their attributes in random order instead of the schema's."""


def caption(character: Character, scene: Scene, rng: random.Random) -> str:
    """A caption that names a random part of what the picture shows; one in ten is empty."""
    if rng.random() < NO_CAPTION:
        return ""
    subject, worn = _subject(character, rng)
    named = [n for n in SCENE if scene.shows(n) and rng.random() < KEEP]
    if rng.random() < SHUFFLED:
        rng.shuffle(named)
    parts = [attribute_schema()[n].say(getattr(scene, n)) for n in named]
    return ", ".join([rng.choice(OPENINGS).replace("{}", subject), *worn, *parts])


def frame_captions(who: Character, scene: Scene, movement: Movement, rng: random.Random, frames: int) -> list[str]:
    """A caption for each frame in the words that the tiny model knows: they differ where the emotion changes."""
    state, told = rng.getstate(), {}
    for emotion in (scene.emotion, movement.becomes or scene.emotion):
        rng.setstate(state)  # the same words otherwise
        told[emotion] = caption(who, scene.but(emotion=emotion), rng)
    return [told[movement.emotion(scene, i, frames)] for i in range(frames)]


def _subject(who: Character, rng: random.Random) -> tuple[str, list[str]]:
    """(words for the subject, what it wears), with at most two traits besides the species."""
    words, worn = [who.species], []
    if rng.random() < TRAIT:
        traits = ["main", "pattern", "wears"]
        for trait in rng.sample(traits, rng.choice((1, 1, 2))):
            if trait == "main":
                words.insert(0, who.main)
            elif trait == "wears" and who.wears():
                worn.append(who.wears(coloured=rng.random() < 0.6))
            elif trait == "pattern" and who.pattern != "plain":
                worn.append(f"with {who.second} {who.pattern}" if rng.random() < 0.6 else f"with {who.pattern}")
    article = rng.choice(("a ", "a ", ""))
    return article + " ".join(words), worn


def prompt(subject: str, attributes: Mapping[str, str]) -> str:
    """A prompt with the given attributes named, worded as captions are: `prompt("a cat", {"emotion": "sad"})`."""
    parts = [attribute_schema()[n].say(attributes[n]) for n in SCENE if attributes.get(n)]
    return ", ".join([OPENINGS[0].replace("{}", subject), *parts])
