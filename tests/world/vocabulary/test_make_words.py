"""The words of `described` out of WordNet, on a database of a few lines."""

import json

import pytest

from seal_core.messages import SealError
from seal_core.method.describing_words import WORDS_FILE
from seal_core.world.vocabulary.make_words import GROUPS_FILE, common_nouns, listed, made_words, with_article
from seal_core.world.vocabulary.wordnet import read_wordnet

INDEX = """  1 licence
hat n 1 2 @ ~ 1 1 00000001
crown n 2 1 @ 2 1 00000009 00000002
turtle n 1 1 @ 1 1 00000004
zzgarble n 1 1 @ 1 1 00000003
"""
DATA = """  1 licence
00000001 06 n 01 hat 0 003 @ 00000009 n 0000 ~ 00000002 n 0000 ~ 00000003 n 0000 | covers the head
00000002 06 n 01 crown 0 002 @ 00000001 n 0000 ~ 00000004 n 0000 | of a king
00000003 06 n 01 zzgarble 0 001 @ 00000001 n 0000 | a word that nobody uses
00000004 06 n 01 turtle 0 001 @ 00000002 n 0000 | a collar
00000009 06 n 01 crown 0 000 | the top
"""


@pytest.fixture
def wordnet(tmp_path):
    (tmp_path / "index.noun").write_text(INDEX)
    (tmp_path / "data.noun").write_text(DATA)
    return read_wordnet(tmp_path)


def test_narrower_nouns_with_the_number_of_their_meaning(wordnet):
    assert sorted(wordnet.below("hat.1")) == [("crown", 2), ("hat", 1), ("turtle", 1), ("zzgarble", 1)]
    assert sorted(common_nouns(wordnet, ["hat.1"])) == ["crown", "hat", "turtle"], "one token to CLIP"
    for unknown in ("hat.3", "cap.1", "hat"):
        with pytest.raises(SealError, match="no noun"):
            wordnet.below(unknown)


def test_groups_are_filled_up_without_what_is_taken_out_or_said_elsewhere(wordnet):
    groups = [
        {"words": "cap, beanie", "wordnet": "hat.1", "not": "turtle"},
        {"words": "tiara, crown", "wordnet": "", "not": ""},
    ]
    part = {"name": "worn", "phrase": "{subject}, wearing {thing}", "coloured": True, "groups": groups}
    made = made_words(wordnet, {"colours": "red", "shades": "light", "generic": "toy", "mass": "", "parts": [part]})
    assert made["parts"][0]["groups"] == [["a cap", "a beanie", "a hat"], ["a tiara", "a crown"]]


def test_articles():
    said = [
        with_article(w, ["armor"]) for w in ("top hat", "apron", "glasses", "dress", "armor", "uniform", "buck teeth")
    ]
    assert said == ["a top hat", "an apron", "glasses", "a dress", "armor", "a uniform", "buck teeth"]


def test_a_folder_without_the_database_is_refused(tmp_path):
    with pytest.raises(SealError, match=r"wordnet: .* has no index\.noun and data\.noun"):
        read_wordnet(tmp_path)


def test_the_shipped_file_holds_every_word_that_was_given_by_hand():
    given = json.loads(GROUPS_FILE.read_text(encoding="utf-8"))
    shipped = json.loads(WORDS_FILE.read_text(encoding="utf-8"))
    assert [shipped[n] for n in ("colours", "shades", "generic")] == [
        listed(given[n]) for n in ("colours", "shades", "generic")
    ]
    for part, made in zip(given["parts"], shipped["parts"], strict=True):
        for group, words in zip(part["groups"], made["groups"], strict=True):
            assert words[0].endswith(listed(group["words"])[0]), "what stands for a group comes first"
