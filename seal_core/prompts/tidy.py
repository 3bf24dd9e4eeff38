"""Prompts without the commas, brackets and spaces that empty places leave behind."""

from __future__ import annotations

import re


def tidy(text: str) -> str:
    """One line without empty brackets, and without doubled or dangling commas and spaces.

    Every pattern looks at a run of commas and spaces from its first character only, so a pass takes linear time.

    >>> tidy("a cat, , (:1.2) on  a beach,")
    'a cat, on a beach'
    """
    text = " ".join(text.split())
    emptied = 1
    while emptied:  # once for each level of brackets in brackets
        text, emptied = re.subn(r"[(\[][\s,]*(?::[\d.]+[\s,]*)?[)\]]", "", text)
    text = re.sub(r"([(\[])[\s,]+", r"\1", text)
    text = re.sub(r"(?<![\s,])[\s,]+(?=[)\]]|:[\d.]+\))", "", text)
    text = re.sub(r"[\s,]+", lambda run: ", " if "," in run[0] else " ", text)
    return text.strip(" ,")
