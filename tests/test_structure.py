"""The house stays small and clear: import levels, file lengths, the registry's archive, no circles, unique names."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import bench_structure as structure
import pytest

ROOT = Path(__file__).parents[1]
LEVELS = 10
LINES = 300
ARCHIVE_BYTES = 33_000_000
SHARED_NAMES = {"main", "parser", "add_options", "run"}
"""Names that mean the same in every module that has them: the parts of a command."""
SHARED_FILES = {"__init__", "__main__", "contact_sheet"}
"""Python's own, and a node that is called after the function it wraps."""


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


def test_no_two_modules_share_a_file_name():
    found = several((path.stem, module) for module, path in structure.modules(ROOT).items())
    assert {name: where for name, where in found.items() if name not in SHARED_FILES} == {}


def test_public_functions_and_classes_have_names_of_their_own():
    found = [
        (node.name, module)
        for module, path in structure.modules(ROOT).items()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
    ]
    assert {name: where for name, where in several(found).items() if name not in SHARED_NAMES} == {}


def several(named):
    """Name -> where it is, for names that are in two places or more."""
    places = defaultdict(list)
    for name, where in named:
        places[name].append(where)
    return {name: where for name, where in places.items() if len(where) > 1}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the archive is what git tracks")
def test_the_registrys_archive_is_small_and_has_no_laboratory():
    assert structure.archive_bytes(ROOT) <= ARCHIVE_BYTES
    files = structure.archived(ROOT)
    assert "__init__.py" in files and "README.md" in files
    assert [file for file in files if file.startswith(("tests/", "seal_core/world/", ".github/"))] == []


def test_circles_are_found():
    assert structure.circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
