"""Dual masks: what is given, what counts."""

import random

import pytest
import torch

from seal_core.messages import SealError
from seal_core.motion.temporal.frame_masks import TASKS, counted_frames, known_frames, random_tasks, real_frames


def masks(task, real=8, frames=8, count=200):
    rng = random.Random(1)
    return torch.stack([known_frames(task, real, frames, rng) for _ in range(count)])


def test_text_gives_nothing_and_a_still_one_frame_anywhere():
    assert not masks("text").any()
    still = masks("still")
    assert (still.sum(1) == 1).all() and still.any(0).all()


def test_interpolation_gives_every_second_and_prediction_the_first():
    between = masks("interpolation")
    assert (between.sum(1) == 4).all() and {tuple(m.nonzero().flatten().tolist()) for m in between} == {
        (0, 2, 4, 6),
        (1, 3, 5, 7),
    }
    first = masks("prediction")
    counts = first.sum(1)
    assert set(counts.tolist()) == set(range(1, 8))
    assert all(bool(mask[:n].all()) for mask, n in zip(first, counts))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("real", [1, 2, 3, 8])
def test_given_frames_are_real_and_one_real_frame_is_left(task, real):
    found = masks(task, real)
    assert not found[:, real:].any() and (found[:, :real].sum(1) < real).all()


def test_real_frames():
    assert real_frames(torch.tensor([8, 8]), 8) is None
    assert real_frames(torch.tensor([1, 3]), 3).tolist() == [[True, False, False], [True, True, True]]


def test_counted_frames_have_mean_one():
    known = torch.tensor([[True, False, False], [False, False, False]])
    real = torch.tensor([[True, True, False], [True, True, True]])
    weights = counted_frames(known, real)
    assert (weights > 0).tolist() == [[False, True, False], [True, True, True]] and float(weights.mean()) == 1
    assert (counted_frames(known, None) > 0).tolist() == (~known).tolist()


def test_tasks_come_in_their_shares():
    drawn = random_tasks(random.Random(0), 2000)
    assert sum(TASKS.values()) == pytest.approx(1)
    assert all(abs(drawn.count(task) / 2000 - share) < 0.04 for task, share in TASKS.items())
    assert random_tasks(random.Random(0), 5, {"text": 1.0}) == ["text"] * 5
    with pytest.raises(SealError, match="task: 'video' is not known"):
        known_frames("video", 8, 8, random.Random(0))
