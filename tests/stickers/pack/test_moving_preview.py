"""The preview of an animated pack: every sticker in it moves at its own pace."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from seal_core.stickers.pack.clip import Clip
from seal_core.stickers.pack.moving_preview import moving_preview


def blinking(colour: int, *durations: float) -> Clip:
    """Frames of 60 x 40: red, then shades of the colour."""
    frames = np.zeros((len(durations), 40, 60, 4), np.uint8)
    frames[..., 3], frames[0, ..., 0], frames[1:, ..., colour] = 255, 255, 255
    return Clip(frames, durations)


def shown(clips: list[Clip]) -> list[np.ndarray]:
    with Image.open(io.BytesIO(moving_preview(clips))) as file:
        assert file.format == "WEBP" and file.info["loop"] == 0
        frames = []
        for i in range(file.n_frames):
            file.seek(i)
            frames.append(np.asarray(file.convert("RGBA")))
        return frames


def test_every_sticker_is_shown_and_moves() -> None:
    still = Clip.still(blinking(1, 1.0, 1.0).frames[1])
    frames = shown([blinking(1, 400.0, 400.0), blinking(2, 800.0, 800.0), still])
    assert len(frames) > 2 and frames[0].shape == (512, 512, 4)
    centres = np.array(
        [[frame[y, x, :3].argmax() for y, x in ((128, 128), (128, 384), (384, 128))] for frame in frames]
    )
    assert centres[0].tolist() == [0, 0, 1], "both begin; the picture is green"
    assert set(centres[:, 0]) == {0, 1} and set(centres[:, 1]) == {0, 2} and set(centres[:, 2]) == {1}
    assert all(frame[384, 384, 3] == 0 for frame in frames), "the fourth place is free"


def test_one_sticker_and_very_many() -> None:
    assert shown([blinking(1, 100.0, 100.0)])[0].shape == (256, 256, 4)
    many = shown([blinking(1, 100.0, 100.0)] * 100)
    assert many[0].shape == (512, 512, 4) and len(many) > 1
