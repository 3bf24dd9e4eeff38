"""Captions: size, places, fill and line; texts that cannot be seen."""

from __future__ import annotations

import glyphs
import numpy as np
import pytest
import torch
from discs import disc_sticker

from seal_core.messages import SealError
from seal_core.stickers.caption import Caption, add_caption, caption_layer
from seal_core.stickers.font import BUNDLED, open_font


def test_text_fits_and_breaks_lines():
    one = caption_layer(Caption("Hi", size=30), 200, 200)
    long = caption_layer(Caption("a rather long caption with many words", size=30, height=40), 200, 200)
    assert one.shape[0] <= 60 and one.shape[1] < 100
    assert long.shape[1] <= 0.92 * 200 + 2 and long.shape[0] <= 0.4 * 200 + 2
    tall = caption_layer(Caption("a\nb\nc", size=10), 200, 200)
    assert tall.shape[0] > 2 * caption_layer(Caption("a", size=10), 200, 200).shape[0]
    kana = caption_layer(Caption("ありがとうございました", size=20, width=40), 200, 200)
    assert kana.shape[1] <= 82 and kana.shape[0] > kana.shape[1] / 2, "broken between characters"


def test_fill_and_stroke():
    block = caption_layer(
        Caption("O", size=80, height=90, fill="#ff0000", stroke_colour="#0000ff", stroke=10), 200, 200
    )
    solid = block[block[..., 3] > 0.99][:, :3]
    red, blue = ((np.abs(solid - c).max(1) < 0.02).mean() for c in ([1, 0, 0], [0, 0, 1]))
    assert red > 0.2 and blue > 0.2 and red + blue > 0.85
    bare = caption_layer(Caption("O", size=80, height=90, stroke=0), 200, 200)
    assert bare.shape[0] < block.shape[0] - 10


def test_places():
    image = disc_sticker(128, 50)
    for place in ("bottom", "top", "middle"):
        out, mask = add_caption(image, None, Caption("Hello", place))
        assert out.shape == image.shape
        where = torch.nonzero((out - image).abs().amax((0, 2, 3)) > 0.2).flatten().float().mean()
        assert {"bottom": where > 90, "top": where < 38, "middle": 50 < where < 78}[place]
    for place in ("below", "above"):
        out, mask = add_caption(image, None, Caption("Hello", place))
        extra = out.shape[1] - 128
        assert 15 < extra < 40 and out.shape[2] == 128
        kept = out[:, :128] if place == "below" else out[:, extra:]
        assert torch.equal(kept, image)
        assert mask[0, 128:].max() == 1 if place == "below" else mask[0, :extra].max() == 1
    assert torch.equal(add_caption(image, None, Caption("  "))[0], image)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"text": "漢字"}, r"^text: .*漢 \(U\+6F22\)"),
        ({"text": "word " * 79, "height": 5}, "^text: .*too small"),
        ({"text": "x" * 401}, "^text: 401"),
        ({"text": "x", "place": "left"}, "^place"),
        ({"text": "x", "size": 0}, "^size"),
        ({"text": "x", "fill": "#12"}, "^fill"),
    ],
)
def test_bad_captions(options, words):
    with pytest.raises(SealError, match=words):
        add_caption(disc_sticker(), None, Caption(**options))


def block(text="Hi", fonts=(), **look):
    """A caption alone, (h, w, 4)."""
    return caption_layer(Caption(text, **{"size": 40, "height": 80, **look}), 200, 200, fonts)


@pytest.mark.parametrize("text", ["", "\u200b", "\u200d", "\ufe0f", "\x00", "\u00ad", "\ufeff", "\n \u200b\n"])
def test_text_of_invisible_characters_changes_nothing(text):
    image = disc_sticker()
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


@pytest.mark.skipif(not glyphs.available(), reason=glyphs.MISSING)
def test_digits_look_the_same_with_an_emoji_font():
    emoji = open_font(glyphs.FONT)
    assert emoji.emoji and not open_font(BUNDLED).emoji
    assert np.array_equal(block("2024 #1 *", [glyphs.FONT]), block("2024 #1 *"))
    keycap, digit = block("1\ufe0f\u20e3", [glyphs.FONT], stroke=0), block("1", [glyphs.FONT], stroke=0)
    blue = [((b[..., 3] > 0.9) & (b[..., 2] > b[..., 0] + 0.1)).mean() for b in (keycap, digit)]
    assert blue[0] > 0.3 and blue[1] == 0
