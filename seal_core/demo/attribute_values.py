"""The attribute values that the tiny model was trained on."""

from __future__ import annotations

from collections.abc import Mapping

from ..prompts.attributes import attribute_schema

SCENE = ("emotion", "action", "camera", "style", "background")
"""The attributes that are not the character's own, in the schema's order; appearance is the sixth."""

VALUES: Mapping[str, tuple[str, ...]] = {name: attribute_schema()[name].rendered for name in SCENE}
"""Attribute -> its known values: the `rendered` lists of attributes.json."""

PLAIN_BACKGROUNDS = tuple(v for v in VALUES["background"] if v.startswith("plain"))
