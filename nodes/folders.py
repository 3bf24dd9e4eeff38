"""The folders that learned concepts are kept in."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

TAILS = "seal_tails"


def embeddings_folder() -> Path:
    """Where input embeddings are saved: the first of ComfyUI's embeddings folders."""
    return Path(folder_paths.get_folder_paths("embeddings")[0])


def tails_folder() -> Path:
    """Where tails are saved: models/seal_tails, out of sight of `embedding:`. Registers it with ComfyUI."""
    if TAILS not in folder_paths.folder_names_and_paths:
        path = os.path.join(folder_paths.models_dir, TAILS)
        folder_paths.folder_names_and_paths[TAILS] = ([path], {".safetensors"})
    return Path(folder_paths.get_folder_paths(TAILS)[0])


def folder_of(carrier: str) -> Path:
    """Folder of a carrier's files ("input" or "tail"), made if it is not there."""
    folder = tails_folder() if carrier == "tail" else embeddings_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
