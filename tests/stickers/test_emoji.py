"""What counts as one emoji: texts put together from known ones are cut where they were joined."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seal_core.messages import SealError
from seal_core.stickers.emoji import EMOJI_STYLE, JOINER, KEYCAP, REGIONS, drawn_as_emoji, split_emoji, spoken

TONES = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
PEOPLE = "👩👨🧑👧👦👶🧓"
HANDS = "👍👋🤘🫶🙏💪"
FACES = "😀😢🤖🐱🎉🚀⌚🌈🫠🪿"
TEXT_BY_DEFAULT = "☺❤♀♂©™☎✈"
WALES = "🏴" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbwls") + "\U000e007f"


def _flag(region: str) -> str:
    return "".join(chr(0x1F1E6 + ord(letter) - ord("A")) for letter in region)


flags = st.sampled_from(sorted(REGIONS)).map(_flag)
keycaps = (
    st.tuples(st.sampled_from("0123456789#*"), st.sampled_from(["", EMOJI_STYLE]))
    .map("".join)
    .map(lambda key: key + KEYCAP)
)
toned = st.tuples(st.sampled_from(HANDS + PEOPLE), st.sampled_from(["", *TONES])).map("".join)
faces = st.sampled_from(FACES)
styled = st.sampled_from(TEXT_BY_DEFAULT).map(lambda sign: sign + EMOJI_STYLE)
families = st.lists(toned, min_size=2, max_size=4).map(JOINER.join)
jobs = st.tuples(toned, st.sampled_from(["🚀", "♀" + EMOJI_STYLE, "❤" + EMOJI_STYLE, "🦰"])).map(JOINER.join)
one_emoji = st.one_of(flags, keycaps, toned, faces, styled, families, jobs, st.just(WALES), st.just("🏴"))
separators = st.text(" ,;|\t", max_size=3)
# Letters, digits without a keycap, lone surrogates, marks, joiners: nothing that is an emoji by itself.
others = st.sampled_from(
    [
        "a",
        "ß",
        "1",
        "#",
        "!",
        "漢",
        "\ud83d",
        "\udfff",
        JOINER,
        EMOJI_STYLE,
        KEYCAP,
        "\u0301",
        "\U000e0067",
        "\n",
        "🇽🇽",
        "🇩",
    ]
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(one_emoji, separators), max_size=8))
def test_texts_are_cut_where_they_were_joined(parts):
    text = "".join(emoji + separator for emoji, separator in parts)
    assert split_emoji(text) == tuple(dict.fromkeys(emoji for emoji, _ in parts))


@settings(deadline=None, max_examples=60)
@given(st.lists(one_emoji, max_size=3), others, st.lists(one_emoji, max_size=3), st.sampled_from([" ", ", ", "|"]))
def test_anything_else_is_refused_wherever_it_stands(before, other, after, separator):
    with pytest.raises(SealError, match=r"^emoji: .* is not an emoji"):
        split_emoji(separator.join([*before, other, *after]))


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=12))
def test_any_text_is_cut_whole_or_refused(text):
    try:
        found = split_emoji(text, "here")
    except SealError as error:
        assert str(error).startswith("here: ")
        return
    assert found == split_emoji(" ".join(found)) and len(set(found)) == len(found)
    assert set("".join(found)) <= set(text) | {EMOJI_STYLE}


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(TEXT_BY_DEFAULT), st.sampled_from(FACES))
def test_signs_drawn_as_text_get_the_emoji_style(sign, face):
    assert split_emoji(sign) == (sign + EMOJI_STYLE,) and split_emoji(face) == (face,)
    assert drawn_as_emoji(face) and not drawn_as_emoji(sign)


@settings(deadline=None, max_examples=60)
@given(one_emoji)
def test_every_emoji_has_a_tag(emoji):
    tag = spoken(emoji)
    assert tag and tag == tag.lower() and tag.isascii() and not set(tag) & set(" -")
    if len(emoji) == 1:  # Python's names may be older than the emoji
        assert tag == unicodedata.name(emoji, "emoji").lower().replace(" ", "_").replace("-", "_")


@pytest.mark.parametrize(
    "text", ["👍🏽\u200d", "👩\u200d", "👩\u200d\u200d👩", "👩\u200d1️⃣", "👩\u200d🇩🇪", "🏴\U000e0067\U000e007f"]
)
def test_a_sequence_that_begins_wrongly_is_not_cut_shorter(text):
    with pytest.raises(SealError) as caught:
        split_emoji(text)
    assert repr(text) in str(caught.value)


def test_a_tone_on_what_takes_none_is_an_emoji_of_its_own():
    assert split_emoji("😀🏽") == ("😀", "🏽")
