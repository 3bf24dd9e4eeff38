"""Who is on a StickerWorld sticker: species, colours, pattern, accessory, proportions and marks, all from one seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...demo.animals import SPECIES
from ...messages import SealError
from .drawing_colours import COLOURS, RGB, luminance, tone
from .marks import Marks, marks

PATTERNS = ("plain", "spots", "stripes", "belly", "patch", "socks")
ACCESSORIES = ("nothing", "bow", "party hat", "scarf", "glasses", "crown", "flower", "headphones", "cap", "bow tie")
TRAITS: Mapping[str, tuple[str, ...]] = {
    "species": SPECIES,
    "main": tuple(COLOURS),
    "second": tuple(COLOURS),
    "pattern": PATTERNS,
    "accessory": ACCESSORIES,
    "accessory_colour": tuple(COLOURS),
}
"""Traits that have names, and their values: 8 x 12 x 11 x 6 x (9 x 11 + 1), over 600,000 combinations."""


@dataclass(frozen=True)
class Character:
    """One character. Proportions are factors around 1; `rgb` holds the three colours as drawn (jittered)."""

    seed: int
    species: str
    main: str
    second: str
    pattern: str
    accessory: str
    accessory_colour: str
    rgb: tuple[RGB, RGB, RGB]
    head: float
    body: float
    limb: float
    ear: float
    eye: float
    gap: float
    side: int
    marks: Marks

    def __post_init__(self) -> None:
        for name, values in TRAITS.items():
            if getattr(self, name) not in values:
                raise SealError(f"{name}: StickerWorld has no {getattr(self, name)!r}; use one of {', '.join(values)}.")

    def traits(self) -> dict[str, str]:
        """What has a name."""
        return {name: getattr(self, name) for name in TRAITS}

    def wears(self, coloured: bool = True) -> str:
        """The accessory in words, "wearing a red bow"; empty for none."""
        if self.accessory == "nothing":
            return ""
        thing = f"{self.accessory_colour} {self.accessory}" if coloured else self.accessory
        if self.accessory in ("glasses", "headphones"):
            return f"wearing {thing}"
        return f"wearing {'an' if thing[0] in 'aeiou' else 'a'} {thing}"

    def in_words(self) -> str:
        """All discrete traits in one phrase; captions never name them all."""
        marks = "" if self.pattern == "plain" else f" with {self.second} {self.pattern}"
        return f"{self.main} {self.species}{marks}{f', {self.wears()}' if self.wears() else ''}"


def character(seed: int, **fixed: str) -> Character:
    """The character of a seed (any integer >= 0; ranges: `seeds`), with some traits fixed.

    With all traits of another one it is that one's *twin*: the same in words, another one to look at.
    """
    rng = random.Random(f"character {seed}")
    main, second = rng.sample(list(COLOURS), 2)
    accessory = rng.choice(ACCESSORIES)
    third = rng.choice([c for c in COLOURS if c != main])

    drawn = Character(
        seed=seed,
        species=rng.choice(SPECIES),
        main=main,
        second=second,
        pattern=rng.choice(PATTERNS),
        accessory=accessory,
        accessory_colour=third,
        rgb=((0, 0, 0), (0, 0, 0), (0, 0, 0)),
        head=rng.uniform(0.9, 1.12),
        body=rng.uniform(0.8, 1.3),
        limb=rng.uniform(0.8, 1.25),
        ear=rng.uniform(0.78, 1.25),
        eye=rng.uniform(0.82, 1.2),
        gap=rng.uniform(0.86, 1.16),
        side=rng.choice((-1, 1)),
        marks=marks(seed, (fixed.get("main", main), fixed.get("second", second)), COLOURS),
    )
    drawn = replace(drawn, **fixed)
    jitter = [[rng.randint(-9, 9) for _ in range(3)] for _ in range(3)]
    names = (drawn.main, drawn.second, drawn.accessory_colour)
    main_rgb, second_rgb, third_rgb = (_shifted(COLOURS[name], shift) for name, shift in zip(names, jitter))
    return replace(drawn, rgb=(main_rgb, second_rgb, third_rgb))


def twin(who: Character, seed: int) -> Character:
    """The character of another seed with all that has a name as `who`."""
    return character(seed, **who.traits())


def _shifted(rgb: RGB, by: Sequence[int]) -> RGB:
    r, g, b = (min(255, max(0, v + d)) for v, d in zip(rgb, by))
    return r, g, b


def pale(who: Character) -> RGB:
    """A light colour for muzzles and bellies that is not the main one."""
    return tone(who.rgb[1], 0.75) if luminance(who.rgb[0]) < 0.8 else tone(who.rgb[1], 0.35)
