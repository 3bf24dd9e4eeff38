"""The house in figures: lines per room, import levels, largest files, the registry's archive.

    python tests/bench/bench_structure.py [ROOT]

A module's level is one more than the highest level that it imports; modules that import each other share one. Imports
inside functions and under TYPE_CHECKING count too.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import io
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path


def modules(root: Path) -> dict[str, Path]:
    """Dotted name -> file of the shipped Python modules."""
    found = [root / "__init__.py", *sorted((root / "nodes").rglob("*.py")), *sorted((root / "seal_core").rglob("*.py"))]
    return {".".join(p.relative_to(root).with_suffix("").parts): p for p in found}


def imported(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Modules of the pack that one of them imports."""
    here = name.split(".")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*here[: -node.level], *(node.module or "").split(".")]
            base = [part for part in base if part]
            for alias in node.names:
                for candidate in ([*base, alias.name], base, [*base, "__init__"]):
                    if ".".join(candidate) in known:
                        yield ".".join(candidate)
                        break


def graph(root: Path) -> dict[str, set[str]]:
    """Module -> the modules that it imports."""
    known = modules(root)
    return {name: set(imported(name, path, known)) - {name} for name, path in known.items()}


def levels(edges: dict[str, set[str]]) -> dict[str, int]:
    """Module -> level, 1 for those that import none of ours. Modules in a circle share a level."""
    circle = _circle_names(edges)
    found: dict[str, int] = {}

    def level(group: str) -> int:
        if group not in found:
            members = [m for m, g in circle.items() if g == group]
            below = {circle[i] for m in members for i in edges[m]} - {group}
            found[group] = 1 + max((level(g) for g in below), default=0)
        return found[group]

    return {name: level(circle[name]) for name in edges}


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, directly or through others."""
    names = _circle_names(edges)
    groups = [[m for m, c in names.items() if c == name] for name in sorted(set(names.values()))]
    return [group for group in groups if len(group) > 1]


def _circle_names(edges: dict[str, set[str]]) -> dict[str, str]:
    """Module -> a name for the modules that it can reach and that reach it."""
    reach = {}
    for start in edges:
        seen, todo = set(), [start]
        while todo:
            for each in edges[todo.pop()] - seen:
                seen.add(each)
                todo.append(each)
        reach[start] = seen
    return {m: min([m, *(o for o in reach[m] if m in reach[o])]) for m in edges}


def room(name: str) -> str:
    """The folder that a module lies in, two deep."""
    return "/".join(name.split(".")[:-1][:2]) or "."


def rooms(root: Path) -> dict[str, int]:
    """Room -> lines of its modules."""
    total: dict[str, int] = {}
    for name, path in modules(root).items():
        total[room(name)] = total.get(room(name), 0) + path.read_text(encoding="utf-8").count("\n")
    return total


def archived(root: Path) -> list[str]:
    """Files of the registry's archive: what git tracks, less what .comfyignore names."""
    tracked = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    rules = [line.strip() for line in (root / ".comfyignore").read_text().splitlines() if line.strip()]

    def left_out(file: str) -> bool:
        parts = [*Path(file).parents, Path(file)]
        return any(fnmatch.fnmatch(str(p) + ("/" if r.endswith("/") else ""), r) for p in parts for r in rules)

    return [file for file in tracked if file and not left_out(file)]


def archive_bytes(root: Path) -> int:
    """Size of those files as a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in archived(root):
            archive.write(root / file, file)
    return len(buffer.getvalue())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[2])
    root = options.parse_args().root.resolve()
    edges = graph(root)
    found, lines = levels(edges), rooms(root)
    total = sum(lines.values())
    for name, count in sorted(lines.items()):
        print(f"{name:28}{count:7}")
    print(f"{'together':28}{total:7}")
    biggest = max(lines, key=lambda name: lines[name])
    print(f"biggest room: {biggest}, {lines[biggest] / total:.0%}")
    print(f"import levels: {max(found.values())}", "without the laboratory:", max(
        level for name, level in found.items() if not name.startswith("seal_core.world")))  # fmt: skip
    files = sorted(modules(root).values(), key=lambda p: -p.read_text(encoding="utf-8").count("\n"))
    print("largest files:", ", ".join(f"{p.relative_to(root)} {p.read_text().count(chr(10))}" for p in files[:5]))
    print(f"archive: {archive_bytes(root) / 1e6:.2f} MB in {len(archived(root))} files")
    for members in circles(edges):
        print("circle:", ", ".join(members))


if __name__ == "__main__":
    main()
