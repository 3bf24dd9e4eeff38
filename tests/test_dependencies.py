"""Who may import what, where import-linter cannot look: across the pack's relative imports, and inside functions.

The layers themselves are contracts in pyproject.toml (`lint-imports`).
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORE, NODES = ROOT / "seal_core", ROOT / "nodes"
COMFY = {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "execution", "folder_paths", "nodes", "server"}
"""ComfyUI's own top-level modules, its `nodes` among them."""
DIFFUSERS = {"diffusers", "transformers"}
WITH_DIFFUSERS = ("hosts/diffusers", "demo", "world")
"""Rooms of the core whose modules may need diffusers to be imported."""

SCRIPT = """
import importlib, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(name + " is out of reach")
sys.meta_path.insert(0, Block())
for name in {modules!r}:
    importlib.import_module(name)
print("imported", len({modules!r}))
"""


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a file imports anywhere in it; those of the pack begin with the pack's folders."""
    here = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module)
        elif isinstance(node, ast.ImportFrom):
            assert node.level <= len(here) + 1, f"{path}:{node.lineno} leaves the pack"
            base = [*here[: len(here) - node.level + 1], *(node.module or "").split(".")]
            yield from (".".join([*filter(None, base), alias.name]) for alias in node.names)


def within(names: Iterator[str], *rooms: str) -> list[str]:
    """Those of the dotted names that lie in one of the packages."""
    return [name for name in names if any(f"{name}.".startswith(f"{room}.") for room in rooms)]


def test_the_core_imports_without_comfyui_and_diffusers():
    files = [p.relative_to(CORE) for p in CORE.rglob("*.py") if p.name != "__main__.py"]
    free = [p for p in files if not p.as_posix().startswith(tuple(f"{room}/" for room in WITH_DIFFUSERS))]
    modules = sorted(".".join(["seal_core", *p.with_suffix("").parts]).removesuffix(".__init__") for p in free)
    assert len(modules) > 20
    script = SCRIPT.format(blocked=sorted(COMFY | DIFFUSERS), modules=modules)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["imported", str(len(modules))]


def test_the_core_never_reaches_for_the_nodes_or_comfyui():
    for path in CORE.rglob("*.py"):
        assert within(imports(path), *COMFY) == [], path


def test_the_pack_starts_by_its_nodes_alone():
    assert within(imports(ROOT / "__init__.py"), "seal_core", *(COMFY - {"nodes"}), *DIFFUSERS) == []


def test_nodes_import_neither_the_laboratory_nor_diffusers():
    for path in NODES.rglob("*.py"):
        assert within(imports(path), "seal_core.world", "seal_core.hosts.diffusers", *DIFFUSERS) == [], path


def test_nodes_reach_their_own_pack_by_relative_imports():
    """`import nodes` is ComfyUI's module, and `import seal_core` may be another installation's."""
    for path in NODES.rglob("*.py"):
        tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        absolute = [n.module for n in tree if isinstance(n, ast.ImportFrom) and not n.level and n.module]
        assert within(iter(absolute), "nodes", "seal_core") == [], path


def test_what_calls_comfyui_knows_no_node():
    """Schemas stand on nodes/comfy, never the other way round."""
    for path in (NODES / "comfy").rglob("*.py"):
        above = [name for name in within(imports(path), "nodes") if not name.startswith("nodes.comfy")]
        assert above == [], path


def test_nothing_shipped_uses_what_the_registry_forbids():
    """No eval, exec, pickle, subprocess, pip at run time or network in the pack."""
    forbidden = {"pickle", "subprocess", "pip", "socket", "urllib", "requests", "http", "aiohttp", "ctypes", "marshal"}
    for path in [ROOT / "__init__.py", *NODES.rglob("*.py"), *CORE.rglob("*.py")]:
        # The laboratory is not shipped, and one module of it fetches art by npm.
        allowed = {"subprocess"} if path == CORE / "world" / "mask_networks" / "real_art.py" else set()
        assert within(imports(path), *forbidden - allowed) == [], path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "__import__"}, (path, node.lineno)
