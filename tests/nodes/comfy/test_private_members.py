"""ComfyUI is touched in nodes/comfy alone; the list of its private members is complete, and nothing on it is dead."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor, nn

NODES = Path(__file__).parents[3] / "nodes"
CORE = NODES.parent / "seal_core"  # imports no comfy, but hooks the layers of sites
LIST = ast.parse((NODES / "comfy" / "private_members.py").read_text(encoding="utf-8"))

HELD = {
    "_sampling", "block", "clip", "condition", "entry", "executor", "first_stage_model", "guider", "hook", "hooks",
    "latent_format", "layer", "manage", "model", "model_config", "patcher", "sampling", "stage", "state", "transformer",
    "unet", "vae",
}  # fmt: skip
"""Names under which nodes/ hold ComfyUI's objects."""

OF_OTHERS = {
    *(name for kind in (nn.Module, Tensor, dict, list) for name in dir(kind)),
    *nn.Linear.__constants__, *nn.Embedding.__constants__,
    "row", "rows", "length",  # of the swap's own Block
}  # fmt: skip


def listed() -> set[str]:
    """The paths of every Member in nodes/comfy/private_members.py, read without ComfyUI."""
    calls = [n for n in ast.walk(LIST) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "Member"]
    return {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}


def public() -> set[str]:
    value = next(n.value for n in LIST.body if isinstance(n, ast.Assign) and n.targets[0].id == "PUBLIC")
    return set(ast.literal_eval(value))


def used(path: Path) -> Iterator[str]:
    """Dotted paths below `comfy` that a file imports or reads."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update({a.asname or "comfy": a.name if a.asname else "comfy" for a in node.names if is_comfy(a.name)})
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and is_comfy(node.module or ""):
            names.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
            yield from (f"{node.module}.{a.name}" for a in node.names)
    inner = {n.value for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node not in inner:
            chain: list[str] = []
            while isinstance(node, ast.Attribute):
                chain.insert(0, node.attr)
                node = node.value
            if isinstance(node, ast.Name) and node.id in names:
                yield ".".join([names[node.id], *chain])


def held(source: str) -> Iterator[str]:
    """Attributes that are read of ComfyUI's objects, as far as these go by their usual names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr not in OF_OTHERS:
            holder = node.value
            if (holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")) in HELD:
                yield node.attr


COMFYUI = {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "execution", "folder_paths", "nodes", "server"}


def imported(path: Path) -> Iterator[str]:
    """First names of the modules that a file imports from outside the pack."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0]


def test_only_nodes_comfy_imports_comfyui() -> None:
    files = [*NODES.glob("*.py"), NODES.parent / "__init__.py", *CORE.rglob("*.py")]
    assert not {path.name: found for path in files if (found := COMFYUI.intersection(imported(path)))}
    assert {"comfy", "folder_paths"} <= set().union(*map(imported, (NODES / "comfy").glob("*.py")))


def is_comfy(module: str) -> bool:
    return module.split(".")[0] == "comfy"


def test_every_member_that_is_used_is_listed() -> None:
    known = listed() | public()
    unlisted = {
        f"{path.name}: {name}"
        for path in NODES.glob("**/*.py")
        for name in used(path)
        if not any(name == k or name.startswith(f"{k}.") or k.startswith(f"{name}.") for k in known)
    }
    assert not unlisted
    assert len(known) > 50


def test_every_attribute_of_their_objects_is_listed() -> None:
    known = {name for path in listed() for name in re.split("[.:]", path)}
    unlisted = {
        f"{path.name}: {name}"
        for path in NODES.glob("**/*.py")
        for name in held(path.read_text(encoding="utf-8"))
        if name not in known
    }
    assert not unlisted
    assert set(held("self.clip.new_thing; model.other(); model.state_dict(); ours.z")) == {"new_thing", "other"}


def test_every_listed_member_is_used() -> None:
    files = [
        *(p for p in NODES.glob("**/*.py") if p.name != "private_members.py"),
        CORE / "method/attention.py",
        CORE / "hosts/base.py",
    ]
    text = "\n".join(p.read_text(encoding="utf-8") for p in files)
    dead = {path for path in listed() if not re.search(rf"\b{re.split('[.:]', path)[-1]}\b", text)}
    assert not dead


def test_what_is_used_is_really_seen(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text(
        "import comfy.sd\nfrom comfy.ops import cast as c\ncomfy.sd.CLIP.y(1)\nc.z\nimport comfy.utils as u\nu.w"
    )
    assert set(used(file)) == {"comfy.ops.cast", "comfy.sd.CLIP.y", "comfy.ops.cast.z", "comfy.utils.w"}
