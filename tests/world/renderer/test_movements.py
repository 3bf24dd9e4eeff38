"""StickerWorld in motion: cycles that close, exact truth in every frame, words for what happens."""

import random
from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest

from seal_core.demo.attribute_values import VALUES
from seal_core.messages import SealError
from seal_core.world.renderer.action_cycles import pose_at
from seal_core.world.renderer.captions import frame_captions
from seal_core.world.renderer.characters import character
from seal_core.world.renderer.movements import CAMERAS, WORDS, Movement, clip_caption, random_movement
from seal_core.world.renderer.poses import POSES
from seal_core.world.renderer.render import render, render_clip
from seal_core.world.renderer.scenes import Scene, random_scene

PLAIN = Scene("happy", "standing", "full body", "flat vector", "plain mint")
SIZE = 64


def points(pose):
    return np.array([pose.head, pose.body, pose.tail, *np.ravel(pose.arms), *np.ravel(pose.legs)])


@pytest.mark.parametrize("action", VALUES["action"])
def test_cycles_begin_at_the_still_close_and_never_jump(action):
    still = POSES[action]
    assert pose_at(action, 0.0) is still and pose_at(action, 1.0) is still and pose_at(action, -2.0) is still
    steps = [points(pose_at(action, i / 64)) for i in range(65)]
    moved = [np.abs(after - before).max() for before, after in pairwise(steps)]
    assert max(moved) < 0.06, "a figure is a unit high, and a round of a runner's foot about 1.5 long"
    assert np.abs(steps[0] - steps[32]).max() > 0.03 or np.abs(steps[0] - steps[16]).max() > 0.03
    assert {field.name for field in fields(still)} >= {"phase"} and pose_at(action, 0.25).phase == 0.25


@pytest.mark.parametrize("style", VALUES["style"])
@pytest.mark.parametrize("action", VALUES["action"])
def test_the_first_frame_is_the_still_and_the_others_move(action, style):
    who, scene = character(5), PLAIN.but(action=action, style=style, background="beach")
    clip, still = render_clip(who, scene, Movement(), 3, 4, SIZE), render(who, scene, 3, SIZE)
    assert np.array_equal(clip.images[0], still.image) and np.array_equal(clip.masks[0], still.mask)
    assert np.array_equal(clip.focus[0], still.focus)
    assert all((clip.images[i] != clip.images[j]).any() for i, j in ((0, 1), (0, 3), (1, 2)))
    again = render_clip(who, scene, Movement(), 3, 4, SIZE)
    assert np.array_equal(clip.images, again.images)


def test_what_moves_lies_under_the_masks():
    """On plain ground, apart from the shadow that the figure throws there."""
    for action in ("waving", "sitting"):
        clip = render_clip(character(8), PLAIN.but(action=action), Movement(), 1, 8, SIZE)
        changed = (clip.images != clip.images[0]).any(-1)
        assert changed[[1, 2, 3, 5, 6, 7]].any((1, 2)).all()
        assert not changed[(clip.masks == 0) & (clip.masks[0] == 0)].any()


def test_a_head_moves_where_the_action_cannot_be_seen():
    clip = render_clip(character(8), PLAIN.but(camera="close-up", action="running"), Movement(), 1, 4, SIZE)
    assert (clip.masks[1] != clip.masks[0]).any() and "running" not in clip.caption and "head" in clip.caption


def test_emotions_change_at_half_time():
    who, movement = character(3), Movement(becomes="angry")
    clip, happy = (render_clip(who, PLAIN, m, 2, 8, SIZE) for m in (movement, Movement()))
    angry = render_clip(who, PLAIN.but(emotion="angry"), Movement(), 2, 8, SIZE)
    assert clip.emotions() == ["happy"] * 4 + ["angry"] * 4
    assert np.array_equal(clip.images[:4], happy.images[:4]) and np.array_equal(clip.images[4:], angry.images[4:])


def test_held_frames_and_still_clips_repeat_pixels():
    held = render_clip(character(3), PLAIN, Movement(hold=2), 2, 8, SIZE).images
    assert np.array_equal(held[0::2], held[1::2]) and (held[0] != held[2]).any()
    still = render_clip(character(3), PLAIN, Movement(moves=False), 2, 3, SIZE).images
    assert (still == still[0]).all()


@pytest.mark.parametrize("camera", CAMERAS[1:])
def test_a_moving_camera_moves_all_and_shows_no_edge_of_the_world(camera):
    for background in VALUES["background"]:
        scene = PLAIN.but(background=background)
        clip = render_clip(character(3), scene, Movement(False, camera=camera), 2, 8, SIZE)
        border = np.concatenate([clip.images[:, 0], clip.images[:, -1], clip.images[:, :, 0], clip.images[:, :, -1]], 1)
        assert not (border == 0).all(-1).any(), background
    assert (clip.masks[2] != clip.masks[0]).any()
    view = Movement(camera=camera).view(0, 8)
    closed = Movement(camera=camera).view(8, 8)
    assert view.origin == pytest.approx(closed.origin) and view.scale == pytest.approx(closed.scale)


def test_captions_name_the_motion():
    who = character(4)
    assert set(WORDS) == set(VALUES["action"])
    for action in VALUES["action"]:
        assert WORDS[action] in clip_caption(who, PLAIN.but(action=action), Movement())
    text = clip_caption(who, PLAIN, Movement(becomes="sad", camera="zoom"))
    assert who.species in text and text.endswith("from happy to sad, the camera zooms")
    assert clip_caption(who, PLAIN, Movement(moves=False)).endswith("happy")


def test_frames_have_captions_of_their_own_only_where_the_emotion_changes():
    rng, changed = random.Random(1), 0
    for seed in range(100):
        scene = random_scene(rng)
        becomes = next(e for e in VALUES["emotion"] if e != scene.emotion)
        told = frame_captions(character(seed), scene, Movement(becomes=becomes), rng, 8)
        assert len(told) == 8 and len(set(told[:4])) == len(set(told[4:])) == 1
        if told[0] != told[4]:
            assert told[0].replace(scene.emotion, becomes) == told[4]
            changed += 1
        assert len(set(frame_captions(character(seed), scene, Movement(), rng, 8))) == 1
    assert changed > 40


def test_random_movements_move_and_mostly_keep_the_camera():
    rng = random.Random(2)
    drawn = [random_movement(rng, PLAIN) for _ in range(300)]
    assert all(m.moves and m.becomes != "happy" for m in drawn)
    assert 0.2 < sum(bool(m.becomes) for m in drawn) / 300 < 0.45 and sum(m.camera == "still" for m in drawn) > 220
    assert {m.hold for m in drawn} == {1, 2}


def test_bad_movements_name_the_input():
    with pytest.raises(SealError, match="camera: 'spin' is not known"):
        Movement(camera="spin")
    with pytest.raises(SealError, match="becomes: StickerWorld draws no 'bored'"):
        Movement(becomes="bored")
    with pytest.raises(SealError, match="hold"):
        Movement(hold=0)
    with pytest.raises(SealError, match="frames"):
        render_clip(character(1), PLAIN, Movement(), frames=0)
