"""StickerWorld's renderer: a character in a scene as a picture, or as a loop of pictures, with exact masks (ours).

Everything is drawn at three times the size and averaged for smooth edges; about 10 ms at 128 px. Same arguments, same
pixels.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...messages import SealError, require_whole_number
from ...pictures.matting import nearest
from .action_cycles import pose_at
from .backgrounds import paint_background, shade
from .bodies import HEAD, figure
from .characters import Character
from .movements import FRAMES, Movement, clip_caption
from .poses import POSES, Pose, ground_marks, motion_marks
from .scenes import Scene
from .shapes import Pen, Place
from .styles import style_named

SIZE = 128
SUPERSAMPLE = 3
CUT, RIM = 2.6, 0.7
"""Die-cut border and the grey line around it, in pixels of a 128 px picture."""


@dataclass(frozen=True, eq=False)
class RenderedSticker:
    """image (size, size, 3) and mask (size, size), both uint8; the mask is the exact, smooth-edged silhouette
    with its die-cut border. focus (size / 8, size / 8) float32, mean 1: where detail matters (the face most).
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    focus: NDArray[np.float32]
    character: Character
    scene: Scene

    @property
    def attributes(self) -> dict[str, str]:
        """All six attributes; the appearance names every discrete trait."""
        return {"appearance": self.character.in_words(), **self.scene.asdict()}


@dataclass(frozen=True, eq=False)
class RenderedClip:
    """A loop of F frames: images (F, size, size, 3), masks (F, size, size), focus (F, size / 8, size / 8), each as in
    RenderedSticker; the frame after the last is the first. caption: what happens, in one sentence."""

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    focus: NDArray[np.float32]
    character: Character
    scene: Scene
    movement: Movement

    @property
    def caption(self) -> str:
        return clip_caption(self.character, self.scene, self.movement)

    def emotions(self) -> list[str]:
        """Of each frame."""
        return [self.movement.emotion(self.scene, i, len(self.images)) for i in range(len(self.images))]


def render_clip(
    character: Character, scene: Scene, movement: Movement, seed: int = 0, frames: int = FRAMES, size: int = SIZE
) -> RenderedClip:
    """A moving sticker, about 10 ms a frame. A frame at phase 0 with a camera that stands still is `render`'s picture.

    Framing, background and texture stay: they come from `seed` alone.
    """
    require_whole_number("frames", frames, 1, 64, "use 2 to 64; 8 is usual.")
    parts = [_frame(character, scene, movement, seed, size, (i, frames)) for i in range(frames)]
    images, masks, focus = (np.stack(part) for part in zip(*parts))
    return RenderedClip(images, masks, focus, character, scene, movement)


