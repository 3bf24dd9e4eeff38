"""Prompts for every value of an attribute, or every pair of values of two (ours)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from ..messages import SealError
from .attribute_prompt import attribute_prompt
from .attributes import ATTRIBUTES, attribute_schema, canonical_attribute, clean_value

MAX_SWEEP = 1024


def sweep_prompts(
    concept: str,
    base: Mapping[str, str],
    values: Mapping[str, Sequence[str]] | Sequence[tuple[str, Sequence[str]]],
    extra: str = "",
    template: str = "",
) -> tuple[list[str], list[str]]:
    """Prompts for every value of one attribute, or for every pair of values of two (ours).

    base: the attributes that stay. values: attribute -> its values, or such pairs; blank and repeated ones are dropped.
    The first attribute changes slowest: in a grid of len(second) columns, each row has one value of it.
    Returns (prompts, labels) of equal length; labels can stand in file names.
    Raises SealError for unknown attributes, no values, or more than MAX_SWEEP prompts.
    """
    fixed = {canonical_attribute(name): value for name, value in base.items()}
    grid: dict[str, list[str]] = {}
    pairs = values.items() if isinstance(values, Mapping) else values
    for i, (name, lines) in enumerate(pairs, start=1):
        attribute = canonical_attribute(name, f"attribute_{i}")
        if attribute in grid:
            raise SealError(f"attribute_{i}: {attribute} is swept already; choose another attribute or none.")
        grid[attribute] = list(dict.fromkeys(filter(None, (clean_value(attribute, v) for v in lines))))
        if not grid[attribute]:
            tips = ", ".join(attribute_schema()[attribute].suggestions[:3])
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
    # In a file name prefix SaveImage interprets %...% and path separators; Windows refuses the others.
    labels = [re.sub(r'[/\\:*?"<>|%]+', "-", ", ".join(cell.values()))[:120].strip(" .,") or "-" for cell in cells]
    return prompts, labels
