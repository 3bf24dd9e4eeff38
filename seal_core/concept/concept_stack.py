"""Concepts loaded one after another: what prompts call each, and what a user reads about it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath

from ..messages import escaped_surrogates
from .concept import Concept, Embedding

_LONG = ("report", "attention")
"""Parts of the provenance that only the training node shows."""


def name_in_prompts(concept: Concept) -> str:
    """embedding:FILE, which every text encode node of ComfyUI understands; "" for a tail, which is no word."""
    return "" if concept.carrier == "tail" else f"embedding:{concept.file}"


def in_folder_of(listed: str, concept: Concept) -> Concept:
    """The concept with the subfolder of its file's listed name ("animals/cat.safetensors") in `file`."""
    if concept.carrier == "tail":
        return concept
    folder = PurePosixPath(listed.replace("\\", "/")).parent
    return replace(concept, file=(folder / concept.file).as_posix())


def stacked(previous: Embedding | None, concept: Concept) -> Embedding:
    """The concepts of `previous`, then this one; under its file's name where another file's concept has its own.

    Raises SealError for another base model and for a concept that is there already.
    """
    before = previous.concepts if previous else ()
    if concept.name in {c.name for c in before} and concept.file not in {c.file for c in before}:
        concept = replace(concept, name=f"<{concept.file}>")  # two stickers trained under the default name
    return Embedding((*before, concept))


def about(concept: Concept) -> str:
    """What it is, what prompts call it, and how it was trained."""
    names = " or ".join(filter(None, (concept.name, name_in_prompts(concept))))
    known = {key: value for key, value in concept.provenance.items() if key not in _LONG}
    origin = "Not made with SEAL; it may enter everywhere."
    if known:
        origin = f"Trained with SEAL:\n{json.dumps(known, indent=2, sort_keys=True)}"
    return escaped_surrogates(f"{concept}\nIn prompts: {names}\n{origin}")