def _frame(
    character: Character, scene: Scene, movement: Movement, seed: int, size: int, which: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    pose = pose_at(_visible_action(scene), movement.phase(*which))
    shown = scene.but(emotion=movement.emotion(scene, *which))
    image, mask, head = _drawn(character, shown, seed, size, pose=pose, view=movement.view(*which))
    image = style_named(scene.style).surface(image, mask.astype(np.float32) / 255, seed)
    return _rounded(image), mask, _focus(mask, head, size)


def render(character: Character, scene: Scene, seed: int = 0, size: int = SIZE) -> RenderedSticker:
    """One sticker. seed: for the framing and the background's details. size: pixels, a multiple of 8."""
    image, mask, head = _drawn(character, scene, seed, size)
    image = style_named(scene.style).surface(image, mask.astype(np.float32) / 255, seed)
    return RenderedSticker(_rounded(image), mask, _focus(mask, head, size), character, scene)


def own_colours(character: Character, scene: Scene, seed: int = 0, size: int = SIZE) -> NDArray[np.uint8]:
    """(size, size, 3): the sticker's own colours without a background, extended beyond its edge.

    Styles that blend neighbouring pixels then blend the sticker with itself, not with a background.
    """
    image, mask, _ = _drawn(character, scene, seed, size, bare=True)
    cover = mask.astype(np.float32)[..., None] / 255
    shows = cover[..., 0] > 0.3
    image = (image / np.maximum(cover, 0.3))[nearest(shows)]
    return _rounded(style_named(scene.style).surface(image, np.ones(mask.shape, np.float32), seed))


def _rounded(image: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _drawn(
    character: Character,
    scene: Scene,
    seed: int,
    size: int,
    bare: bool = False,
    pose: Pose | None = None,
    view: Place | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.uint8], Place]:
    """The picture (size, size, 3) in 0..255 before its style's surface, its mask, and the head's place. bare: on black,
    without a background. pose: another one than the still's. view: what a moving camera does to a square of side 1."""
    if size < 32 or size % 8:
        raise SealError(f"size: {size} is not possible; use a multiple of 8 from 32 pixels, e.g. 128.")
    rng = random.Random(f"picture {seed}")
    style = style_named(scene.style)
    side = size * SUPERSAMPLE
    unit = side / 128  # one pixel of a 128 px picture
    action = _visible_action(scene)
    place, pose, view = _camera(character, scene, rng, side), pose or POSES[action], view or Place()
    if view.scale != 1:
        place = Place(view.origin * side, view.scale).inside(place)
    canvas = Image.new("RGB", (side, side))
    if not bare:
        back = Pen(Place(view.origin * side, side * view.scale), 0.0)
        paint_background(back, scene.background, rng)
        if scene.shows("action"):
            on = Place((place.origin / side - view.origin) / view.scale, place.scale / side / view.scale)
            ground_marks(back.at(on), scene.action, shade(scene.background), pose.phase)
        back.paint(canvas, (0, 0, 0))

    pen = Pen(place, style.ink * unit)
    if scene.shows("action"):
        motion_marks(pen, action, (120, 125, 140), pose.phase)
    figure(pen, character, scene.emotion, pose, only_head=scene.camera == "close-up")
    outer = pen.cover(side, (CUT + RIM) * unit)
    canvas.paste((176, 174, 182), mask=outer)
    canvas.paste((255, 255, 255), mask=pen.cover(side, CUT * unit))
    pen.paint(canvas, style.colour)
    head = Place(place(np.array(pose.head)).item() / side, abs(place.scale) * HEAD * character.head / side + 0j)
    return np.asarray(canvas.reduce(SUPERSAMPLE), np.float32), np.asarray(outer.reduce(SUPERSAMPLE)), head


def _visible_action(scene: Scene) -> str:
    """From the waist up only raised arms are visible; in a close-up none are."""
    if scene.shows("action"):
        return scene.action
    return scene.action if scene.camera == "upper body" and scene.action in ("waving", "jumping") else "standing"


def _camera(character: Character, scene: Scene, rng: random.Random, side: int) -> Place:
    """Figure units -> pixels of the canvas; framed for the action's still pose."""
    pose = POSES[_visible_action(scene)]
    tilt = rng.uniform(-0.06, 0.06)
    tall = {"rabbit": 0.84, "fox": 0.96, "cat": 0.97}.get(character.species, 1.0)  # ears need room
    if character.accessory in ("party hat", "crown") and character.species != "rabbit":
        tall *= 0.91
    low = (1 - tall) * 0.6
    jitter = complex(rng.uniform(-1, 1), rng.uniform(-1, 1))
    if scene.camera == "close-up":
        zoom, centre, aim = 1.08 * tall, pose.head - 0.03j, 0.5 + (0.5 + 0.5 * low) * 1j + 0.02 * jitter
    elif scene.camera == "upper body":
        zoom, centre, aim = 1.12 * tall, complex(pose.middle.real, 0.16), 0.5 + 1j + 0.02 * jitter.real
    elif scene.camera == "wide shot":
        zoom, centre, aim = 0.53, pose.middle, 0.5 + 0.58j + 0.17 * jitter.real + 0.1j * jitter.imag
    else:
        zoom, centre, aim = 0.85 * tall * pose.spread, pose.middle, 0.5 + (0.5 + 0.45 * low) * 1j + 0.025 * jitter
    zoom *= rng.uniform(0.96, 1.04)
    scale = zoom * side * np.exp(1j * tilt)
    return Place(aim * side - scale * centre, scale)


def _focus(mask: NDArray[np.uint8], head: Place, size: int) -> NDArray[np.float32]:
    """Weights on the latents' grid: background 1, figure 2, face 5, divided by their mean."""
    cells = size // 8
    cover = mask.reshape(cells, 8, cells, 8).mean(axis=(1, 3)) / 255
    y, x = (np.mgrid[0:cells, 0:cells] + 0.5) / cells
    near = np.hypot(x - head.origin.real, (y - head.origin.imag) * 1.1) / (abs(head.scale) * 1.05)
    weight = 1 + cover + 3 * np.clip(1.5 - near, 0, 1)
    return (weight / weight.mean()).astype(np.float32)
