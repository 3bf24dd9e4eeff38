"""Contact sheets: order, labels, scores, sizes."""

from __future__ import annotations

import warnings

import glyphs
import numpy as np
import pytest
import torch
from discs import disc_sticker

from seal_core.messages import SealError
from seal_core.stickers.contact_sheet import arrange, contact_sheet


def test_rows_and_columns_come_from_the_sweep():
    labels = [f"{a}, {b}" for a in ("happy", "sad, crying") for b in ("jumping", "waving", "asleep")]
    grid = arrange(labels, [1] * 6)
    assert grid.columns == 3 and grid.rows == ("happy", "sad, crying") and grid.heads == ("jumping", "waving", "asleep")
    assert arrange(["a", "b", "c", "d", "e"], [1] * 5).columns == 3
    assert arrange(["a", "b", "c", "d", "e"], [1] * 5).captions == ("a", "b", "c", "d", "e")
    seeds = arrange(["a", "a", "b", "b"], [2, 2], repeated=True)
    assert seeds.columns == 2 and seeds.rows == ("a", "b") and seeds.heads == ("#1", "#2")
    assert arrange(labels, [1] * 6, columns=2).captions == tuple(labels)


def test_sheet_shows_every_picture_in_its_place():
    colours = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)]
    images = [disc_sticker(40 + 8 * i, 18, c) for i, c in enumerate(colours)]
    sheet = contact_sheet(images, columns=3, cell=64, ground="white")
    assert sheet.shape[0] == 1 and sheet.shape[3] == 3
    gap = 4
    for i, c in enumerate(colours):
        y, x = gap + i // 3 * (64 + gap) + 32, gap + i % 3 * (64 + gap) + 32
        assert (sheet[0, y, x] - torch.tensor(c, dtype=torch.float32)).abs().max() < 0.02
    labelled = contact_sheet(images, list("abcdef"), [0.1, 0.2, 0.3, 0.9, 0.5, 0.6], columns=3, cell=64, title="Six")
    assert labelled.shape[1] > sheet.shape[1] + 2 * 20


def test_labels_may_be_the_lines_of_one_text():
    images = [torch.rand(4, 32, 32, 3)]
    assert contact_sheet(images, ["a\nb\nc\nd"], cell=64).equal(contact_sheet(images, list("abcd"), cell=64))
    assert not contact_sheet(images, ["a\nb"], cell=64).equal(contact_sheet(images, list("abab"), cell=64))


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (([],), {}, "^image: 0 pictures"),
        (([torch.ones(3, 8, 8, 3)], ["a", "b"]), {}, "^labels: 2 for 1"),
        (([torch.ones(3, 8, 8, 3)], [], [1.0, 2.0]), {}, "^scores: 2 for 1"),
        (([torch.ones(3, 8, 8, 3)],), {"ground": "sea"}, "^ground"),
        (([torch.ones(3, 8, 8, 3)],), {"cell": 5}, "^cell"),
        (([torch.ones(3, 8, 8, 3)],), {"columns": 9}, "^columns"),
    ],
)
def test_bad_sheets(arguments, options, words):
    with pytest.raises(SealError, match=words):
        contact_sheet(*arguments, **options)


