"""The folders that learned concepts are kept in, and those that fonts come from."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

from ...seal_core.files.whole_file import why_not_writable
from ...seal_core.messages import SealError

TAILS = "seal_tails"
FONTS = "fonts"


def embeddings_folder() -> Path:
    """Where input embeddings are saved: the first of ComfyUI's embeddings folders."""
    return Path(folder_paths.get_folder_paths("embeddings")[0])


def tails_folder() -> Path:
    """Where tails are saved: models/seal_tails, out of sight of `embedding:`. Registers it with ComfyUI."""
    if TAILS not in folder_paths.folder_names_and_paths:
        folder_paths.folder_names_and_paths[TAILS] = ([os.path.join(folder_paths.models_dir, TAILS)], {".safetensors"})
    return Path(folder_paths.get_folder_paths(TAILS)[0])


def font_folders() -> list[Path]:
    """Where fonts lie: models/fonts, what else ComfyUI, another pack or extra_model_paths.yaml has registered for fonts
    (newer ComfyUIs: fonts beside models), and the input folder."""
    others = folder_paths.get_folder_paths(FONTS) if FONTS in folder_paths.folder_names_and_paths else []
    folders = [os.path.join(folder_paths.models_dir, FONTS), *others, folder_paths.get_input_directory()]
    return list(dict.fromkeys(map(Path, folders)))


def folder_of(carrier: str) -> Path:
    """Folder of a carrier's files ("input" or "tail"), made if it is not there. Raises SealError where it cannot be."""
    folder = tails_folder() if carrier == "tail" else embeddings_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SealError(f"name: {folder} cannot be made: {why_not_writable(error)}.") from error
    return folder


def spare_folders() -> list[Path]:
    """Where a result is kept that cannot be saved in its own folder: ComfyUI's output, else its temp folder."""
    return [Path(folder_paths.get_output_directory()), Path(folder_paths.get_temp_directory())]
