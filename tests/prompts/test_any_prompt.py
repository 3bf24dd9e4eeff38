"""Attribute prompts and training prompts of any values: clean commas, the concept named once."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from seal_core.prompts.attribute_prompt import attribute_prompt
from seal_core.prompts.attributes import ATTRIBUTES, attribute_schema
from seal_core.prompts.tidy import tidy
from seal_core.prompts.training_prompt import training_prompt, with_class_word

STRAY = re.compile(r"  | ,|,,|, ,|,\S|^[, ]|[, ]$|\(\)|\[\]|[(\[][ ,]|[ ,][)\]]")
WORDS = st.text("ab-., \n", max_size=12)
VALUES = st.sampled_from([v for a in attribute_schema().values() for v in a.suggestions]) | WORDS
ATTRIBUTE_VALUES = st.dictionaries(st.sampled_from(ATTRIBUTES), VALUES)
PLACES = st.sampled_from([*(f"{{{name}}}" for name in (*ATTRIBUTES, "extra"))])
PARTS = st.one_of(
    PLACES,
    WORDS,
    PLACES.map("({}:1.2)".format),
    st.lists(PLACES, min_size=1, max_size=3).map(lambda places: f"[{', '.join(places)}]"),
    PLACES.map("with {} and".format),
)
CONCEPTS = st.sampled_from(["embedding:my-cat", "<my-cat>", "Mimi"])


@st.composite
def templates(draw) -> str:
    parts = draw(st.lists(PARTS, max_size=6))
    parts.insert(draw(st.integers(0, len(parts))), draw(st.sampled_from(["{concept}", "a {}", "({concept}:1.1)"])))
    return draw(st.sampled_from([", ", ",", " , ", ",,"])).join(parts)


@settings(deadline=None)
@given(CONCEPTS, ATTRIBUTE_VALUES, WORDS, templates() | st.just(""))
def test_attribute_prompts(concept, values, extra, template):
    made = attribute_prompt(concept, **values, extra=extra, template=template)
    assert not STRAY.search(made.prompt), made.prompt
    assert made.prompt.count(concept) == 1 and "{" not in made.prompt
    assert not STRAY.search(made.negative) and concept not in made.negative
    assert all(words in made.prompt for words in map(tidy, made.attributes.values())) or template
    # What it says it set gives the same prompt.
    assert attribute_prompt(concept, **made.attributes, extra=extra, template=template) == made


@settings(deadline=None)
@given(
    ATTRIBUTE_VALUES,
    WORDS,
    st.booleans(),
    st.sampled_from(["a sticker of {}", "{}", "{} on a {background} background", "{background}, {}", ",{} ,"]),
)
def test_training_prompts(values, ground, token, template):
    prompt = training_prompt(template, context_token=token, attributes=values, background_words=ground)
    assert prompt.slots.count("concept") == 1
    assert prompt.slots.count("background") == (token and not ground.strip(" ,\n"))
    for text in (prompt.text, with_class_word(prompt, "tabby cat").text):
        assert not STRAY.search(text), text


@settings(deadline=None)
@given(st.lists(st.sampled_from([*"ab,()[] \n", ":1.2)"]), max_size=40).map("".join))
@example("a ([(:1.2), ], ())")
def test_tidying_twice_changes_nothing_more(text):
    once = tidy(text)
    assert tidy(once) == once
    assert "\n" not in once and "  " not in once and once == once.strip(" ,")
    assert re.sub(r"[\s,()\[\]:.12]", "", once) == re.sub(r"[\s,()\[\]:.12]", "", text), "no word is lost"
