"""Reads how a clip moves: which of eight motions its silhouette's changes are most like (ours).

The judges of pictures cannot tell: half of a jump looks like no jump. This one knows nothing of looks. A clip on a
plain ground becomes silhouettes; what is left of them without their mean over the frames is compared with that of the
renderer's clips of the judges' own characters, frame by frame.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..renderer import seeds
from ..renderer.characters import character
from ..renderer.movements import FRAMES, Movement
from ..renderer.render import RenderedClip, render_clip
from ..renderer.scenes import random_scene

MOTIONS: Mapping[str, tuple[str, Movement]] = {
    "swaying": ("standing", Movement()),
    "waving": ("waving", Movement()),
    "jumping": ("jumping", Movement()),
    "running": ("running", Movement()),
    "rocking": ("sitting", Movement()),
    "kicking": ("lying down", Movement()),
    "zoom": ("standing", Movement(moves=False, camera="zoom")),
    "pan": ("standing", Movement(moves=False, camera="pan")),
}
"""Motion -> the scene's action and what happens. All are StickerWorld's."""
STILL, UNCLEAR = "still", "unclear"
CELLS, CONTRAST = 16, 0.1
"""Cells of a silhouette's side; difference to the ground's colour beyond which a pixel is subject."""
LEAST, LEAST_ALIKE = 0.35, 0.2
"""Share of a motion's usual size below which a clip stands still; correlation below which it shows none of them. The
renderer's own clips of validation characters have .25 to .86."""


def motion_clip(seed: int, motion: str, ground: str = "plain mint") -> RenderedClip:
    """The renderer's own clip of a character in a motion: the whole body, on a plain ground, in the style whose subject
    stands out from it."""
    action, movement = MOTIONS[motion]
    still = {"action": action, "camera": "full body", "style": "flat vector", "background": ground}
    scene = random_scene(random.Random(f"motion {seed}"), **still)
    return render_clip(character(seed), scene, movement, seed, FRAMES)


def silhouette_changes(clips: Tensor) -> Tensor:
    """(C, F, CELLS, CELLS) of clips (C, F, H, W, 3) in [0, 1]: how much of each cell is subject, without the mean over
    the frames."""
    cells = F.adaptive_avg_pool2d(subjects(clips.flatten(0, 1)).float()[:, None], CELLS)[:, 0].unflatten(
        0, clips.shape[:2]
    )
    return cells - cells.mean(dim=1, keepdim=True)


def subjects(frames: Tensor) -> Tensor:
    """(F, H, W) bool of frames (F, H, W, 3) on plain ground: what is not of the ground's colour, which is the median of
    a frame's border."""
    border = torch.cat([frames[:, 0], frames[:, -1], frames[:, :, 0], frames[:, :, -1]], dim=1)
    ground = border.median(dim=1).values[:, None, None]
    return (frames - ground).abs().amax(-1) > CONTRAST


@dataclass(frozen=True, eq=False)
class MotionJudge:
    """templates: (motions, F, CELLS, CELLS), each of length 1; sizes: (motions,), how long such changes usually are."""

    names: list[str]
    templates: Tensor
    sizes: Tensor

    def likeness(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Of clips (C, F, H, W, 3): correlations with each motion (C, motions), and sizes of the changes (C,)."""
        changes = silhouette_changes(clips).flatten(1)
        size = changes.norm(dim=1)
        return changes / size.clamp(min=1e-6)[:, None] @ self.templates.flatten(1).T, size

    def __call__(self, clips: Tensor) -> list[str]:
        """The motion that each clip shows, STILL, or UNCLEAR where it moves like none of them."""
        alike, size = self.likeness(clips)
        best, found = alike.max(1)
        still, unlike = size < LEAST * self.sizes[found], best < LEAST_ALIKE
        rows = zip(found.tolist(), still.tolist(), unlike.tolist())
        return [STILL if rests else UNCLEAR if strange else self.names[i] for i, rests, strange in rows]


def fitted_motion_judge(characters: int = 12) -> MotionJudge:
    """A judge out of the renderer's clips of so many of the judges' characters. Deterministic."""
    names, templates, sizes = list(MOTIONS), list[Tensor](), list[Tensor]()
    for name in names:
        clips = torch.stack([_pictures(motion_clip(seed, name)) for seed in seeds.JUDGE[:characters]])
        changes = silhouette_changes(clips)
        mean = (changes / changes.flatten(1).norm(dim=1)[:, None, None, None]).mean(0)
        templates.append(mean / mean.norm())
        sizes.append(changes.flatten(1).norm(dim=1).mean())
    return MotionJudge(names, torch.stack(templates), torch.stack(sizes))


def _pictures(clip: RenderedClip) -> Tensor:
    return torch.from_numpy(clip.images).float() / 255
