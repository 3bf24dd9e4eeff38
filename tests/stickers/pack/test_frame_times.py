"""Times of clips, for any of them: none is lost, none is too short, none drifts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seal_core.stickers.pack.clip import Clip, even_groups, looks_same
from seal_core.stickers.pack.frame_times import constant_rate_slots, fit_limits, frames_kept, whole_times
from seal_core.stickers.platforms import PLATFORMS

times = st.lists(st.floats(1, 3000), min_size=2, max_size=30)


@st.composite
def clips(draw):
    """Clips of 2 to 30 frames, of which some look alike; frame numbers are their red."""
    durations = draw(times)
    reds = draw(st.lists(st.integers(0, 6), min_size=len(durations), max_size=len(durations)))
    frames = np.full((len(reds), 1, 1, 4), 255, np.uint8)
    frames[:, 0, 0, 0] = reds
    return Clip(frames, tuple(durations))


def appears_in_order(clip, other):
    """Whether the frames of one are among the other's, in order."""
    rest = iter(other.frames[:, 0, 0, 0].tolist())
    return all(red in rest for red in clip.frames[:, 0, 0, 0].tolist())


@settings(deadline=None, max_examples=60)
@given(clips(), st.integers(1, 30))
def test_thinning_keeps_the_whole_time_and_the_order(clip, count):
    thinned = clip.thinned(count)
    assert thinned.total == pytest.approx(clip.total) and min(thinned.durations) > 0
    assert appears_in_order(thinned, clip) and thinned.moves == clip.moves
    if len(thinned.frames) > count:  # fewer would not move
        fewer = clip._joined(even_groups(np.array(clip.durations), count)) if count < len(clip.frames) else clip
        assert clip.moves and not fewer.moves


@settings(deadline=None, max_examples=60)
@given(times, st.data())
def test_groups_are_as_many_as_asked_for_and_whole(durations, data):
    count = data.draw(st.integers(1, len(durations) - 1))
    groups = even_groups(np.array(durations), count)
    assert len(groups) == len(durations) and len(np.unique(groups)) == count and (np.diff(groups) >= 0).all()


@settings(deadline=None, max_examples=60)
@given(clips())
def test_merging_joins_neighbours_that_look_alike_and_nothing_else(clip):
    merged = clip.merged()
    assert merged.total == pytest.approx(clip.total)
    assert not any(looks_same(a, b) for a, b in zip(merged.frames, merged.frames[1:]))
    reds = clip.frames[:, 0, 0, 0].tolist()
    assert merged.frames[:, 0, 0, 0].tolist() == [r for i, r in enumerate(reds) if i == 0 or r != reds[i - 1]]


@settings(deadline=None, max_examples=60)
@given(clips(), st.integers(1, 60))
def test_splitting_repeats_frames_in_their_own_time(clip, count):
    split = clip.split(count)
    assert len(split.frames) == max(count, len(clip.frames)) and split.total == pytest.approx(clip.total)
    assert split.merged().durations == pytest.approx(clip.merged().durations)


@settings(deadline=None, max_examples=60)
@given(clips(), st.floats(1, 200))
def test_spacing_gives_every_frame_its_least_time(clip, least):
    assume(clip.total >= 2 * least)
    spaced = clip.spaced(least)
    assert min(spaced.durations) >= least - 1e-6 and spaced.total == pytest.approx(clip.total)
    assert appears_in_order(spaced, clip) and 2 <= len(spaced.frames) <= len(clip.frames)


@pytest.mark.parametrize("platform", PLATFORMS)
@settings(deadline=None, max_examples=60)
@given(clip=clips(), faster=st.booleans())
def test_limits_are_kept_and_the_time_with_them(platform, clip, faster):
    motion = PLATFORMS[platform].motion
    assume(clip.moves)
    clip = clip if faster else replace(clip, durations=tuple(d / 30 for d in clip.durations))
    fitted, notes = fit_limits(clip.merged(), motion)
    assert min(fitted.durations) >= motion.min_frame_ms - 1e-6 and fitted.total <= motion.max_ms + 1e-6
    assert 2 <= len(fitted.frames) <= motion.max_frames
    if motion.whole_seconds:
        assert fitted.total / 1000 == pytest.approx(round(fitted.total / 1000))
    elif not notes and not motion.constant_rate:
        assert fitted.total == pytest.approx(clip.total)


@settings(deadline=None, max_examples=60)
@given(times, st.sampled_from([1, 10]), st.floats(1, 20))
def test_whole_times_do_not_drift(durations, unit, room):
    durations = [max(duration, 2 * unit) for duration in durations]
    limit = room * math.fsum(durations)
    whole = whole_times(durations, unit, limit)
    assert len(whole) == len(durations) and all(time >= unit and time % unit == 0 for time in whole)
    assert sum(whole) <= limit + 1e-6
    off = np.abs(np.cumsum(whole) - np.cumsum(durations))
    assert off.max() <= unit, "each mark is rounded by itself; the limit may take one unit off the end"


@settings(deadline=None, max_examples=60)
@given(times, st.integers(0, 60))
def test_slots_of_a_constant_rate(durations, more):
    most = len(durations) + more
    slots = constant_rate_slots(durations, most)
    assert len(slots) == len(durations) and min(slots) >= 1 and sum(slots) <= most


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 200), st.floats(0.01, 1), st.integers(1, 5))
def test_a_share_of_the_frames(total, share, least):
    assert min(total, least) <= frames_kept(total, share, least) <= total
    assert frames_kept(total, 1.0, least) == total
