"""Every node in every language: names and tooltips in locales/, help in js/docs/. English is the schema itself."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from stand_ins import ROOT, loaded_pack, nodes

LANGUAGES = ("ja", "ko", "zh")
HELP = ROOT / "js/docs"
NODE_IDS = sorted(path.stem for path in HELP.glob("*.md"))


@pytest.fixture(scope="module")
def schemas() -> Iterator[dict[str, Any]]:
    with loaded_pack() as pack:
        yield {schema.node_id: schema for schema in (node.define_schema() for node in nodes(pack))}


@cache
def read(language: str, file: str) -> dict[str, Any]:
    return json.loads((ROOT / "locales" / language / file).read_text(encoding="utf-8"))


def flat(value: Any, path: str = "") -> dict[str, str]:
    """Nested texts by the path of their keys, such as SEALTextEncode.inputs.clip.tooltip."""
    if not isinstance(value, dict):
        return {path: value}
    return {k: v for key, each in value.items() for k, v in flat(each, f"{path}.{key}" if path else key).items()}


def wanted(schema: Any) -> set[str]:
    """The keys that the front end looks up for a node."""
    slots = [f"inputs.{i.id}" for i in schema.inputs] + [f"outputs.{k}" for k in range(len(schema.outputs))]
    keys = ["display_name", "description", *(f"{slot}.{part}" for slot in slots for part in ("name", "tooltip"))]
    return {f"{schema.node_id}.{key}" for key in keys}


def page(node_id: str, language: str) -> str:
    path = HELP / node_id / f"{language}.md" if language != "en" else HELP / f"{node_id}.md"
    assert path.is_file(), f"{path.relative_to(ROOT)} is missing"
    return path.read_text(encoding="utf-8")


def spans(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))


def numbers(text: str) -> Counter[str]:
    return Counter(re.findall(r"\d+(?:[.,]\d+)*", text))


def test_the_languages_are_these() -> None:
    assert sorted(path.name for path in (ROOT / "locales").iterdir()) == sorted(LANGUAGES)
    assert {path.stem for path in HELP.glob("*/*.md")} == set(LANGUAGES)
    assert {path.name for path in HELP.iterdir() if path.is_dir()} == set(NODE_IDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_or_tooltip_is_missing_and_none_is_left_over(schemas: dict[str, Any], language: str) -> None:
    told = flat(read(language, "nodeDefs.json"))
    keys = {key for schema in schemas.values() for key in wanted(schema)}
    assert sorted(keys - told.keys()) == [], f"missing in locales/{language}/nodeDefs.json"
    assert sorted(told.keys() - keys) == [], f"no node has these of locales/{language}/nodeDefs.json"
    assert [key for key, text in told.items() if not text.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_category_has_a_name(schemas: dict[str, Any], language: str) -> None:
    categories = {part for schema in schemas.values() for part in schema.category.split("/")}
    assert set(read(language, "main.json")["nodeCategories"]) == categories


def said_by_scripts() -> set[str]:
    """The texts of the pack's own panels and buttons: what js/*.js gives to `t`."""
    scripts = [path.read_text(encoding="utf-8") for path in (ROOT / "js").glob("*.js")]
    return {text for script in scripts for text in re.findall(r'\bt\(\s*"([^"]*)"', script)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_panels_texts_are_translated(schemas: dict[str, Any], language: str) -> None:
    settings = [given.settings.get("extra_dict") or {} for schema in schemas.values() for given in schema.inputs]
    words = {word for extra in settings for _, word in extra.get("seal_words", [])}
    told = json.loads((ROOT / f"js/texts/{language}.json").read_text(encoding="utf-8"))
    wanted_texts = said_by_scripts() | words
    assert len(wanted_texts) > 50 and sorted(wanted_texts ^ told.keys()) == [], "missing, or left over"
    places = {text: (sorted(re.findall(r"{\w+}", text)), sorted(re.findall(r"{\w+}", told[text]))) for text in told}
    assert [text for text, (there, here) in places.items() if there != here or not told[text].strip()] == []


def test_no_text_of_a_panel_is_english_only() -> None:
    """Texts on elements and in tooltips go through `t`; a value such as a preset's name is a variable."""
    for path in (ROOT / "js").glob("*.js"):
        script = path.read_text(encoding="utf-8")
        bare = re.findall(r'(?:\.textContent|\.title|\.alt) = "([^"]+)"', script)
        bare += re.findall(r'\belement\("\w+", "[^"]*", "([^"]+)"', script)
        assert bare == [], path.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_ones_that_every_front_end_shows_as_they_stand(language: str) -> None:
    """Front end 1.35 reads tooltips as vue-i18n messages, in which these characters have a meaning; 1.49 does not."""
    told = flat(read(language, "nodeDefs.json"))
    assert {key: text for key, text in told.items() if re.search(r"[{}@|]", text)} == {}
    ids = re.compile(rf"\b({'|'.join(NODE_IDS)})\b")
    assert {key: text for key, text in told.items() if ids.search(text)} == {}, "users see display names"
    display = [text for key, text in told.items() if key.endswith(".display_name")]
    assert len(set(display)) == len(display) and all(name.startswith("SEAL ") for name in display)


@pytest.mark.parametrize("language", ("en", *LANGUAGES))
@pytest.mark.parametrize("node_id", NODE_IDS)
def test_a_page_names_every_input_and_output(schemas: dict[str, Any], node_id: str, language: str) -> None:
    text, schema = page(node_id, language), schemas[node_id]
    named = set(re.findall(r"\*\*`(\w+)`\*\*", text))
    slots = {slot.id for slot in (*schema.inputs, *schema.outputs)}
    assert named == slots, f"not in the page: {sorted(slots - named)}; in the page alone: {sorted(named - slots)}"
    title = schema.display_name if language == "en" else read(language, "nodeDefs.json")[node_id]["display_name"]
    assert text.startswith(f"# {title}\n")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("node_id", NODE_IDS)
def test_a_page_calls_inputs_and_outputs_as_the_node_shows_them(
    schemas: dict[str, Any], node_id: str, language: str
) -> None:
    text, told, schema = page(node_id, language), read(language, "nodeDefs.json")[node_id], schemas[node_id]
    labels = [(i.id, told["inputs"][i.id]["name"]) for i in schema.inputs]
    labels += [(o.id, told["outputs"][str(k)]["name"]) for k, o in enumerate(schema.outputs)]
    shown = {f"**`{slot}`** {label}" for slot, label in labels if slot.casefold() != label.casefold()}
    assert sorted(entry for entry in shown if entry not in text) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("node_id", NODE_IDS)
def test_a_translated_page_has_all_that_the_english_one_has(node_id: str, language: str) -> None:
    """Values, messages and examples stand in `code`; they and the numbers are the same in every language."""
    english, text = page(node_id, "en"), page(node_id, language)
    assert spans(english) - spans(text) == set(), "missing in the translation"
    assert spans(text) - spans(english) == set(), "not in the English page"
    assert numbers(english) - numbers(text) == Counter(), "numbers that the translation lacks"


@pytest.mark.parametrize("language", ("en", *LANGUAGES))
@pytest.mark.parametrize("node_id", NODE_IDS)
def test_a_page_fits_the_side_panel(node_id: str, language: str) -> None:
    """282 px are too narrow for three columns. The panel's markdown strikes out text between tildes."""
    text = page(node_id, language)
    assert "~" not in text
    assert [line for line in text.splitlines() if line.startswith("|") and line.count("|") > 3] == []
    code = [line for block in re.findall(r"```.*?```", text, flags=re.DOTALL) for line in block.splitlines()]
    assert [line for line in code if len(line) > 30] == []
