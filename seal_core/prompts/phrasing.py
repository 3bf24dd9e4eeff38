"""Prompts: what the training says of the reference, and what a user asks of the learned concept (ours)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..hosts.base import Prompt
from ..messages import SealError
from .attributes import ATTRIBUTES, canonical, clean, data, default_template, parse_attributes, schema

__all__ = [
    "ATTRIBUTES",
    "AttributePrompt",
    "attribute_prompt",
    "canonical",
    "default_template",
    "parse_attributes",
    "plain_words",
    "schema",
    "sweep",
    "training_prompt",
]

# The appearance is what the token is to learn, so training never explains it by words.
EXPLAINED = ("emotion", "action", "camera", "style")
MAX_SWEEP = 1024
MAX_NAME, MAX_TEXT = 400, 4000
"""Characters of a concept, and of the extra words or a template."""
_LEAD = re.compile(r"(?:^|[\s,])(?:in front of|on|in|at|with|against|before|over|under|and|an?|the)\Z")
_LONGEST_LEAD = len(",in front of")


def training_prompt(
    template: str, *, context_token: bool, attributes: Mapping[str, str], background_words: str = ""
) -> Prompt:
    """One training prompt, with the slot {concept} and, where the context token stands, {background} (ours).

    template: text with one "{}" for the concept; an optional "{background}" says where the background
    is named (else at the end).
    attributes: what is known of the reference; its emotion, action, camera and style are named right
    after the subject, so that words explain them and the token need not. The appearance is left to the token.
    background_words: the ground of an augmented view, "plain red". It is named instead of the
    reference's, and without the context token, which stands for the reference's own background only.

    >>> training_prompt("a sticker of {}", context_token=True, attributes={"emotion": "sleepy"}).text
    'a sticker of {concept}, sleepy, {background} background'
    """
    rest = template.replace("{}", "", 1).replace("{background}", "", 1)
    if template.count("{}") != 1 or "{" in rest or "}" in rest:
        raise SealError(
            f"prompts: {template!r} must have exactly one {{}} where the concept stands, at most one {{background}}, "
            "and no other braces."
        )
    known = schema()
    said = [known[n].say(clean(n, attributes.get(n))) for n in EXPLAINED]
    subject = ", ".join(["{concept}", *filter(None, said)])
    words = clean("background", background_words)
    token = context_token and not words
    phrase = _background_phrase(words or clean("background", attributes.get("background")), token)
    if "{background}" not in template:
        text = f"{template.rstrip(' ,.')}, {phrase}" if phrase else template
        return Prompt(_tidy(text.replace("{}", subject)))
    before, after = template.split("{background}")
    noun = known["background"].noun
    if known["background"].joined(phrase):  # "on a beach" brings its own preposition
        after = re.sub(rf"^\s+{noun}\b", "", after)
        if not token:
            before = _drop_dangling(before) + " "
    elif re.match(rf"\s+{noun}\b", after):
        phrase = phrase.removesuffix(noun).rstrip()
    elif not phrase:
        before = _drop_dangling(before)
    # Replaced last: the phrase itself may hold the slot's name.
    return Prompt(_tidy("".join((before, phrase, after)).replace("{}", subject)))


def _background_phrase(words: str, token: bool) -> str:
    background = schema()["background"]
    if not token:
        return background.say(words)
    noun = background.noun
    if background.joined(words):
        return f"{{background}} {noun} {words}"  # "on a beach" follows the noun
    return f"{{background}} {background.say(words) or noun}"


def _drop_dangling(text: str) -> str:
    """The text without the words that led to a place that stays empty ("a cat on a" -> "a cat")."""
    end = kept = len(text.rstrip())
    while lead := _LEAD.search(text, max(0, kept - _LONGEST_LEAD), kept):
        kept = lead.start()
    return text if kept == end else text[:kept]


def plain_words(class_word: str) -> dict[str, str]:
    """Words for every slot of a training prompt: `prompt.fill(plain_words("cat"))` is its class-word version."""
    return {"concept": " ".join(class_word.split()), "background": ""}


class AttributePrompt(NamedTuple):
    """prompt and negative prompt, and the attributes that were set (canonical names, no empty ones)."""

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

    concept: the learned concept as a prompt names it: "embedding:my-cat", "<my-sticker>" or plain words.
    extra: free words, put where {extra} stands. template: text with {concept} and any of the attributes'
    placeholders; empty = `default_template()`. A part between commas whose placeholders are all empty
    is left out whole.
    """
    given = dict(zip(ATTRIBUTES, (appearance, emotion, action, camera, style, background)))
    values = {name: clean(name, value) for name, value in given.items()}
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


