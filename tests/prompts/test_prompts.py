"""Training prompts, attribute prompts, sweeps, and the attributes' data file."""

import itertools
import json
import re
from pathlib import Path

import pytest

from seal_core.messages import SealError
from seal_core.method.config import TEMPLATES
from seal_core.prompts.attribute_prompt import attribute_prompt
from seal_core.prompts.attribute_sweep import sweep_prompts
from seal_core.prompts.attributes import (
    ATTRIBUTES,
    attribute_schema,
    canonical_attribute,
    default_template,
    parse_attributes,
)
from seal_core.prompts.tidy import tidy
from seal_core.prompts.training_prompt import _drop_dangling, training_prompt, with_class_word

STRAY = re.compile(r"  | ,|,,|, ,|,\S|^[, ]|[, ]$|\(\)|\[\]|\(,|,\)")


def say(template, token=False, words="", **attributes):
    return training_prompt(template, context_token=token, attributes=attributes, background_words=words).text


# Training prompts


def test_concept_slot_and_context_token():
    assert say("a sticker of {}") == "a sticker of {concept}"
    assert say("a sticker of {}", token=True) == "a sticker of {concept}, {background} background"
    prompt = training_prompt("a sticker of {}", context_token=True, attributes={})
    assert prompt.slots == ("concept", "background")


def test_known_attributes_follow_the_subject_in_order_without_the_appearance():
    known = {"style": "watercolor", "emotion": "sleepy", "action": "lying", "appearance": "red hat"}
    text = say("a sticker of {}, detailed", **known)
    assert text == "a sticker of {concept}, sleepy, lying, watercolor style, detailed"


@pytest.mark.parametrize(
    ("token", "known", "expected"),
    [
        (False, "beach", "a sticker of {concept}, beach background"),
        (True, "beach", "a sticker of {concept}, {background} beach background"),
        (False, "on a beach", "a sticker of {concept}, on a beach"),
        (True, "on a beach", "a sticker of {concept}, {background} background on a beach"),
        (True, "plain white background", "a sticker of {concept}, {background} plain white background"),
    ],
)
def test_known_background(token, known, expected):
    assert say("a sticker of {}", token, background=known) == expected


@pytest.mark.parametrize("token", [False, True])
def test_augmented_view_names_its_ground_and_leaves_the_context_token_out(token):
    text = say("a sticker of {}", token, words="plain red", background="beach", emotion="sad")
    assert text == "a sticker of {concept}, sad, plain red background"


@pytest.mark.parametrize(
    ("template", "token", "words", "known", "expected"),
    [
        ("a {} on a {background} background, x", True, "", "", "a {concept} on a {background} background, x"),
        ("a {} on a {background} background, x", False, "plain red", "", "a {concept} on a plain red background, x"),
        ("a {} on a {background} background", False, "", "", "a {concept} on a background"),
        ("a {} on a {background} background", False, "", "on a beach", "a {concept} on a beach"),
        ("a {} in front of a {background}", False, "", "", "a {concept}"),
        ("a {} in front of a {background}", True, "", "", "a {concept} in front of a {background} background"),
        ("{background}, {}", False, "", "", "{concept}"),
        ("{background}, {}", True, "", "sea", "{background} sea background, {concept}"),
    ],
)
def test_template_says_where_the_background_stands(template, token, words, known, expected):
    assert say(template, token, words, background=known) == expected


def test_class_word_version_is_clean_for_every_combination():
    templates = [*TEMPLATES, "a {} , {background} ,x", "{}", "{background} {}"]
    knowns = [{}, {"emotion": "happy"}, {"background": "beach"}, {"background": "in a park", "camera": "close-up"}]
    for template, token, known, words in itertools.product(templates, (False, True), knowns, ("", "plain red")):
        prompt = training_prompt(template, context_token=token, attributes=known, background_words=words)
        assert prompt.slots.count("concept") == 1
        assert prompt.slots.count("background") == (token and not words)
        plain = with_class_word(prompt, " tabby  cat ")
        assert plain.slots == ()
        assert "tabby cat" in plain.text
        assert not STRAY.search(plain.text), plain.text
        assert not STRAY.search(prompt.text), prompt.text


@pytest.mark.parametrize("template", ["a sticker", "{} and {}", "{} {style}", "{} }", "{}, {background} {background}"])
def test_bad_training_template(template):
    with pytest.raises(SealError, match=r"^prompts: .*exactly one"):
        say(template)


def test_braces_in_an_attribute_never_become_slots():
    with pytest.raises(SealError, match=r"^emotion: .*braces"):
        say("a sticker of {}", emotion="{concept}")


# The data file


def test_schema_is_complete():
    assert tuple(attribute_schema()) == ATTRIBUTES
    for attribute in attribute_schema().values():
        values = attribute.suggestions
        assert len(values) >= 20 and len(set(values)) == len(values)
        assert attribute.label and attribute.description and "{}" in attribute.phrase
        for value in values:
            assert value == value.strip() and not re.search(r"[{},:()]", value), value
    names = [n for a in attribute_schema().values() for n in (a.name, *a.aliases)]
    assert len(set(names)) == len(names)  # an alias of two attributes would be ambiguous


