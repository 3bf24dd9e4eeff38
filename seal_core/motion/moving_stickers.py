"""Motion without a model: a still, or key poses, as the frames of a seamless loop (ours)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..callbacks import OnProgress
from ..messages import SealError, require_in_range, require_one_of, require_whole_number
from ..pictures.inputs import images_of
from ..stickers.cutout import cutout
from ..stickers.layers import layers_of
from .motion_laws import MOTIONS, POSES, loop_seconds, stances
from .overlay_laws import NONE, OVERLAYS
from .stage import MotionStage, Staging
from .subjects import cast_of

FEWEST_FRAMES, MOST_FRAMES, MOST_FPS, MOST_POSES, STRONGEST = 4, 90, 60.0, 8, 2.0
_ROUND_SECONDS, _FRAMES_A_ROUND = 1.2, 8
"""How long one round of an overlay lasts, about, and how many frames it needs. A loop holds whole rounds."""
_MOST_PIXELS = 1 << 28
"""Pixels in all frames of one run: 4 GiB of memory."""


@dataclass(frozen=True)
class MotionSettings:
    """motion: one of MOTIONS. strength: 0..2, of the motion. frames: of one loop. fps: frames a second; 0 = the
    motion's own pace. shadow: opacity of the contact shadow, 0..1. overlay: one of OVERLAYS."""

    motion: str = "bounce"
    strength: float = 1.0
    frames: int = 16
    fps: float = 0.0
    shadow: float = 0.35
    overlay: str = NONE

    def __post_init__(self) -> None:
        require_one_of("motion", self.motion, tuple(MOTIONS))
        require_one_of("overlay", self.overlay, OVERLAYS)
        require_in_range("strength", self.strength, 0, STRONGEST, "use 0 to 2; 1 is the motion as designed.")
        remedy = f"use {FEWEST_FRAMES} to {MOST_FRAMES} frames a loop."
        require_whole_number("frames", self.frames, FEWEST_FRAMES, MOST_FRAMES, remedy)
        require_in_range("fps", self.fps, 0, MOST_FPS, "use 1 to 60 frames a second, or 0 for the motion's own pace.")
        if not self.strength and self.overlay == NONE and self.motion != POSES:
            raise SealError("strength: 0 without an overlay moves nothing; use more, or choose an overlay.")
        require_in_range("shadow", self.shadow, 0, 1, "use 0 (none) to 1.")


@dataclass(frozen=True, eq=False)
class MovingSticker:
    """images: (N, H, W, 4) float32 in [0, 1], straight alpha; the frame after the last is the first. fps: frames a
    second."""

    images: Tensor
    fps: float


def moving_stickers(
    batches: Sequence[Tensor],
    masks: Sequence[Tensor] = (),
    settings: MotionSettings = MotionSettings(),
    progress: OnProgress | None = None,
) -> list[MovingSticker]:
    """One animated sticker for each picture; for motion "poses" one for each batch, or, if every batch is one picture,
    one of all. Each has its picture's size, or its first key pose's.

    batches: IMAGEs of any sizes. masks: none, one MASK for all batches, or one each. progress: called as (done, all)
    for each frame.
    Raises SealError for pictures without a subject, wrong numbers of key poses, masks and frames, and for more frames
    than fit into memory.
    """
    if len(masks) not in (0, 1, len(batches)):
        raise SealError(f"mask: {len(masks)} masks for {len(batches)} batches; give one for all, or one each.")
    given = [masks[i if len(masks) > 1 else 0] if len(masks) else None for i in range(len(batches))]
    _check_amount(batches, settings)
    cut = [_cut_layers(image, mask) for image, mask in zip(batches, given)]
    groups = _groups(cut, settings)
    total, done, made = len(groups) * settings.frames, 0, []
    for layers in groups:
        cast, law = cast_of(layers), MOTIONS[settings.motion]
        shadow = settings.shadow if law.grounded else 0.0
        moments = stances(settings.motion, settings.strength, settings.frames, len(layers))
        seconds = loop_seconds(settings.motion, len(layers))
        rounds = max(1, min(round(seconds / _ROUND_SECONDS), settings.frames // _FRAMES_A_ROUND))
        stage = MotionStage(cast, moments, Staging(law.pivot, shadow, settings.overlay, rounds))
        frames = np.empty((settings.frames, cast.canvas[1], cast.canvas[0], 4), np.float32)
        for number in range(settings.frames):
            frames[number] = stage.frame(number)
            done += 1
            if progress:
                progress(done, total)
        made.append(MovingSticker(torch.from_numpy(frames), settings.fps or settings.frames / seconds))
    return made


def _cut_layers(image: Tensor, mask: Tensor | None) -> np.ndarray:
    """Layers (B, H, W, 4) float32, straight alpha: a batch's own alpha times `mask`, or cut-outs of an opaque batch.

    Each picture is cut once, so that its edge does not flicker. An opaque batch is cut as SEAL Sticker Cutout does it:
    a mask of either polarity, a hard one, or none will do.
    """
    images = images_of(image)
    if images.shape[-1] == 4 and bool((images[..., 3] < 1).any()):
        return layers_of(images, mask)
    if mask is None:
        return cutout(images)[0].numpy()
    return cutout(images, mask, keep="all", specks=0.0)[0].numpy()


def _groups(cut: Sequence[np.ndarray], settings: MotionSettings) -> list[list[np.ndarray]]:
    """The pictures of each animation."""
    if settings.motion != POSES:
        return [[layer] for layers in cut for layer in layers]
    together = all(len(layers) == 1 for layers in cut)
    groups = [[layers[0] for layers in cut]] if together else [list(layers) for layers in cut]
    for number, layers in enumerate(groups, 1):
        which = f" in batch {number}" if len(groups) > 1 else ""
        if not 2 <= len(layers) <= MOST_POSES:
            raise SealError(
                f"image: motion {POSES} needs 2 to {MOST_POSES} key poses{which}, got {len(layers)}; wire the pictures "
                "of a sweep, or choose another motion."
            )
        if settings.frames < 2 * len(layers):
            raise SealError(
                f"frames: {settings.frames} are too few for {len(layers)} key poses; use {2 * len(layers)} or more, "
                f"best {4 * len(layers)}."
            )
    return groups


def _check_amount(batches: Sequence[Tensor], settings: MotionSettings) -> None:
    """Refuse, before any work, what would not fit into memory."""
    pixels = pictures = 0
    for batch in batches:
        shape = tuple(getattr(batch, "shape", ()))
        if len(shape) not in (3, 4):
            continue  # `images_of` says what is wrong with it
        count = shape[0] if len(shape) == 4 else 1
        pictures += count
        pixels += math.prod(shape[-3:-1]) * (count if settings.motion != POSES else 1)
    if pixels * settings.frames > _MOST_PIXELS:
        most = max(1, _MOST_PIXELS * pictures // max(1, pixels * settings.frames))
        raise SealError(
            f"image: {pictures} pictures of {settings.frames} frames each are too many for one run; give at most "
            f"{most} of this size, or fewer frames."
        )
