"""A prompt for a learned concept from the six attributes, and the negative prompt that goes with it (ours)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..messages import SealError
from .attributes import ATTRIBUTES, attribute_data, attribute_schema, clean_value, default_template
from .tidy import tidy

MAX_NAME, MAX_TEXT = 400, 4000
"""Characters of a concept, and of the extra words or a template."""


class AttributePrompt(NamedTuple):
    """Prompt, negative prompt and the attributes that are set (by canonical name)."""

    prompt: str
    negative: str
    attributes: dict[str, str]


def attribute_prompt(
    concept: str,
    appearance: str = "",
    emotion: str = "",
    action: str = "",
    camera: str = "",
    style: str = "",
    background: str = "",
    extra: str = "",
    template: str = "",
) -> AttributePrompt:
    """A prompt for the concept from the six attributes, and a negative prompt that does not contradict it (ours).

    concept: its name in prompts: "embedding:my-cat", "<my-sticker>" or plain words.
    extra: free words for the place {extra}. template: text with {concept} and any of the attributes' places;
    empty = `default_template()`. A part between commas whose places are all empty is left out.
    """
    given = dict(zip(ATTRIBUTES, (appearance, emotion, action, camera, style, background)))
    values = {name: clean_value(name, value) for name, value in given.items()}
    values["extra"] = " ".join(extra.split()).strip(" ,")
    name = " ".join(concept.split()).strip(" ,")
    if not name:
        raise SealError(
            "concept: empty; write embedding:NAME (the `name` output of SEAL Train Embedding or SEAL Load Embedding). "
            "A tail embedding has no such name: use the concept's own name with SEAL Text Encode."
        )
    text = template.strip() or default_template()
    _short("concept", name, MAX_NAME)
    _short("extra", values["extra"], MAX_TEXT)
    _short("template", text, MAX_TEXT)
    chosen = {n: values[n] for n in ATTRIBUTES if values[n]}
    prompt = _render(text, name, values)
    return AttributePrompt(prompt, _negative(_render(text, "", values), chosen), chosen)


def _short(what: str, words: str, most: int) -> None:
    if len(words) > most:
        raise SealError(f"{what}: {len(words)} characters are too many; use at most {most}.")


def _render(template: str, concept: str, values: Mapping[str, str]) -> str:
    template = template.replace("{}", "{concept}")
    slots = re.findall(r"\{([^{}]*)\}", template)
    names = ("concept", *ATTRIBUTES, "extra")
    strange = [s for s in slots if s not in names]
    if strange or re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", template)):
        found = ", ".join(f"{{{s}}}" for s in strange) or "a single brace"
        raise SealError(f"template: {found} is not known; use {', '.join(f'{{{n}}}' for n in names)}.")
    if "concept" not in slots:
        raise SealError("template: has no {concept}; write it where the subject stands, e.g. a sticker of {concept}.")
    return tidy(",".join(filter(None, (_fill(part, concept, values) for part in _parts(template)))))


def _parts(template: str) -> list[str]:
    """The template cut at commas outside brackets."""
    parts, depth = [""], 0
    for char in template:
        depth = max(0, depth + (char in "([") - (char in ")]"))
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _fill(part: str, concept: str, values: Mapping[str, str]) -> str:
    slots = re.findall(r"\{(\w+)\}", part)
    if slots and "concept" not in slots and not any(values[s] for s in slots):
        return ""

    def word(match: re.Match[str]) -> str:
        slot, before, after = match[1], part[: match.start()], part[match.end() :]
        if slot == "concept":
            return _spaced(concept, before, after)
        attribute = attribute_schema().get(slot)
        value = values[slot]
        if attribute is None or (attribute.noun and re.match(rf"\s+{attribute.noun}\b", after)):
            return value  # the template says "{background} background" itself
        return attribute.say(value)

    return re.sub(r"\{(\w+)\}", word, part)


def _spaced(concept: str, before: str, after: str) -> str:
    """ComfyUI reads `embedding:NAME` only after a space or bracket, and NAME ends at a space or comma."""
    if not concept.lower().startswith("embedding:"):
        return concept
    lead = "" if not before or before[-1] in " \n(" else " "
    trail = "" if not after or after[0] in " \n,)" or re.match(r":[\d.]+\)", after) else " "
    return f"{lead}{concept}{trail}"


def _negative(text: str, chosen: Mapping[str, str]) -> str:
    """What stickers should not show, without what the prompt (apart from its concept) asks for."""
    words = []
    for entry in attribute_data()["negative"]:
        when = entry.get("when", {})
        wanted = all(_mentions(chosen.get(name, ""), terms) for name, terms in when.items())
        if wanted and not _mentions(text, entry.get("unless", ())):
            words.append(entry["words"])
    return ", ".join(words)


def _mentions(text: str, terms: Sequence[str]) -> bool:
    return any(re.search(rf"\b{re.escape(term)}", text.lower()) for term in terms)