def test_every_suggestion_makes_a_clean_prompt():
    for name, attribute in attribute_schema().items():
        for value in attribute.suggestions:
            made = attribute_prompt("cat", **{name: value})
            assert value in made.prompt and not STRAY.search(made.prompt)
            assert not re.search(r"\b(\w+) \1\b", made.prompt), made.prompt


def test_phrases():
    style, background = attribute_schema()["style"], attribute_schema()["background"]
    assert [style.say(v) for v in ("watercolor", "pixel art", "art deco", "")] == [
        "watercolor style",
        "pixel art",
        "art deco style",
        "",
    ]
    assert [background.say(v) for v in ("beach", "under the sea", "White Background")] == [
        "beach background",
        "under the sea",
        "White Background",
    ]


def test_aliases():
    assert (
        canonical_attribute("Camera Composition")
        == canonical_attribute("camera_composition")
        == canonical_attribute(" shot ")
        == "camera"
    )
    with pytest.raises(SealError, match=r"'emotoin'.*appearance, emotion, .*Did you mean emotion\?"):
        canonical_attribute("emotoin")


# Attribute prompts


def test_default_prompt_in_natural_order():
    made = attribute_prompt("embedding:cat", "wearing a scarf", "happy", "jumping", "full body", "flat vector", "beach")
    assert made.prompt == (
        "a sticker of embedding:cat, wearing a scarf, happy, jumping, full body, flat vector style, beach background"
    )
    assert list(made.attributes) == list(ATTRIBUTES) and made.attributes["style"] == "flat vector"


def test_no_stray_commas_for_any_subset():
    example = dict(zip(ATTRIBUTES, ("with wings", "sad,", " , lying", "from above", "anime", "in\na  park")))
    for size in range(len(ATTRIBUTES) + 1):
        for chosen in itertools.combinations(ATTRIBUTES, size):
            made = attribute_prompt("<my-sticker>", **{n: example[n] for n in chosen}, extra=", best, ")
            assert not STRAY.search(made.prompt), made.prompt
            assert made.prompt.endswith(", best") and set(made.attributes) == set(chosen)


def test_part_of_empty_places_disappears_with_its_words():
    template = "{concept}, with a {emotion} face, in {style} style, ({action}, {camera}:1.2), {background} background"
    assert attribute_prompt("cat", template=template).prompt == "cat"
    assert attribute_prompt("cat", action="running", template=template).prompt == "cat, (running:1.2)"
    made = attribute_prompt("cat", emotion="sad", style="anime", background="beach", template=template)
    assert made.prompt == "cat, with a sad face, in anime style, beach background"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{concept}'s face", "embedding:my-cat 's face"),
        ("a photo of{concept}.", "a photo of embedding:my-cat ."),
        ("a ({concept}:1.3), big", "a (embedding:my-cat:1.3), big"),
        ("two {}, {}", "two embedding:my-cat, embedding:my-cat"),
    ],
)
def test_embedding_name_stays_readable_for_comfyui(template, expected):
    assert attribute_prompt("embedding:my-cat", template=template).prompt == expected
    # ComfyUI's tokenizer: a space or bracket before, a space, a comma or the end after.
    for found in re.finditer(r"embedding:my-cat", expected):
        assert re.match(r"$|[\s,(]", expected[found.start() - 1 : found.start()])
        assert re.match(r"$|[\s,)]|:[\d.]+\)", expected[found.end() :])


def test_negative_does_not_contradict_the_prompt():
    def negative(**given):
        return attribute_prompt("embedding:photo-text", **given).negative.split(", ")

    assert {"photo", "cropped", "text", "monochrome", "low quality"} <= set(negative())
    assert "cluttered background" not in negative()
    assert "cluttered background" in negative(background="plain white")
    assert "photo" not in negative(style="realistic photo")
    assert "photo" not in negative(template="a photo of {concept}")
    assert "cropped" not in negative(camera="close-up portrait")
    assert "text" not in negative(extra="the word HELLO")
    assert "monochrome" not in negative(style="hand-drawn sketch")
    for attribute in attribute_schema().values():
        for value in attribute.suggestions:
            words = negative(**{attribute.name: value})
            assert not any(w in value.lower() for w in words), value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"concept": " "}, "^concept: empty.*embedding:NAME"),
        ({"template": "a sticker"}, r"^template: has no \{concept\}"),
        ({"template": "{concept} {mood}"}, r"^template: \{mood\}.*\{emotion\}"),
        ({"template": "{concept} {"}, "^template: a single brace"),
        ({"emotion": "a{b}"}, "^emotion: .*braces"),
        ({"emotion": "x" * 500}, "^emotion: 500 characters"),
    ],
)
def test_bad_prompt_input(given, message):
    with pytest.raises(SealError, match=message):
        attribute_prompt(**{"concept": "cat", **given})


