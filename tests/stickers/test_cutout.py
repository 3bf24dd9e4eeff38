"""Cutting out many pictures at once: one that shows no subject costs nobody else, and is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seal_core.messages import SealError
from seal_core.stickers.border import add_border
from seal_core.stickers.cutout import CARD, cut_all, cutout, whole_card


def disc(size=48, radius=14.0, ground=0.9):
    """(size, size, 3): a red disc on a grey ground."""
    y, x = np.ogrid[0.5:size, 0.5:size]
    inside = np.clip(radius - np.hypot(x - size / 2, y - size / 2) + 0.5, 0, 1)[..., None]
    return torch.from_numpy((inside * np.float32([0.8, 0.1, 0.1]) + (1 - inside) * ground).astype(np.float32))


EMPTY = torch.full((48, 48, 3), 0.5)


def test_batches_as_cutout_makes_them():
    batches = [torch.stack([disc(), disc(radius=10)]), disc(64)[None]]
    cuts, report = cut_all(batches)
    assert report == "3 of 3 pictures cut out"
    for cut, batch in zip(cuts, batches, strict=True):
        assert torch.equal(cut, cutout(batch)[0])


def test_masks_for_all_for_each_batch_and_for_each_picture():
    left, right = torch.zeros(48, 48), torch.zeros(48, 48)
    left[10:38, 8:20], right[10:38, 26:40] = 1, 1
    batches = [torch.stack([disc(), disc()]), disc()[None]]
    options = {"mask_polarity": "foreground"}
    for masks, wanted in (
        ([left], [left, left, left]),
        ([left[None], right[None]], [left, left, right]),
        ([torch.stack([left, right]), left[None]], [left, right, left]),
    ):
        cuts, _ = cut_all(batches, masks, **options)
        for cut, mask in zip(torch.cat(cuts), wanted, strict=True):
            assert torch.equal(cut, cutout(disc(), mask, **options)[0][0])
    for masks, message in (
        ([left] * 3, "mask: 3 masks for 2 batches"),
        ([torch.stack([left] * 3), left], "mask: 3 masks for 2 images"),
    ):
        with pytest.raises(SealError, match=message):
            cut_all(batches, masks, **options)


def test_stops_and_names_every_picture_that_failed():
    batches = [disc()[None], EMPTY[None], torch.stack([disc(), EMPTY])]
    message = r"^image: 2 of 4 pictures could not be cut out. Picture 2, 4: image: .*if_not_found to 'keep the picture'"
    with pytest.raises(SealError, match=message):
        cut_all(batches)


def test_keeps_the_others_and_tells_which_one_stayed_whole():
    told = []
    batches = [disc()[None], EMPTY[None], disc(radius=9)[None]]
    cuts, report = cut_all(batches, failing=CARD, progress=lambda *step: told.append(step))
    first, second = report.splitlines()
    assert first == "2 of 3 pictures cut out" and second.startswith("picture 2 kept whole: image: ")
    assert torch.equal(cuts[0], cutout(batches[0])[0]) and torch.equal(cuts[2], cutout(batches[2])[0])
    assert torch.equal(cuts[1][0], whole_card(EMPTY)) and told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("failing", ["stop", CARD])
def test_nothing_found_anywhere_is_an_error(failing):
    with pytest.raises(SealError, match=r"^image: none of the 2 pictures"):
        cut_all([EMPTY[None], EMPTY[None]], failing=failing)
    with pytest.raises(SealError, match=r"^image: the border method"):
        cut_all([EMPTY[None]], failing=failing)


def test_bad_input():
    with pytest.raises(SealError, match=r"^if_not_found: 'drop'"):
        cut_all([disc()[None]], failing="drop")
    with pytest.raises(SealError, match=r"^image: needs the shape .*got \(0, 48"):
        cut_all([disc()[None], disc()[None][:0]])


@pytest.mark.parametrize("shape", [(48, 48, 3), (30, 100, 4), (3, 2, 1), (1, 1, 3)])
def test_a_card_is_the_picture_with_round_corners(shape):
    made = whole_card(torch.full(shape, 0.25))
    assert made.shape == (*shape[:2], 4) and made.dtype == torch.float32 and bool((made[..., :3] == 0.25).all())
    alpha = made[..., 3]
    assert alpha.min() >= 0 and alpha.max() <= 1
    assert torch.equal(alpha, alpha.flip(0)) and torch.equal(alpha, alpha.flip(1))
    if min(shape[:2]) > 20:
        assert alpha[0, 0] == 0 and alpha[2:-2, shape[1] // 2].min() == 1
        assert add_border(made[None])[0].shape[1] > shape[0], "the other nodes take it"
