"""Where a prompt names concepts: the rule against a slow scanner that says it in another way."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seal_core.concept.concept import Concept
from seal_core.concept.mentions import concepts_named, replace_names, split_at_names
from seal_core.hosts.base import Family

ENDINGS = (".safetensors", ".pt", ".bin")
PLAIN = Concept("<x>", "cat", {"clip_l": torch.zeros(1, 4)}, Family("sd1", (("clip_l", 4),)))


def concept(name: str, file: str = "", carrier: str = "input") -> Concept:
    return replace(PLAIN, name=name, file=file, carrier=carrier)


def shown(text: str, *concepts: Concept) -> str:
    return replace_names(text, concepts, lambda i: f"[{i}]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a mycat runs", "a [0] runs"),
        ("mycat, mycats, my-mycat, mycat-2, a/mycat, mycat_", "[0], mycats, my-mycat, mycat-2, a/mycat, mycat_"),
        ("(mycat:1.2) mycat's MyCat", "([0]:1.2) [0]'s MyCat"),
        ("embedding:sub/cat embedding:sub\\cat", "[0] [0]"),
        ("embedding:sub/cat.safetensors, embedding:sub/cat.pt embedding:sub/cat.bin.", "[0], [0] [0]."),
        ("embedding:sub/cat.png embedding:sub/cats embedding:sub/cat/x", "embedding:sub/cat.png embedding:sub/cats "
         "embedding:sub/cat/x"),
        ("embedding:cat Embedding:sub/cat embedding:sub/Cat", "embedding:cat Embedding:sub/cat embedding:sub/Cat"),
        ("(embedding:sub/cat:1.1)<y>embedding:sub/cat[z", "([0]:1.1)<y>[0][z"),
        ("embedding:mycat", "embedding:mycat"),  # a file of that name may be another's
        ("xembedding:sub/cat", "xembedding:sub/cat"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_rule(text, expected):
    assert shown(text, concept("mycat", "sub/cat")) == expected


def test_several():
    long, short = concept("<my cat> 2"), concept("<my cat>")
    assert shown("<my cat> 2, <my cat>", short, long) == "[1], [0]", "the longest name first"
    assert concepts_named("<my cat> 2", [short, long]) == [long] and concepts_named("", [short, long]) == []
    assert shown("cat-2 cat", concept("cat"), concept("cat-2")) == "[1] [0]"
    assert shown("embedding:a.pt embedding:a", concept("<a>", "a"), concept("<b>", "a.pt")) == "[1] [0]"
    a, b = concept("<a>"), concept("<b>")
    assert replace_names("<a> <b>", [a, b], lambda i: ("<b>", "dog")[i]) == "<b> dog", "what was put in stays"
    assert replace_names("x", [], lambda i: "y") == "x"


def test_a_name_that_is_empty_stands_nowhere():
    assert shown("a cat", concept("")) == "a cat" and shown("embedding:x", concept("", "x")) == "[0]"


def test_a_tail_goes_by_its_name_only():
    assert shown("<t> embedding:t", concept("<t>", "t", "tail")) == "[0] embedding:t"


# The slow scanner


def is_word(character: str) -> bool:
    return bool(re.fullmatch(r"\w", character)) or character in ("/", "-")


def ends_at(text: str, start: int, which: Concept) -> list[int]:
    """Where the names of a concept that begin at a place end, the name first."""
    before = text[start - 1] if start else ""
    found = []
    if text.startswith(which.name, start) and not text[:start].endswith("embedding:"):
        end = start + len(which.name)
        inside = before and is_word(before) and is_word(which.name[0])
        runs_on = end < len(text) and is_word(text[end]) and is_word(which.name[-1])
        found += [end] if not inside and not runs_on else []
    if which.file and which.carrier != "tail" and not (before and is_word(before)):
        for ending in (*ENDINGS, ""):
            spelt = f"embedding:{which.file}"
            end = start + len(spelt) + len(ending)
            tail = text[end : end + 2]
            same = (
                text[start : end - len(ending)].replace("\\", "/") == spelt and text[end - len(ending) : end] == ending
            )
            if same and not re.match(r"[\w/\\-]|\.\w", tail):
                found.append(end)
                break
    return found


def slowly(text: str, concepts: list[Concept]) -> str:
    result, at = "", 0
    while at < len(text):
        options = []
        for i, each in enumerate(concepts):
            for end in ends_at(text, at, each):
                by_name = end == at + len(each.name) and text.startswith(each.name, at)
                options.append((len(each.name) if by_name else len(f"embedding:{each.file}"), -i, end))
        if options:
            _, i, end = max(options)
            result, at = result + f"[{-i}]", end
        else:
            result, at = result + text[at], at + 1
    return result


SIGNS = "ab2<>()[]{}.*+?^$|\\-_/:, "
NAMES = st.text(SIGNS, min_size=1, max_size=5).filter(lambda n: not n.isspace())
FILES = st.sampled_from(["", "a", "ab", "a-b", "a.b", "sub/a", "sub/ab", "a.pt"])
CONCEPTS = st.lists(
    st.builds(concept, NAMES, FILES, st.sampled_from(["input", "input", "tail"])),
    min_size=1, max_size=4, unique_by=(lambda c: c.name, lambda c: c.file or c.name),
)  # fmt: skip


@st.composite
def cases(draw):
    """Concepts, and a text of their names, files, endings and filling, in any order and closeness."""
    concepts = draw(CONCEPTS)
    pieces = [c.name for c in concepts] + [f"embedding:{c.file}" for c in concepts if c.file]
    pieces += [p.replace("/", "\\") for p in pieces] + [
        *ENDINGS,
        "embedding:",
        " ",
        ", ",
        "a",
        "cat",
        "_",
        "-",
        "A",
        "é",
    ]
    filling = st.one_of(st.sampled_from(pieces), st.text(SIGNS, max_size=3))
    return concepts, "".join(draw(st.lists(filling, max_size=12)))


@settings(deadline=None)
@given(cases())
@example(([concept("<a", "a"), concept("<a>", "ab")], "<a> <a embedding:ab.pt embedding:a.bin"))
@example(([concept("a.b"), concept("a")], "a.b a.b2 a.c"))
def test_as_the_slow_scanner(case):
    concepts, text = case
    assert shown(text, *concepts) == slowly(text, concepts)


@settings(deadline=None)
@given(cases())
def test_mentioned_is_what_is_replaced(case):
    concepts, text = case
    seen: set[int] = set()
    replace_names(text, concepts, lambda i: seen.add(i) or "")
    found = concepts_named(text, concepts)
    assert [c for i, c in enumerate(concepts) if i in seen] == found
    assert shown(text, *found).count("[") == shown(text, *concepts).count("["), "the others make no difference"


def test_a_long_text_is_read_once():
    one, run = concept("<x>", "x"), 200_000
    assert shown("embedding:" * run, one) == "embedding:" * run
    assert shown("<x" * run, one) == "<x" * run and shown("<x>" * run, one) == "[0]" * run
    assert shown("," * run + "embedding:x", one) == "," * run + "[0]"


STEMS = st.sampled_from(["a", "ab", "a-b", "ab-2", "cat", "cats", "cat-2", "my-cat", "é", "猫"])
SPELLINGS = st.lists(
    st.tuples(STEMS, st.sampled_from(["{}", "<{}>", "<{}"]), st.sampled_from(["", "sub/"])),
    min_size=1, max_size=4, unique_by=(lambda x: x[0]),
)  # fmt: skip


@settings(deadline=None)
@given(SPELLINGS, st.data())
def test_names_that_begin_alike_among_punctuation_and_weights(spellings, data):
    """What is written is what is found, whatever stands around it; either spelling says the same."""
    concepts = [concept(form.format(stem), f"{folder}{stem}") for stem, form, folder in spellings]
    order = data.draw(st.lists(st.integers(0, len(concepts) - 1), max_size=6))
    before = st.sampled_from(["", "(", "((", "7 ", '"', "["])
    after = st.sampled_from([",", ")", ":1.2)", ".", "!", " 7", '"', "]"])
    names, files = [], []
    for i in order:
        lead, trail, ending = data.draw(before), data.draw(after), data.draw(st.sampled_from(["", *ENDINGS]))
        names.append(f"{lead}{concepts[i].name}{trail}")
        files.append(f"{lead}embedding:{concepts[i].file}{ending}{trail}")
    for text in (" ".join(names), " ".join(files)):
        assert [part for part in split_at_names(text, concepts) if isinstance(part, int)] == order
        assert concepts_named(text, concepts) == [c for i, c in enumerate(concepts) if i in order]
    as_files = replace_names(" ".join(names), concepts, lambda i: f"embedding:{concepts[i].file}")
    assert replace_names(as_files, concepts, lambda i: concepts[i].name) == " ".join(names), "there and back"
