"""The laboratory stays out of what users get, and nothing that they get needs it."""

from __future__ import annotations

from pathlib import Path

import bench_structure
from setuptools import find_packages

ROOT = Path(__file__).parents[2]
LABORATORY = "seal_core.world"


def test_nothing_outside_imports_it():
    for name, imported in bench_structure.graph(ROOT).items():
        if not name.startswith(LABORATORY):
            assert not [other for other in imported if other.startswith(LABORATORY)], name


def test_neither_archive_nor_wheel_holds_it():
    archived = bench_structure.archived(ROOT)
    assert "seal_core/demo/data/tiny.safetensors" in archived and "seal_core/demo/model.py" in archived
    assert not [file for file in archived if file.startswith("seal_core/world/")]
    assert 'exclude = ["seal_core.world*"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packages = find_packages(str(ROOT), include=["seal_core*"], exclude=["seal_core.world*"])
    assert "seal_core.demo" in packages and not [name for name in packages if "world" in name]
