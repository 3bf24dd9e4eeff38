"""The house stays small: import levels, file lengths, the registry's archive, no circles."""

from __future__ import annotations

from pathlib import Path

import bench_structure as structure
import pytest

ROOT = Path(__file__).parents[1]
LEVELS = 10
LINES = 300
ARCHIVE_BYTES = 26_000_000


@pytest.fixture(scope="module")
def edges() -> dict[str, set[str]]:
    return structure.graph(ROOT)


def test_no_module_imports_itself_through_others(edges):
    assert structure.circles(edges) == []


def test_no_module_lies_deeper_than_ten_imports(edges):
    levels = structure.levels(edges)
    assert {name: level for name, level in levels.items() if level > LEVELS} == {}


def test_every_file_fits_in_three_hundred_lines():
    lengths = {
        name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in structure.modules(ROOT).items()
    }
    assert {name: lines for name, lines in lengths.items() if lines > LINES} == {}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the archive is what git tracks")
def test_the_registrys_archive_is_small_and_has_no_laboratory():
    assert structure.archive_bytes(ROOT) <= ARCHIVE_BYTES
    files = structure.archived(ROOT)
    assert "__init__.py" in files and "README.md" in files
    assert [file for file in files if file.startswith(("tests/", "seal_core/world/", ".github/"))] == []


def test_circles_are_found():
    assert structure.circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