def test_default_template_names_everything_once():
    for name in ("concept", *ATTRIBUTES, "extra"):
        assert default_template().count(f"{{{name}}}") == 1


# Sweeps


def test_sweep_of_one_and_two():
    base = {"emotion": "calm", "background": "beach"}
    prompts, labels = sweep_prompts("cat", base, {"emotion": ["happy", " ", "sad", "happy"]})
    assert prompts == ["a sticker of cat, happy, beach background", "a sticker of cat, sad, beach background"]
    assert labels == ["happy", "sad"]
    axes = [("emotion", ["happy", "sad"]), ("Camera Composition", ["from above", "16/9: wide?"])]
    prompts, labels = sweep_prompts("cat", {}, axes)
    assert labels == ["happy, from above", "happy, 16-9- wide-", "sad, from above", "sad, 16-9- wide-"]
    assert prompts[1] == "a sticker of cat, happy, 16/9: wide?"


def test_labels_are_fit_for_file_names():
    _, labels = sweep_prompts("cat", {}, {"action": ["../../etc", "%date%", "..", "x" * 300]})
    assert labels == ["-..-etc", "-date-", "-", "x" * 120]


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ([("emotion", ["", " "])], "^values_1: no value for emotion; write one a line, e.g. happy"),
        ([("emotion", ["a"]), ("mood!", ["b"])], "^attribute_2: 'mood!' is not an attribute; use one of appearance"),
        ([("emotion", ["a"]), ("mood", ["b"])], "^attribute_2: emotion is swept already"),
        ([("emotion", ["a"]), ("style", [])], "^values_2: no value for style"),
        ([], "^attribute_1: sweep one or two"),
        ([("emotion", ["a"]), ("style", ["b"]), ("action", ["c"])], "not 3"),
        ([("emotion", map(str, range(50))), ("style", map(str, range(50)))], "2500 prompts.*at most 1024"),
    ],
)
def test_bad_sweep(axes, message):
    with pytest.raises(SealError, match=message):
        sweep_prompts("cat", {}, axes)


# Front end


def test_front_end_and_help_pages_are_plain_text():
    js = Path(__file__).parents[2] / "js"
    for script in js.glob("*.js"):
        assert not re.search(r"innerHTML|insertAdjacentHTML|\beval\b", script.read_text(encoding="utf-8")), script.name
    pages = list((js / "docs").glob("*.md"))
    assert {"SEALTrainEmbedding", "StickerAttributePrompt", "SEALStickerAttributeSweep"} <= {p.stem for p in pages}
    for page in pages:
        outside_code = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
        assert "<" not in outside_code, page.name  # <my-sticker> outside code would vanish as an HTML tag


# reference_attributes


def test_attributes_round_trip():
    made = attribute_prompt("cat", emotion="grumpy «é»", background="beach")
    assert parse_attributes(json.dumps(made.attributes, ensure_ascii=False)) == made.attributes
    assert parse_attributes("") == parse_attributes("  ") == parse_attributes("{}") == {}
    assert parse_attributes('{"Camera Composition": " from  above,", "style": ""}') == {"camera": "from above"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("happy", "not valid JSON"),
        ("[1]", "JSON object"),
        ('{"colour": "red"}', "'colour' is not an attribute; use one of"),
        ('{"emotion": 3}', "'emotion' is 3; write text"),
        ('{"emotion": null}', "write text"),
        ('{"emotion": "a", "mood": "b"}', "emotion is given twice"),
        ('{"emotion": "{x}"}', "emotion: .*braces"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_bad_reference_attributes(text, message):
    with pytest.raises(SealError, match=f"^reference_attributes: .*{message}"):
        parse_attributes(text)


LONG = "a" + "," * 60_000 + "b"


@pytest.mark.parametrize("named", ["concept", "extra", "template"])
def test_long_input_is_refused_before_any_work(named):
    given = {"concept": "<x>"} | {named: "{concept}" * (named == "template") + LONG}
    with pytest.raises(SealError, match=rf"^{named}: \d+ characters are too many"):
        attribute_prompt(**given)
    with pytest.raises(SealError, match=r"^values_1: 3600000000 prompts"):
        sweep_prompts("<x>", {}, {"emotion": map(str, range(60_000)), "action": map(str, range(60_000))})


def test_runs_of_commas_and_words_are_read_once():
    """Each of these takes minutes where every character of a run is looked at anew."""
    run = 200_000
    assert tidy("a" + "," * run + "b" + ", " * run + ")") == "a, b)"
    assert tidy("() " * run + "x") == "x"
    assert tidy("(" * run) == "(" * run
    assert _drop_dangling("cat" + " on a" * run) == "cat"
    assert _drop_dangling("on " * run + "x") == "on " * run + "x"
    assert _drop_dangling("a cat, in front of \n") == "a cat,"
