"""The six attributes of a sticker: names, wording, suggestions, and the JSON that carries them.

The attributes are StickerBench's (SEAL, abstract): appearance, emotion, action, camera composition,
style, background. Suggestions and wording are ours and live in one data file, `attributes.json`.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..messages import SealError, require_utf8

ATTRIBUTES = ("appearance", "emotion", "action", "camera", "style", "background")
_MAX_LENGTH = 400


@dataclass(frozen=True)
class Attribute:
    """One of the six attributes.

    phrase: how a prompt words a value, "{} background". A value that ends with one of the words `ends`
    ("pixel art") or has one of `joins` in it ("on a beach") is a phrase by itself and stays as it is.
    rendered: the values that StickerWorld draws.
    """

    name: str
    label: str
    description: str
    phrase: str
    ends: tuple[str, ...]
    joins: tuple[str, ...]
    aliases: tuple[str, ...]
    suggestions: tuple[str, ...]
    rendered: tuple[str, ...] = ()

    @property
    def noun(self) -> str:
        """The word that the phrase adds: "background", "style" or nothing."""
        return self.phrase.replace("{}", "").strip()

    def is_complete(self, value: str) -> bool:
        """Whether the value is a phrase by itself."""
        last = _words(value)[-1:]
        return not self.noun or self.joined(value) or (bool(last) and last[0] in self.ends)

    def joined(self, value: str) -> bool:
        """Whether the value brings its own preposition: "on a beach"."""
        return not set(_words(value)).isdisjoint(self.joins)

    def say(self, value: str) -> str:
        """The value as a prompt words it: "beach" -> "beach background"; empty for empty."""
        return value if not value or self.is_complete(value) else self.phrase.replace("{}", value)


def _words(text: str) -> list[str]:
    return re.findall(r"[\w-]+", text.lower())


@functools.lru_cache(maxsize=1)
def attribute_data() -> dict[str, Any]:
    """What `attributes.json` holds: the attributes, the default template, the negative words."""
    return json.loads(Path(__file__).with_name("attributes.json").read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=1)
def attribute_schema() -> Mapping[str, Attribute]:
    """The six attributes by name, in their order."""
    known = attribute_data()["attributes"]
    return {
        name: Attribute(
            name=name,
            label=known[name]["label"],
            description=known[name]["description"],
            phrase=known[name]["phrase"],
            ends=tuple(known[name]["ends"]),
            joins=tuple(known[name]["joins"]),
            aliases=tuple(known[name]["aliases"]),
            suggestions=tuple(known[name]["suggestions"]),
            rendered=tuple(known[name]["rendered"]),
        )
        for name in ATTRIBUTES
    }


def default_template() -> str:
    """The template that `attribute_prompt` uses when none is given."""
    return attribute_data()["template"]


def canonical_attribute(name: str, where: str = "attribute") -> str:
    """The attribute's own name for a name or an alias in any spelling ("Camera Composition" -> "camera").

    Raises SealError for unknown names, with the valid ones.
    """
    plain = " ".join(re.split(r"[\s_-]+", name.strip().lower()))
    for attribute in attribute_schema().values():
        if plain in (attribute.name, attribute.label.lower(), *attribute.aliases):
            return attribute.name
    close = difflib.get_close_matches(plain, ATTRIBUTES, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise SealError(f"{where}: {name!r} is not an attribute; use one of {', '.join(ATTRIBUTES)}.{hint}")


def clean_value(name: str, value: Any) -> str:
    """One attribute's value on one line, without stray commas; SealError names the input."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise SealError(f'{name}: {value!r} is not text; write the value as words, e.g. "{_example(name)}".')
    require_utf8(value, name)
    if "{" in value or "}" in value:
        raise SealError(f"{name}: {value!r} has braces, which mark places in templates; leave them out.")
    text = " ".join(value.split()).strip(" ,")
    if len(text) > _MAX_LENGTH:
        raise SealError(f"{name}: {len(text)} characters; use at most {_MAX_LENGTH}; a few words work best.")
    return text


def _example(name: str) -> str:
    attribute = attribute_schema().get(name)
    return attribute.suggestions[0] if attribute else "happy"


def parse_attributes(text: str) -> dict[str, str]:
    """`reference_attributes` JSON, e.g. {"emotion": "sleepy"}, as canonical name -> value, without empty ones.

    Aliases such as "Camera Composition" are understood. Empty text is no attribute.
    Raises SealError (naming `reference_attributes`) for anything but an object of known names and texts.
    """
    if not text or not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SealError(
            f"reference_attributes: not valid JSON ({error}). Wire the `attributes` output of "
            'SEAL Sticker Attribute Prompt, or write e.g. {"emotion": "sleepy", "background": "beach"}.'
        ) from None
    if not isinstance(found, dict):
        raise SealError('reference_attributes: must be a JSON object such as {"emotion": "sleepy"}.')
    result: dict[str, str] = {}
    for key, value in found.items():
        name = canonical_attribute(key, "reference_attributes")
        if name in result:
            raise SealError(f"reference_attributes: {name} is given twice (as {key!r} too); keep one of them.")
        if not isinstance(value, str):
            raise SealError(f"reference_attributes: {key!r} is {value!r}; write text in quotes, or leave it out.")
        try:
            result[name] = clean_value(name, value)
        except SealError as error:
            raise SealError(f"reference_attributes: {error}") from None
    return {name: result[name] for name in ATTRIBUTES if result.get(name)}
