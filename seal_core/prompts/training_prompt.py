"""What a training says of its reference: one prompt per template (ours)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..hosts.base import Prompt
from ..messages import SealError
from .attributes import attribute_schema, clean_value
from .tidy import tidy

EXPLAINED = ("emotion", "action", "camera", "style")
"""Attributes that words explain. The appearance is not among them: it is what the token has to learn."""

_LEAD = re.compile(r"(?:^|[\s,])(?:in front of|on|in|at|with|against|before|over|under|and|an?|the)\Z")
_LONGEST_LEAD = len(",in front of")


def training_prompt(
    template: str, *, context_token: bool, attributes: Mapping[str, str], background_words: str = ""
) -> Prompt:
    """One training prompt, with the slot {concept} and, for the context token, {background} (ours).

    template: text with one "{}" for the concept; an optional "{background}" marks the place of the background
    (default: the end).
    attributes: what is known of the reference. Its emotion, action, camera and style follow the subject, so that words
    explain them and the token need not.
    background_words: the background of an augmented view, "plain red". It replaces the reference's, and the context
    token too, which stands for the reference's own background only.

    >>> training_prompt("a sticker of {}", context_token=True, attributes={"emotion": "sleepy"}).text
    'a sticker of {concept}, sleepy, {background} background'
    """
    rest = template.replace("{}", "", 1).replace("{background}", "", 1)
    if template.count("{}") != 1 or "{" in rest or "}" in rest:
        raise SealError(
            f"prompts: {template!r} must have exactly one {{}} where the concept stands, at most one {{background}}, "
            "and no other braces."
        )
    known = attribute_schema()
    said = [known[n].say(clean_value(n, attributes.get(n))) for n in EXPLAINED]
    subject = ", ".join(["{concept}", *filter(None, said)])
    words = clean_value("background", background_words)
    token = context_token and not words
    phrase = _background_phrase(words or clean_value("background", attributes.get("background")), token)
    if "{background}" not in template:
        text = f"{template.rstrip(' ,.')}, {phrase}" if phrase else template
        return Prompt(tidy(text.replace("{}", subject)))
    before, after = template.split("{background}")
    noun = known["background"].noun
    if known["background"].joined(phrase):  # "on a beach" has its own preposition
        after = re.sub(rf"^\s+{noun}\b", "", after)
        if not token:
            before = _drop_dangling(before) + " "
    elif re.match(rf"\s+{noun}\b", after):
        phrase = phrase.removesuffix(noun).rstrip()
    elif not phrase:
        before = _drop_dangling(before)
    # Replaced last: the phrase may contain {background}.
    return Prompt(tidy("".join((before, phrase, after)).replace("{}", subject)))


def _background_phrase(words: str, token: bool) -> str:
    background = attribute_schema()["background"]
    if not token:
        return background.say(words)
    noun = background.noun
    if background.joined(words):
        return f"{{background}} {noun} {words}"  # "on a beach" follows the noun
    return f"{{background}} {background.say(words) or noun}"


def _drop_dangling(text: str) -> str:
    """The text without the words that lead to a place that stays empty ("a cat on a" -> "a cat")."""
    end = kept = len(text.rstrip())
    while lead := _LEAD.search(text, max(0, kept - _LONGEST_LEAD), kept):
        kept = lead.start()
    return text if kept == end else text[:kept]


def with_class_word(prompt: Prompt, class_word: str) -> Prompt:
    """A training prompt without learned tokens: the class word stands in the concept's place."""
    return prompt.fill({"concept": " ".join(class_word.split()), "background": ""})
