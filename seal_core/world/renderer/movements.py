"""What happens during a moving sticker: its action, changing emotions, held frames, the camera; and in words (ours)."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from ...demo.attribute_values import VALUES
from ...messages import SealError, require_in_range, require_one_of, require_whole_number
from .characters import Character
from .scenes import Scene
from .shapes import Place

FRAMES = 8
"""Frames of a loop, as VSD2M has them."""
CAMERAS = ("still", "zoom", "pan")
"""A zoom goes in and out again, a pan to both sides: both close."""
_ZOOM, _PAN = 0.25, 0.06
WORDS: Mapping[str, str] = {
    "standing": "swaying from side to side",
    "waving": "waving its arm",
    "jumping": "jumping up and down",
    "running": "running in place",
    "sitting": "rocking while it sits",
    "lying down": "lying down and kicking its feet",
}
"""Action -> what its cycle shows."""


@dataclass(frozen=True)
class Movement:
    """moves: the action's cycle plays; else its pose stands still. becomes: the emotion of the second half, empty for
    the scene's own throughout. camera: one of CAMERAS. hold: frames that each pose is shown for, 1 to 4. start: phase
    of the first frame, 0 to 1."""

    moves: bool = True
    becomes: str = ""
    camera: str = "still"
    hold: int = 1
    start: float = 0.0

    def __post_init__(self) -> None:
        require_one_of("camera", self.camera, CAMERAS)
        require_whole_number("hold", self.hold, 1, 4, "use 1 (every frame its own pose) to 4.")
        require_in_range("start", self.start, 0, 1, "use a phase from 0 to 1.")
        if self.becomes and self.becomes not in VALUES["emotion"]:
            raise SealError(
                f"becomes: StickerWorld draws no {self.becomes!r}; use one of {', '.join(VALUES['emotion'])}."
            )

    def phase(self, frame: int, frames: int) -> float:
        """Where in its cycle the action is, 0 <= phase < 1."""
        return (self.start + self._clock(frame, frames)) % 1.0 if self.moves else 0.0

    def emotion(self, scene: Scene, frame: int, frames: int) -> str:
        return self.becomes if self.becomes and self._clock(frame, frames) >= 0.5 else scene.emotion

    def view(self, frame: int, frames: int) -> Place | None:
        """How the camera changes the whole picture (a square of side 1), or None for a camera that stands still."""
        turn, centre = 2 * math.pi * self._clock(frame, frames), 0.5 + 0.5j
        if self.camera == "zoom":
            scale = 1 + _ZOOM * (0.5 - 0.5 * math.cos(turn))
            return Place(centre - scale * centre, scale + 0j)
        if self.camera == "pan":  # a little closer, so that there is ground on both sides
            scale = 1 + 2 * _PAN
            return Place(centre - scale * centre + _PAN * math.sin(turn), scale + 0j)
        return None

    def in_words(self, scene: Scene) -> str:
        """What happens: "jumping up and down, from happy to sad, the camera zooms"; empty if nothing does."""
        parts = [WORDS[scene.action]] if self.moves and scene.shows("action") else []
        parts += ["moving its head"] if self.moves and not scene.shows("action") else []
        parts += [f"from {scene.emotion} to {self.becomes}"] if self.becomes not in ("", scene.emotion) else []
        parts += [f"the camera {self.camera}s"] if self.camera != "still" else []
        return ", ".join(parts)

    def _clock(self, frame: int, frames: int) -> float:
        return (frame - frame % self.hold) / frames


def random_movement(rng: random.Random, scene: Scene) -> Movement:
    """Mostly the action alone; a third with an emotion that changes, some with held frames or a camera that moves."""
    becomes = rng.choice([e for e in VALUES["emotion"] if e != scene.emotion]) if rng.random() < 0.33 else ""
    camera = rng.choice(CAMERAS[1:]) if rng.random() < 0.15 else "still"
    return Movement(True, becomes, camera, 2 if rng.random() < 0.2 else 1, rng.random())


def clip_caption(who: Character, scene: Scene, movement: Movement) -> str:
    """One sentence for the whole clip, naming the character's species and what happens."""
    happens = movement.in_words(scene)
    return f"a sticker of a {who.main} {who.species}, {scene.emotion}{', ' if happens else ''}{happens}"
