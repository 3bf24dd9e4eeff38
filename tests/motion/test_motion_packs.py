"""Stickers that move, packed for every platform and read again by an independent reader."""

from __future__ import annotations

import pytest
from pack_rules import check_pack
from standing import standing
from sticker_clips import packed

from seal_core.motion.motion_laws import MOTIONS, POSES
from seal_core.motion.moving_stickers import MotionSettings, moving_stickers
from seal_core.stickers.border import Border, add_border
from seal_core.stickers.canvas import rgba8
from seal_core.stickers.pack.clip import Clip
from seal_core.stickers.platforms import PLATFORMS

SIDE, FEWEST = 240, {"whatsapp": 3, "line": 8}


def clip_of(motion: str, overlay: str, frames: int = 16) -> Clip:
    picture, _ = add_border(standing(SIDE, SIDE, margin=50), None, Border(6))
    pictures = [picture, picture.flip(2)] if motion == POSES else [picture]
    (made,) = moving_stickers(pictures, (), MotionSettings(motion, frames=frames, overlay=overlay))
    return Clip.at_rate(rgba8(made.images.numpy()), made.fps)


@pytest.mark.parametrize(("platform", "motion", "overlay"), [
    ("telegram", "bounce", "hearts"), ("whatsapp", "wobble", "sweat"), ("signal", "float", "sparkle"),
    ("discord", "shake", "sweat"), ("line", "pop", "none"), ("imessage", "swing", "hearts"), ("plain", POSES, "none"),
])  # fmt: skip
def test_every_platforms_file_passes_the_independent_reader(platform, motion, overlay, tmp_path):
    pack = packed([clip_of(motion, overlay, 8)] * FEWEST.get(platform, 1), platform, tmp_path)
    found = check_pack(pack.folder)
    assert all(len(file.frames) >= 8 for file in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("motion", MOTIONS)
def test_every_motion_on_every_platform(platform, motion, tmp_path):
    check_pack(packed([clip_of(motion, "sparkle")] * FEWEST.get(platform, 1), platform, tmp_path).folder)


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("frames", [4, 90])
def test_the_fewest_and_the_most_frames(platform, frames, tmp_path):
    """What a platform does not take is shown twice, thinned or slowed down."""
    check_pack(packed([clip_of("wobble", "none", frames)] * FEWEST.get(platform, 1), platform, tmp_path).folder)
