"""The nodes that the running ComfyUI can run."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

from ...seal_core.messages import log_warning
from .member_lookup import lacks
from .private_members import READ_IN

NEEDS: dict[str, tuple[str, ...]] = {
    "semantic_mask": (),
    "split_merge_tokenizer": (),
    "low_rank_spec": (),
    "layer_restriction_spec": ("sites",),
    "train_embedding": ("text", "sites", "training"),
    "train_folder": ("text", "sites", "training"),
    "load_embedding": (),
    "text_encode": ("text", "routing"),
    "apply_embedding": ("sites", "routing"),
    "route_conditioning": ("sites", "routing"),
    "reference_model": ("sites", "routing"),
    "sticker_attribute_prompt": (),
    "sticker_attribute_sweep": (),
    "style_regions": ("text", "sites", "training"),
    "style_match": (),
    "restyle": ("text", "sites", "training"),
    "style_model": ("sites", "routing"),
    "tailor_style": ("text", "sites", "training"),
    "train_motion": ("text", "sites", "training"),
    "apply_motion": ("sites", "routing"),
    "demo_model": ("demo",),
    "sticker_cutout": (),
    "sticker_border": (),
    "sticker_layout": (),
    "sticker_text": (),
    "sticker_motion": (),
    "contact_sheet": (),
    "load_stickers": (),
    "save_sticker_pack": ("packs",),
}
"""Module of a node -> areas of MEMBERS that it needs, in the order in which ComfyUI lists the nodes."""


def usable_nodes() -> list[Any]:
    """The node classes that this ComfyUI can run; one log line for each reason why others are switched off."""
    nodes: list[Any] = []
    switched_off: dict[str, list[str]] = {}
    for module, areas in NEEDS.items():
        if lacking := lacks(*areas):
            switched_off.setdefault(f"has no {lacking}", []).append(module)
            continue
        try:
            nodes += importlib.import_module(f"..{module}", __package__).NODES
        except Exception as error:  # a fork may raise anything; the other nodes stay
            reason = f"does not have what it asks for ({type(error).__name__}: {error})"
            switched_off.setdefault(reason, []).append(module)
    for reason, modules in switched_off.items():
        log_warning(
            "SEAL: switched off %s, since this ComfyUI (%s) %s. Update the pack, or use a ComfyUI that it knows (%s).",
            ", ".join(map(_shown_name, modules)), _version(), reason, ", ".join(READ_IN),
        )  # fmt: skip
    return nodes


def _shown_name(module: str) -> str:
    """A node's display name, read off its source since the module may not be importable."""
    try:
        source = (Path(__file__).parents[1] / f"{module}.py").read_text(encoding="utf-8")
    except OSError:  # an installation of compiled files
        return module
    found = re.search(r'display_name="([^"]+)"', source)
    return found[1] if found else module


def _version() -> str:
    try:
        return importlib.import_module("comfyui_version").__version__
    except (ImportError, AttributeError):
        return "of an unknown version"
