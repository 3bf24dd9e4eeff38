"""The ComfyUIs on this machine, and the interpreters that run them."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACK = HERE.parents[1]
HANGS = 1800
"""Seconds after which a subprocess or a prompt counts as hanging: long enough for any busy machine."""


def find_comfyuis() -> list[Path]:
    """The folders in COMFYUI_PATH (os.pathsep between them), else every ~/comfy/ComfyUI* and ../ComfyUI.

    Raises FileNotFoundError if a given folder holds no ComfyUI, so that a typo does not skip the tests.
    """
    given = [Path(name).expanduser() for name in os.environ.get("COMFYUI_PATH", "").split(os.pathsep) if name.strip()]
    for folder in given:
        if not (folder / "main.py").is_file():
            raise FileNotFoundError(f"COMFYUI_PATH: {folder} holds no ComfyUI (no main.py)")
    usual = [*sorted((Path.home() / "comfy").glob("ComfyUI*")), PACK.parent / "ComfyUI"]
    found = given or [folder for folder in usual if (folder / "main.py").is_file()]
    return list(dict.fromkeys(folder.resolve() for folder in found))


def version_of(comfyui: Path) -> str:
    """As comfyui_version.py says, such as 0.8.0; else the folder's name."""
    file = comfyui / "comfyui_version.py"
    said = re.search(r'__version__ = "([^"]+)"', file.read_text() if file.is_file() else "")
    return said[1] if said else comfyui.name


def found_comfyuis() -> str:
    """What was found, in one line."""
    found = ", ".join(f"{version_of(c)} in {c} run by {find_python(c)}" for c in find_comfyuis())
    return f"ComfyUI: {found or 'NONE FOUND (set COMFYUI_PATH); nodes/ is tried against stand-ins only'}"


def find_python(comfyui: Path) -> str:
    """COMFYUI_PYTHON, else a virtual environment in ComfyUI's folder, else this interpreter."""
    if os.environ.get("COMFYUI_PYTHON"):
        return os.environ["COMFYUI_PYTHON"]
    for name in (".venv/bin/python", "venv/bin/python", ".venv/Scripts/python.exe", "venv/Scripts/python.exe"):
        if (comfyui / name).exists():
            return str(comfyui / name)
    return sys.executable
