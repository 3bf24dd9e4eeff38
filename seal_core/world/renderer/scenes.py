"""Everything about a StickerWorld picture that is not the character: five attributes with a few values each."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, replace

from ...demo.attribute_values import SCENE, VALUES
from ...messages import SealError
from .styles import UNSEEN

_WEIGHTS = {"camera": {"full body": 3.0}}
"""Values drawn more often: an action can be read only where the whole body is in view."""


@dataclass(frozen=True)
class Scene:
    """One value of each attribute of VALUES; the style may also be one of UNSEEN."""

    emotion: str
    action: str
    camera: str
    style: str
    background: str

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value not in VALUES[name] and not (name == "style" and value in UNSEEN):
                raise SealError(f"{name}: StickerWorld draws no {value!r}; choose one of {', '.join(VALUES[name])}.")

    def asdict(self) -> dict[str, str]:
        return asdict(self)

    def but(self, **changes: str) -> Scene:
        """The same scene with some attributes changed."""
        return replace(self, **changes)

    def shows(self, attribute: str) -> bool:
        """Whether the attribute can be read in the picture.

        An action is invisible in a close-up or from the waist up, an emotion where a face is a few blocks of pixel art.
        """
        if attribute == "emotion":
            return (self.camera, self.style) != ("wide shot", "pixel art")
        return attribute != "action" or self.camera in ("full body", "wide shot")


def random_scene(rng: random.Random, **fixed: str) -> Scene:
    """A scene drawn at random, with the given attributes fixed."""

    def draw(name: str) -> str:
        weights = [_WEIGHTS.get(name, {}).get(v, 1.0) for v in VALUES[name]]
        return rng.choices(VALUES[name], weights)[0]

    drawn = {name: draw(name) for name in SCENE}  # draw all, so that fixing one does not change the others
    return Scene(**drawn | fixed)
