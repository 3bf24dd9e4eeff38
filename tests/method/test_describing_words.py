"""The words that may be tried: well formed, once each, and none that says anything but looks."""

import json

from seal_core.demo.model_file import clip_bpe
from seal_core.method.describing_words import WORDS_FILE, coloured, grammar
from seal_core.prompts.attributes import attribute_schema

PARTS = {p.name: p for p in grammar().parts}


def things(name):
    return [thing for group in PARTS[name].groups for thing in group]


def test_the_file_is_small_names_its_source_and_has_the_licence_beside_it():
    assert WORDS_FILE.stat().st_size < 80_000
    assert "WordNet 3.1" in json.loads(WORDS_FILE.read_text(encoding="utf-8"))["source"]
    assert "Princeton University" in WORDS_FILE.with_name("WORDNET_LICENSE.txt").read_text(encoding="utf-8")


def test_there_are_many_words_and_each_part_has_each_once():
    assert sum(len(things(name)) for name in PARTS) > 1000
    for name, part in PARTS.items():
        assert len(set(things(name))) == len(things(name)), name
        assert all(len(group) > 2 for group in part.groups), name
    colours = grammar().colours
    assert len(set(colours)) == len(colours) and not PARTS["colour"].groups


def test_each_word_fits_its_phrase():
    """Articles where something is worn or had, unless it is a plural; none before the class word or in its place."""
    bare = {"armor", "underwear", "chain mail", "hair", "fur", "stubble", "moss", "plaid", "makeup"}
    for name in ("worn", "marks"):
        for thing in things(name):
            article, _, noun = thing.partition(" ")
            if article in ("a", "an"):
                assert (article == "an") == (noun[0] in "aeio") and not noun.endswith("es"), thing
            else:
                last = thing.split()[-1]
                assert last.endswith(("s", "ae", "feet", "teeth")) or {last, thing} & bare or last == "paint", thing
    assert not [t for name in ("species", "texture") for t in things(name) if t.split()[0] in ("a", "an", "the")]
    assert PARTS["worn"].say("grey cat", coloured("a hat", "red")) == "grey cat, wearing a red hat"
    assert PARTS["species"].say("character", "fox") == "fox"
    assert PARTS["texture"].say("grey cat", "fluffy") == "fluffy grey cat"


def test_nothing_says_an_emotion_an_action_the_camera_or_a_background():
    known = attribute_schema()
    context = {v.lower() for n in ("emotion", "action", "camera") for v in known[n].suggestions}
    context |= {"background", "beach", "forest", "sunset", "hearts", "smile", "holding"}
    said = {t.removeprefix("an ").removeprefix("a ") for name in PARTS for t in things(name)}
    assert not said & context
    assert not [t for t in said if set(t.split()) & {"background", "smile", "smiling", "holding", "closed", "view"}]


def test_clip_writes_each_word_in_few_tokens():
    whole = clip_bpe()[0]
    for name in ("worn", "marks", "texture"):
        long = [t for t in things(name) if sum(f"{w}</w>" not in whole for w in t.replace("-", " ").split()) > 1]
        assert not long, name
    assert all(f"{c}</w>" in whole for c in grammar().colours)


def test_a_class_word_that_says_nothing_has_one_part_more():
    assert [p.name for p in grammar().parts_for("cat")] == ["colour", "worn", "marks", "texture"]
    assert [p.name for p in grammar().parts_for("cartoon Character")] == list(PARTS)
