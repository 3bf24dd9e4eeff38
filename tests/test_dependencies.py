"""The rule of dependencies: the core imports with ComfyUI, diffusers and transformers out of reach."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FREE = {"hosts", "demo", "world"}  # may import diffusers and transformers
BLOCKED = ("comfy", "comfy_api", "folder_paths", "nodes", "diffusers", "transformers")

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


def core_modules():
    files = [p for p in (ROOT / "seal_core").rglob("*.py") if p.relative_to(ROOT / "seal_core").parts[0] not in FREE]
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in files if p.name != "__main__.py"]
    return sorted(n.removesuffix(".__init__") for n in names)


def test_core_imports_without_its_hosts():
    modules = core_modules()
    assert len(modules) > 20
    script = SCRIPT.format(blocked=BLOCKED, modules=modules)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["imported", str(len(modules))]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


def test_nothing_shipped_uses_what_the_registry_forbids():
    """No eval, exec, pickle, subprocess, runtime pip or network in the pack."""
    forbidden = {"pickle", "subprocess", "pip", "socket", "urllib", "requests", "http", "aiohttp", "ctypes", "marshal"}
    shipped = [ROOT / "__init__.py", *(ROOT / "nodes").rglob("*.py"), *(ROOT / "seal_core").rglob("*.py")]
    for path in shipped:
        assert not forbidden & set(imports(path)), path
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "__import__"}, (path, node.lineno)


def test_nodes_never_import_comfyuis_own_nodes_module_or_diffusers():
    for path in (ROOT / "nodes").rglob("*.py"):
        assert not {"nodes", "diffusers", "seal_core"} & set(imports(path)), path
