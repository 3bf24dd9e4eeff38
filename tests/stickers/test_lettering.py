"""What is put on and around stickers: soft borders, captions nobody sees, emoji fonts, labels of contact sheets."""

from __future__ import annotations

import itertools
import warnings

import glyphs
import numpy as np
import pytest
import torch

from seal_core.messages import SealError
from seal_core.stickers.border import Border, Shadow, add_border
from seal_core.stickers.caption import Caption, add_caption, caption_layer
from seal_core.stickers.contact_sheet import arrange, contact_sheet
from seal_core.stickers.font import BUNDLED, Font, font_runs, open_font

# -- borders ----------------------------------------------------------------------------------------

CORNERED = np.zeros((26, 22), np.float32)  # at two edges of the frame, with a nook, a hole, faint and half pixels
CORNERED[2:20, :8] = CORNERED[16:, :] = 1
CORNERED[18:20, 12:15], CORNERED[4, 18], CORNERED[6:12, 12:15] = 0, 0.2, 0.7


def sticker(alpha):
    """(1, H, W, 4): grey with this alpha (H, W)."""
    return torch.from_numpy(np.dstack([np.full((*alpha.shape, 3), 0.5, np.float32), alpha]).astype(np.float32))[None]


def disc(size, radius):
    """Coverage of a disc in the middle of a square, (size, size)."""
    y, x = np.indices((size, size)) - (size - 1) / 2
    return (radius + 0.5 - np.hypot(y, x)).clip(0, 1)