def sweep(
    concept: str,
    base: Mapping[str, str],
    values: Mapping[str, Sequence[str]] | Sequence[tuple[str, Sequence[str]]],
    extra: str = "",
    template: str = "",
) -> tuple[list[str], list[str]]:
    """Prompts for every value of one attribute, or for every pair of values of two (ours).

    base: the attributes that stay. values: attribute -> its values, or pairs of them; blank and repeated
    values are dropped.
    The first attribute changes slowest: with two, each row of a grid of len(second) columns has one value of it.
    Returns (prompts, labels) of equal length; labels are fit for file names.
    Raises SealError for unknown attributes, no values, or more than MAX_SWEEP prompts.
    """
    fixed = {canonical(name): value for name, value in base.items()}
    grid: dict[str, list[str]] = {}
    pairs = values.items() if isinstance(values, Mapping) else values
    for i, (name, lines) in enumerate(pairs, start=1):
        attribute = canonical(name, f"attribute_{i}")
        if attribute in grid:
            raise SealError(f"attribute_{i}: {attribute} is swept already; choose another attribute or none.")
        grid[attribute] = list(dict.fromkeys(filter(None, (clean(attribute, v) for v in lines))))
        if not grid[attribute]:
            tips = ", ".join(schema()[attribute].suggestions[:3])
            raise SealError(f"values_{i}: no value for {attribute}; write one a line, e.g. {tips}.")
    if not 1 <= len(grid) <= 2:
        raise SealError(f"attribute_1: sweep one or two attributes, not {len(grid)}; use {', '.join(ATTRIBUTES)}.")
    count = math.prod(len(options) for options in grid.values())
    if count > MAX_SWEEP:
        raise SealError(f"values_1: {count} prompts in one sweep; use at most {MAX_SWEEP}.")
    cells: list[dict[str, str]] = [{}]
    for attribute, options in grid.items():
        cells = [{**cell, attribute: value} for cell in cells for value in options]
    prompts = [attribute_prompt(concept, **{**fixed, **c}, extra=extra, template=template).prompt for c in cells]
    # SaveImage reads %...% and path separators in its file name prefix, Windows refuses the others.
    labels = [re.sub(r'[/\\:*?"<>|%]+', "-", ", ".join(cell.values()))[:120].strip(" .,") or "-" for cell in cells]
    return prompts, labels


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
    return _tidy(",".join(filter(None, (_fill(part, concept, values) for part in _parts(template)))))


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
        attribute = schema().get(slot)
        value = values[slot]
        if attribute is None or (attribute.noun and re.match(rf"\s+{attribute.noun}\b", after)):
            return value  # the template says "{background} background" itself
        return attribute.say(value)

    return re.sub(r"\{(\w+)\}", word, part)


def _spaced(concept: str, before: str, after: str) -> str:
    """ComfyUI reads `embedding:NAME` only after a space (or bracket), and NAME up to a space or comma."""
    if not concept.lower().startswith("embedding:"):
        return concept
    lead = "" if not before or before[-1] in " \n(" else " "
    trail = "" if not after or after[0] in " \n,)" or re.match(r":[\d.]+\)", after) else " "
    return f"{lead}{concept}{trail}"


def _tidy(text: str) -> str:
    """One line without empty brackets, doubled or dangling commas and spaces.

    Runs of commas and spaces are looked at from their first character only, so that the time is linear.
    """
    text = " ".join(text.split())
    text = re.sub(r"[(\[][\s,]*(?::[\d.]+)?[)\]]", "", text)
    text = re.sub(r"([(\[])[\s,]+", r"\1", text)
    text = re.sub(r"(?<![\s,])[\s,]+(?=[)\]]|:[\d.]+\))", "", text)
    text = re.sub(r"[\s,]+", lambda run: ", " if "," in run[0] else " ", text)
    return text.strip(" ,")


def _negative(text: str, chosen: Mapping[str, str]) -> str:
    """Words that stickers should not show, less those that the prompt (its concept aside) asks for."""
    words = []
    for entry in data()["negative"]:
        when = entry.get("when", {})
        wanted = all(_mentions(chosen.get(name, ""), terms) for name, terms in when.items())
        if wanted and not _mentions(text, entry.get("unless", ())):
            words.append(entry["words"])
    return ", ".join(words)


def _mentions(text: str, terms: Sequence[str]) -> bool:
    return any(re.search(rf"\b{re.escape(term)}", text.lower()) for term in terms)
