"""Every ComfyUI found: all nodes load, one training, one prompt with a concept, one sticker pack. Seconds each.

The long suite in tests/comfyui has a command of its own: `python -m pytest tests/comfyui`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import HERE, PACK, find_comfyuis, find_python, version_of
from stand_ins import loaded_pack, schemas


@pytest.fixture(scope="module")
def running() -> Iterator[dict[Path, subprocess.Popen[str]]]:
    """The checks in every ComfyUI, side by side: what takes long is importing it, which keeps one core busy."""
    started = {}
    for comfyui in find_comfyuis():
        command = [find_python(comfyui), str(HERE / "inprocess_smoke.py"), str(comfyui)]
        started[comfyui] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield started
    for process in started.values():
        with process:
            process.kill()


@pytest.fixture(scope="module")
def smoke(comfyui: Path, running: dict[Path, subprocess.Popen[str]]) -> str:
    """What the checks inside this ComfyUI printed."""
    said, errors = running[comfyui].communicate(timeout=300)
    assert "check_" in said, f"ComfyUI did not start:\n{said}{errors}"
    return said


@pytest.mark.parametrize("check", ["nodes", "training", "encode", "pack"])
def test_smoke(smoke: str, check: str) -> None:
    said = re.search(rf"^(?:ok  |FAIL) check_{check}\n(?:(?!ok  |FAIL ).*\n)*", smoke, re.MULTILINE)
    assert said is not None, smoke
    assert said[0].startswith("ok "), said[0]


def test_stand_ins_say_what_comfyui_says(smoke: str) -> None:
    """Where there is no ComfyUI, test_nodes_alone.py reads the schemas that a ComfyUI would."""
    (line,) = (line for line in smoke.splitlines() if line.startswith("schemas "))
    with loaded_pack() as pack:
        told = {s.node_id: [[i.id, i.io_type, i.optional] for i in s.inputs] for s in schemas(pack)}
    real = json.loads(line.removeprefix("schemas ").replace('"COLOR"', '"STRING"'))  # newer ones have a picker
    assert told == real


def _comfyui(folder: Path, version: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "main.py").touch()
    if version:
        (folder / "comfyui_version.py").write_text(f'__version__ = "{version}"\n')
    return folder


def test_comfyuis_are_found_or_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = _comfyui(tmp_path / "comfy/ComfyUI", "0.8.0"), _comfyui(tmp_path / "comfy/ComfyUI-new")
    other = _comfyui(tmp_path / "other")
    (tmp_path / "comfy/ComfyUI-notes").mkdir()
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("COMFYUI_PATH", "")
    beside = [PACK.parent / "ComfyUI"] if (PACK.parent / "ComfyUI/main.py").is_file() else []
    assert find_comfyuis() == [old, new, *beside]
    assert [version_of(c) for c in (old, new)] == ["0.8.0", "ComfyUI-new"]
    monkeypatch.setenv("COMFYUI_PATH", os.pathsep.join(map(str, (other, old, other))))
    assert find_comfyuis() == [other, old]


def test_a_slip_in_comfyui_path_is_no_empty_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match=r"COMFYUI_PATH: .*none holds no ComfyUI"):
        find_comfyuis()
