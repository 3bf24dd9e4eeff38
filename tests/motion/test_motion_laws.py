"""Loops without a seam, feet on the ground, a first frame that can be seen alone."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest

from seal_core.motion.motion_laws import MOTIONS, POSES, loop_seconds, stances
from seal_core.motion.overlay_laws import OVERLAYS, Body, overlay_marks
from seal_core.motion.stances import Stance, Wave

motions = pytest.mark.parametrize("motion", MOTIONS)
FINE = 2000


def numbers(stance: Stance) -> np.ndarray:
    """What a stance does to four points, so that equal ones are equal however they are written."""
    points = [stance.moved(x, y) for x, y in ((0.5, 0.0), (-0.5, 0.0), (0.4, 1.0), (-0.4, -0.5))]
    return np.array(points).ravel()


def steps(motion: str, count: int, poses: int = 1) -> np.ndarray:
    """How far the points go from each frame to the next; the last goes to the first."""
    moments = np.stack([numbers(stance) for stance in stances(motion, 1.0, count, poses)])
    return np.abs(np.roll(moments, -1, 0) - moments).max(1)


@motions
def test_there_is_no_seam(motion):
    """On a fine grid, the step from the last frame to the first is like its neighbours, and so is its change."""
    taken = steps(motion, FINE, 3 if motion == POSES else 1)
    before, seam, after = taken[-2], taken[-1], taken[0]
    assert abs(seam - before) < 0.05 * taken.max() and abs(after - seam) < 0.05 * taken.max()
    assert 0 < taken.max() < 30 / FINE, "continuous all round"


@motions
def test_the_law_is_a_function_of_the_phase_alone(motion):
    poses = 4 if motion == POSES else 1
    few, many = stances(motion, 1.0, 32, poses), stances(motion, 1.0, 64, poses)
    assert [astuple(one) for one in few] == [astuple(other) for other in many[::2]]
    law = MOTIONS[motion].law
    assert np.allclose(numbers(law(1 - 1e-12, 1.0, 32, poses)), numbers(law(0.0, 1.0, 32, poses)), atol=1e-9)


@motions
@pytest.mark.parametrize("frames", [4, 5, 8, 16])
def test_even_few_frames_move(motion, frames):
    """A shake that is as quick as the frames would stand still."""
    if motion == POSES:
        assert {stance.picture for stance in stances(motion, 1.0, frames, 2)} == {0, 1}
    else:
        assert steps(motion, frames).max() > 0.02


@motions
def test_no_strength_is_no_motion(motion):
    assert all(np.allclose(numbers(stance), numbers(Stance())) for stance in stances(motion, 0.0, 16))


@motions
def test_more_strength_moves_further(motion):
    def far(strength):
        return max(np.abs(numbers(s) - numbers(Stance())).max() for s in stances(motion, strength, 64, 1))

    assert 0 < far(0.5) < far(1.0) < far(2.0)


@motions
def test_the_first_frame_can_stand_alone(motion):
    """It is what a chat shows while nothing moves: neither squashed nor bent much."""
    first = stances(motion, 1.0, 16, 2)[0]
    assert first.picture == 0 and 0.93 < first.stretch < 1.08 and 0.93 < first.zoom < 1.08
    assert abs(first.moved(0.0, 1.0)[0]) < 0.2


@pytest.mark.parametrize("motion", ["bounce", "wobble", POSES])
def test_feet_stay_on_the_ground_or_above(motion):
    made = stances(motion, 2.0, 64, 3)
    lifted = [stance.up for stance in made]
    assert min(lifted) == 0 and all(s.zoom == 1 and s.turn.amount == 0 for s in made)
    assert sum(up == 0 for up in lifted) >= (20 if motion == "bounce" else 64)


def test_a_bounce_is_a_parabola_that_squashes_on_the_ground():
    made = stances("bounce", 1.0, FINE)
    up = np.array([s.up for s in made])
    air = up > 0
    fall = np.diff(up, 2)[air[2:] & air[:-2]]
    assert np.allclose(fall, fall.mean(), rtol=1e-3) and fall.mean() < 0, "one acceleration"
    stretch = np.array([s.stretch for s in made])
    assert stretch[~air].min() < 0.85 and stretch[air].min() >= 0.99
    hits = [i for i in range(FINE) if air[i] and not air[(i + 1) % FINE]]
    assert len(hits) == 1 and stretch[hits[0]] > 1.1, "it hits the ground stretched"


def test_poses_hold_then_duck_and_change_while_lowest():
    made = stances(POSES, 1.0, 4 * 40, 4)
    shown = [s.picture for s in made]
    assert shown == sorted(shown[:-20]) + [0] * 20 and set(shown) == {0, 1, 2, 3}
    stretch = np.array([s.stretch for s in made])
    changes = [i for i in range(1, len(shown)) if shown[i] != shown[i - 1]]
    assert len(changes) == 4
    for i in changes:
        assert stretch[i] == pytest.approx(stretch.min(), abs=1e-9)
        assert stretch[i : i + 20].max() > 1.03, "overshoots"
    assert (abs(stretch - 1) < 0.02).mean() > 0.4, "and holds"


def test_poses_with_few_frames_only_change():
    assert {s.stretch for s in stances(POSES, 1.0, 8, 4)} == {1.0}
    assert [s.picture for s in stances(POSES, 1.0, 8, 4)] == [0, 1, 1, 2, 2, 3, 3, 0]


def test_a_pace_of_its_own():
    assert loop_seconds("bounce", 5) == 0.8 and loop_seconds(POSES, 5) == pytest.approx(3.0)


BODY = Body(0.05, 0.45, -0.5, 1.1)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlays_loop_and_come_and_go_small(overlay):
    """No mark jumps, grows or vanishes at once between two neighbouring moments, the seam included."""
    stance = Stance(bend=Wave(0.1, 0.2))
    moments = [overlay_marks(overlay, i / FINE, stance, BODY) for i in range(FINE)]
    assert moments[0] == overlay_marks(overlay, 1.0, stance, BODY)
    assert (overlay == "none") == all(not marks for marks in moments)
    for before, after in zip(moments, moments[1:] + moments[:1]):
        lonely = list(after)
        for mark in before:
            near = [m for m in lonely if math.hypot(m.x - mark.x, m.y - mark.y) < 0.01]
            if near:
                lonely.remove(near[0])
                assert abs(near[0].radius - mark.radius) < 0.005 and math.cos(near[0].angle - mark.angle) > 0.999
            else:
                assert mark.radius < 0.02
        assert all(mark.radius < 0.02 for mark in lonely)


@pytest.mark.parametrize("overlay", [name for name in OVERLAYS if name != "none"])
def test_overlays_are_seen_in_every_frame_and_leave_the_face_free(overlay):
    for i in range(16):
        marks = overlay_marks(overlay, i / 16, Stance(), BODY)
        assert any(mark.radius > 0.05 for mark in marks)
        for mark in marks:
            across, up = abs(mark.x - BODY.x) / BODY.half, (mark.y - BODY.foot) / BODY.high
            assert across > 0.6 or up > 0.95
