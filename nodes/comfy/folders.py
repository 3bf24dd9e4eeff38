"""ComfyUI's folders: where learned concepts and packs are kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import folder_paths

from ...seal_core.files.safe_names import EMBEDDING_EXTENSIONS
from ...seal_core.files.whole_file import why_not_writable
from ...seal_core.messages import SealError

TAILS, MOTIONS = "seal_tails", "seal_motion"
_MOST_FOLDERS = 200


def embeddings_folder() -> Path:
    """Where input embeddings are saved: the first of ComfyUI's embeddings folders."""
    return Path(folder_paths.get_folder_paths("embeddings")[0])


def tails_folder() -> Path:
    """Where tails are saved: models/seal_tails, out of sight of `embedding:`. Registers it with ComfyUI."""
    return _own_folder(TAILS)


def motions_folder() -> Path:
    """Where learned motions are saved: models/seal_motion. Registers it with ComfyUI."""
    return _own_folder(MOTIONS)


def _own_folder(name: str) -> Path:
    if name not in folder_paths.folder_names_and_paths:
        folder_paths.folder_names_and_paths[name] = ([os.path.join(folder_paths.models_dir, name)], {".safetensors"})
    return Path(folder_paths.get_folder_paths(name)[0])


def folder_of(carrier: str) -> Path:
    """Folder for concepts of a carrier ("input" or "tail"), created if missing. Raises SealError where it cannot be."""
    folder = tails_folder() if carrier == "tail" else embeddings_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SealError(f"name: {folder} cannot be made: {why_not_writable(error)}.") from error
    return folder


def loras_folder() -> Path:
    """Where a concept's weights are saved as a LoRA: the first of ComfyUI's loras folders."""
    return Path(folder_paths.get_folder_paths("loras")[0])


def output_folder() -> Path:
    """ComfyUI's output folder."""
    return Path(folder_paths.get_output_directory())


def picture_folders() -> list[str]:
    """ComfyUI's input and output folders, and what lies in them, two levels deep: "input", "input/NAME", ..."""
    found = []
    for name, root in _picture_roots().items():
        paths = [path for pattern in ("*", "*/*") for path in root.glob(pattern) if path.is_dir()]
        below = (path.relative_to(root).as_posix() for path in paths if path.name[0] != ".")
        found += [name, *sorted(f"{name}/{path}" for path in below)[:_MOST_FOLDERS]]
    return found


def picture_folder(name: str) -> Path:
    """The folder of a name from `picture_folders`. Raises SealError for others."""
    root, *below = name.split("/")
    path = Path(_picture_roots().get(root, ""), *below)
    if (
        root not in _picture_roots()
        or {"", ".", ".."} & set(below)
        or "\\" in name
        or ":" in name
        or not os.path.isdir(path)
    ):
        raise SealError(f"folder: {name[:80]!r} is no folder in ComfyUI's input or output; press R and choose another.")
    return path


def folder_times(name: str) -> list[tuple[str, int, int]]:
    """Name, time and size of what lies in such a folder and its sub-folders; nothing where there is none."""
    try:
        paths = [path for pattern in ("*", "*/*") for path in picture_folder(name).glob(pattern)]
        return sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths)
    except (OSError, SealError):
        return []


def found_or_why(find: Callable[[str], object], name: str | None) -> bool | str:
    """True where `find` finds what an input names, else its complaint: for validate_inputs. None: the name is wired.

    This looks into the folders themselves: ComfyUI's list may be older than they are.
    """
    try:
        if name is not None:
            find(name)
    except SealError as error:
        return str(error)
    return True


def _picture_roots() -> dict[str, Path]:
    return {"input": Path(folder_paths.get_input_directory()), "output": output_folder()}


def spare_folders() -> list[Path]:
    """Where a result is kept that its own folder does not take: ComfyUI's output, else its temp folder."""
    return [output_folder(), Path(folder_paths.get_temp_directory())]


def listed_concepts() -> list[str]:
    """Names of the files that hold concepts: those under models/embeddings, then seal_tails/NAME."""
    tails_folder()  # registers it
    tails = [name for name in folder_paths.get_filename_list(TAILS) if name.endswith(".safetensors")]
    return [*folder_paths.get_filename_list("embeddings"), *(f"{TAILS}/{name}" for name in tails)]


def listed_as(stem: str, carrier: str) -> str:
    """The listed name of a concept's file in the folder of its carrier."""
    return f"{TAILS}/{stem}.safetensors" if carrier == "tail" else f"{stem}.safetensors"


def listed_motions() -> list[str]:
    """Names of the files under models/seal_motion."""
    motions_folder()  # registers it
    return [name for name in folder_paths.get_filename_list(MOTIONS) if name.endswith(".safetensors")]


def path_of_motion(name: str) -> Path:
    """The file of a listed name. Raises SealError where there is none."""
    motions_folder()
    path = folder_paths.get_full_path(MOTIONS, name) if name else None
    if path is None:
        raise SealError(f"file: {name!r} is not in models/{MOTIONS}; press R and choose another.")
    return Path(path)


def path_of_concept(name: str) -> Path:
    """The file of a listed name, also without its extension. Raises SealError where there is none."""
    tails_folder()
    folder, rest = (TAILS, name[len(TAILS) + 1 :]) if name.startswith(f"{TAILS}/") else ("embeddings", name)
    for extension in ("", *EMBEDDING_EXTENSIONS):
        path = folder_paths.get_full_path(folder, rest + extension)
        if rest and path is not None:
            return Path(path)
    raise SealError(f"name: {name!r} is not in models/embeddings or models/{TAILS}; press R and choose another.")