def captions(labels, cell=128, **options):
    """What is drawn under a white sheet's pictures, one strip (h, cell, 3) for each label, and where there is ink."""
    images = [torch.zeros(1, 8, 8, 4)] * len(labels)
    sheet = contact_sheet(images, labels, columns=len(labels), cell=cell, ground="white", **options)[0].numpy()
    gap = max(4, cell // 24)
    strips = [sheet[-(gap + 14) :, gap + i * (cell + gap) :][:, :cell] for i in range(len(labels))]
    return strips, [strip.min(2) < 0.6 for strip in strips]


def test_characters_that_no_font_has_are_shown_and_named():
    with pytest.warns(UserWarning, match=r"^labels, title: .* lacks 日 \(U\+65E5\) 本 .* 漢 \(U\+6F22\); .*font"):
        _, ink = captions(["日本", "漢", "cat"], title="漢")
    assert all(i.sum() > 40 for i in ink)
    assert np.array_equal(ink[1], captions(["U+6F22"])[1][0]), "spelled out, so that labels do not look alike"
    assert not np.array_equal(ink[0], ink[1])


def test_labels_that_the_font_has_give_no_warning(recwarn):
    captions(["naïve", "e\u0301\x00 あ", "\u200b", ""], title="été")
    assert not recwarn


@pytest.mark.skipif(not glyphs.available(), reason=glyphs.MISSING)
def test_labels_use_the_fonts_that_are_given(recwarn):
    (face, digits), ink = captions(["😀", "2024"], fonts=[glyphs.FONT])
    yellow = (face[..., 0] > 0.8) & (face[..., 1] > 0.5) & (face[..., 2] < 0.4)
    assert yellow.sum() > 20 and not recwarn
    assert np.array_equal(digits, captions(["2024"])[0][0])
    columns = np.flatnonzero(ink[1].any(0))
    assert abs(columns.mean() - 64) < 2, "in the middle under the picture"


def test_long_labels_are_cut_between_characters():
    (strip, short), ink = captions(["x" * 3000, "x" * 5])
    assert np.flatnonzero(ink[0].any(0))[-1] > 110 and ink[0].any(0).mean() > 0.5
    assert np.flatnonzero(ink[1].any(0))[-1] < 100
    assert strip.shape == short.shape


def test_a_font_that_is_not_there_is_refused():
    with pytest.raises(SealError, match=r"^font: there is no file"):
        contact_sheet([torch.ones(1, 8, 8, 3)], fonts=["none.ttf"])


@pytest.mark.parametrize("columns", [0, 1, 30, 64, 600])
@pytest.mark.parametrize("worded", [False, True])
def test_no_sheet_is_larger_than_it_may_be(columns, worded, monkeypatch):
    """Cells shrink before columns give way; they are as large as they can be."""
    monkeypatch.setattr("seal_core.stickers.contact_sheet.LARGEST", 2400)
    labels, scores = ([f"{i // 20}, {i % 20}" for i in range(600)], [0.5] * 600) if worded else ([], [])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sheet = contact_sheet(
            [torch.ones(600, 1, 1, 3)], labels, scores, columns=columns, cell=1024, title="T" * worded
        )
    assert 2200 < max(sheet.shape[1:3]) <= 2400
    assert len(caught) == (columns in (1, 600))


def test_columns_that_do_not_fit_give_way():
    """Also those that the labels ask for; the labels go under the pictures then."""
    pictures = torch.zeros(600, 2, 2, 3)
    pictures[:, ..., 0] = torch.linspace(0.2, 1, 600)[:, None, None]
    labels = [f"{i // 2}, {i % 2}" for i in range(600)]
    assert arrange(labels, [600]).columns == 2
    for words, columns in (([], 1), (labels, 0)):
        with pytest.warns(UserWarning, match=rf"^columns: {columns or 2} x {600 // (columns or 2)} .* 8192"):
            sheet = contact_sheet([pictures], words, columns=columns, cell=32)[0]
        rows, deep = np.arange(600) // 25, 36 + bool(words) * 16
        middles = sheet[4 + rows * deep + 16, 4 + np.arange(600) % 25 * 36 + 16, 0]
        assert (middles - pictures[:, 0, 0, 0]).abs().max() < 0.01
        if words:
            assert sheet.shape[0] == 4 + 24 * deep


def test_the_best_score_is_marked_wherever_others_are_not_numbers():
    nan = float("nan")
    for scores, best in (([nan, 0.2, 0.9], 2), ([0.9, nan, 0.2], 0), ([-2.0, -1.0, nan], 1), ([nan] * 3, None)):
        strips, _ = captions(["", "", ""], scores=scores)
        green = [bool(((s[..., 1] > s[..., 0] + 0.2) & (s[..., 1] > s[..., 2] + 0.1)).any()) for s in strips]
        assert green == [i == best for i in range(3)]