@pytest.mark.parametrize("smooth", [0, 0.3, 6, 20])
@pytest.mark.parametrize("softness", [0, 1.5, 13, 40])
def test_nothing_reaches_the_edge_of_the_canvas(smooth, softness):
    shadows = (Shadow(), Shadow(0.7, 4, 6, 6), Shadow(0.7, -30, 0.5, 0), Shadow(1, 0.3, -9.7, 25))
    for width, gap, shadow in itertools.product((0.5, 3, 8), (0, 0.4, 5), shadows):
        mask = add_border(sticker(CORNERED), None, Border(width, "#fff", softness, gap, smooth), shadow)[1][0]
        rim = torch.cat([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert rim.max() == 0, (width, gap, shadow)


@pytest.mark.parametrize("smooth", [0, 0.3, 6, 30])
@pytest.mark.parametrize("softness", [0, 12, 30, 60])
def test_soft_edge_fades_as_asked(smooth, softness):
    """Around a disc, which has no inner corner to round, the line is the same whatever `smooth` is."""
    mask = add_border(sticker(disc(61, 20)), None, Border(width=10, softness=softness, smooth=smooth))[1][0].numpy()
    soft, middle = max(softness, 1), len(mask) // 2
    away = np.arange(len(mask) - middle) - 20  # from the disc's edge, to the right of its middle
    share = ((10 - away) / soft + 0.5).clip(0, 1)
    expected = share * share * (3 - 2 * share) if softness else share
    assert np.abs(mask[middle, middle:] - expected)[away > 0].max() < 0.03


# -- captions ---------------------------------------------------------------------------------------


def block(text="Hi", fonts=(), **look):
    """A caption alone, (h, w, 4)."""
    return caption_layer(Caption(text, **{"size": 40, "height": 80, **look}), 200, 200, fonts)


@pytest.mark.parametrize("text", ["", "\u200b", "\u200d", "\ufe0f", "\x00", "\u00ad", "\ufeff", "\n \u200b\n"])
def test_text_of_invisible_characters_changes_nothing(text):
    image = sticker(disc(64, 20))
    for stroke in (0, 12):
        assert torch.equal(add_caption(image, None, Caption(text, stroke=stroke))[0], image)


def test_text_without_visible_colour_is_refused():
    for look in ({"fill": "#ffffff00", "stroke": 0}, {"fill": "#ffffff00", "stroke_colour": "#20202800"}):
        with pytest.raises(SealError, match=r"^fill, stroke_colour: .*cannot be seen"):
            block(**look)


def test_line_lies_around_letters_whatever_their_opacity():
    """The line's cover does not depend on the fill; through letters without a fill the picture shows."""
    blocks = [block(fill=f"#ffffff{opacity}", stroke_colour="#ff0000") for opacity in ("ff", "90", "60", "00")]
    solid, hollow = blocks[0], blocks[-1]
    letters = (solid[..., 1] > 0.99) & (solid[..., 3] > 0.99)
    line = (solid[..., 1] < 0.01) & (solid[..., 3] > 0.99)
    assert letters.mean() > 0.1 and line.mean() > 0.1
    for shown, opacity in zip(blocks, (1, 0x90 / 255, 0x60 / 255, 0)):
        assert shown.shape == solid.shape
        assert np.allclose(shown[letters][:, 3], opacity, atol=0.01) and shown[line][:, 3].min() > 0.99
    assert np.abs(hollow[hollow[..., 3] > 0.1][:, :3] - [1, 0, 0]).max() < 0.01


def test_thin_line_around_a_faint_fill_is_no_veil():
    shown = block(size=8, stroke=3, fill="#ffffff60")
    assert (shown[..., 3] < 0.01).mean() > 0.1


def test_control_characters_are_not_drawn():
    assert np.array_equal(block("a\x00b\x07"), block("ab"))


# -- fonts ------------------------------------------------------------------------------------------


def fonts():
    """Characters alone: a text font with a few monochrome pictures, and an emoji font with the digits of keycaps."""
    text = Font("", "text", frozenset(map(ord, "Aa12#* ©❤😀⌚\u20e3\u0303q")))
    emoji = Font("", "emoji", frozenset(map(ord, "12#* ©❤😀⌚👩🚀👍🏽🇩🇪\u20e3")))
    assert emoji.emoji and not text.emoji
    return text, emoji


def cut(line, *chain):
    return [(font.name, run) for font, run in font_runs(line, chain)]


def test_digits_come_from_text_fonts_and_keycaps_from_emoji_fonts():
    text, emoji = fonts()
    for chain in ((text, emoji), (emoji, text)):
        assert cut("12 #* ©", *chain) == [("text", "12 #* ©")]
        assert cut("2\ufe0f\u20e3", *chain) == [("emoji", "2\ufe0f\u20e3")]
        assert cut("1#\u20e32", *chain) == [("text", "1"), ("emoji", "#\u20e3"), ("text", "2")]
    assert cut("2", emoji) == [("emoji", "2")], "better than nothing"


def test_emoji_come_from_emoji_fonts_and_the_text_style_from_text_fonts():
    text, emoji = fonts()
    for chain in ((text, emoji), (emoji, text)):
        assert cut("😀⌚❤\ufe0f", *chain) == [("emoji", "😀⌚❤\ufe0f")]
        assert cut("😀\ufe0e❤\ufe0e", *chain) == [("text", "😀\ufe0e❤\ufe0e")]
        assert cut("❤", *chain) == [(chain[0].name, "❤")], "of both styles alike: the order decides"
    assert cut("👩\ufe0e", text, emoji) == [("emoji", "👩\ufe0e")]


def test_what_belongs_together_stays_in_one_font():
    text, emoji = fonts()
    joined = "👩\u200d🚀👍🏽🇩🇪"
    assert cut(f"a{joined} 1", text, emoji) == [("text", "a"), ("emoji", joined), ("text", " 1")]
    marks = Font("", "marks", frozenset(map(ord, "\u0303")))
    assert cut("aq\u0303\u200b", marks, text) == [("text", "aq\u0303\u200b")]
    assert cut("A\u0303", Font("", "letters", frozenset([65])), marks) == [("letters", "A"), ("marks", "\u0303")]


@pytest.mark.skipif(not glyphs.available(), reason=glyphs.MISSING)
def test_digits_look_the_same_with_an_emoji_font():
    emoji = open_font(glyphs.FONT)
    assert emoji.emoji and not open_font(BUNDLED).emoji
    assert np.array_equal(block("2024 #1 *", [emoji]), block("2024 #1 *"))
    keycap, digit = block("1\ufe0f\u20e3", [emoji], stroke=0), block("1", [emoji], stroke=0)
    blue = [((b[..., 3] > 0.9) & (b[..., 2] > b[..., 0] + 0.1)).mean() for b in (keycap, digit)]
    assert blue[0] > 0.3 and blue[1] == 0


# -- contact sheets -----------------------------------------------------------------------------------


def captions(labels, cell=128, **options):
    """What is drawn under a white sheet's pictures, one strip (h, cell, 3) for each label, and where there is ink."""
    images = [torch.zeros(1, 8, 8, 4)] * len(labels)
    sheet = contact_sheet(images, labels, columns=len(labels), cell=cell, ground="white", **options)[0].numpy()
    gap = max(4, cell // 24)
    strips = [sheet[-(gap + 14) :, gap + i * (cell + gap) :][:, :cell] for i in range(len(labels))]
    return strips, [strip.min(2) < 0.6 for strip in strips]


def test_characters_that_no_font_has_are_shown_and_named():
    with pytest.warns(UserWarning, match=r"^labels, title: .* lacks 日 \(U\+65E5\) 本 .* 漢 \(U\+6F22\), .*font"):
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
