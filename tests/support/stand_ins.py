"""The pack without a ComfyUI: stand-ins for what its nodes import. The schemas are real.

comfy and similar modules answer every name with a placeholder. The node API is written out as in 0.8.0, the oldest
version we support, and refuses what that version would refuse.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from launch import Silence

ROOT = Path(__file__).parents[2]
SILENT = (
    "comfy", "comfy_execution", "comfy_extras", "execution", "latent_preview", "node_helpers", "nodes", "server",
)  # fmt: skip

# -- the node API ----------------------------------------------------------------------------------

_PLAIN = {"display_name", "optional", "tooltip", "lazy", "extra_dict", "raw_link"}
_WIDGET = _PLAIN | {"default", "socketless", "force_input"}
_INPUTS = {
    "Boolean": _WIDGET | {"label_on", "label_off"},
    "Int": _WIDGET | {"min", "max", "step", "control_after_generate", "display_mode"},
    "Float": _WIDGET | {"min", "max", "step", "round", "display_mode"},
    "String": _WIDGET | {"multiline", "placeholder", "dynamic_prompts"},
    "Combo": _WIDGET - {"force_input"} | {"options", "control_after_generate", "upload", "image_folder", "remote"},
}
_TYPES = {
    "Audio": "AUDIO", "Clip": "CLIP", "ClipVision": "CLIP_VISION", "Conditioning": "CONDITIONING", "Image": "IMAGE",
    "ControlNet": "CONTROL_NET", "Guider": "GUIDER", "Latent": "LATENT", "LoraModel": "LORA_MODEL", "Mask": "MASK",
    "Model": "MODEL", "Noise": "NOISE", "Sampler": "SAMPLER", "Sigmas": "SIGMAS", "Vae": "VAE", "Video": "VIDEO",
    "AnyType": "*",
}  # fmt: skip


class Input:
    """An input of a node. Raises TypeError for settings that ComfyUI 0.8.0's input of this type lacks."""

    io_type = ""
    known = frozenset(_PLAIN)

    def __init__(self, id: str, **settings: Any) -> None:
        if unknown := sorted(set(settings) - self.known):
            raise TypeError(f"{self.io_type} input {id!r}: ComfyUI 0.8.0 does not know {', '.join(unknown)}")
        self.id, self.settings = id, settings
        self.optional = bool(settings.get("optional"))

    def __getattr__(self, name: str) -> Any:
        if name in type(self).known:
            return self.settings.get(name)
        raise AttributeError(name)


@dataclass
class Output:
    id: str | None = None
    display_name: str | None = None
    tooltip: str | None = None
    is_output_list: bool = False


@dataclass
class Schema:
    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    hidden: list[Any] = field(default_factory=list)
    description: str = ""
    is_input_list: bool = False
    is_output_node: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    is_api_node: bool = False
    not_idempotent: bool = False
    enable_expand: bool = False


class ComfyNode:
    """Base of all nodes."""


class NodeOutput:
    """What execute() gives: `result`, one a socket, and `ui`."""

    def __init__(self, *result: Any, ui: Any = None) -> None:
        self.result, self.ui = result, ui


class ComfyExtension:
    """Base of a pack's entry."""


def _io_type(name: str, io_type: str, known: set[str]) -> type:
    own = type("Input", (Input,), {"io_type": io_type, "known": frozenset(known)})
    return type(name, (), {"io_type": io_type, "Input": own, "Output": type("Output", (Output,), {"io_type": io_type})})


def _node_api() -> dict[str, ModuleType]:
    """comfy_api and the two names under which the pack may ask for it."""
    io = ModuleType("io")
    kinds = {name: _io_type(name, name.upper(), known) for name, known in _INPUTS.items()}
    kinds |= {name: _io_type(name, io_type, _PLAIN) for name, io_type in _TYPES.items()}
    vars(io).update(kinds, Input=Input, Output=Output, Schema=Schema, ComfyNode=ComfyNode, NodeOutput=NodeOutput)
    vars(io).update(Custom=lambda name: _io_type(name, name, _PLAIN))
    vars(io).update({name: Silence.placeholder(name) for name in ("Hidden", "FolderType", "NumberDisplay")})
    ui = Silence.placeholder("ui")
    modules = {name: ModuleType(name) for name in ("comfy_api", "comfy_api.latest", "comfy_api.v0_0_2")}
    for name in ("latest", "v0_0_2"):
        module = modules[f"comfy_api.{name}"]
        vars(module).update(io=io, IO=io, ui=ui, ComfyExtension=ComfyExtension)
        setattr(modules["comfy_api"], name, module)
    modules["comfy_api"].__path__ = []
    return modules


# -- the rest --------------------------------------------------------------------------------------


def _folder_paths() -> ModuleType:
    """Folders without any file in them."""
    module = ModuleType("folder_paths")
    known: dict[str, tuple[list[str], set[str]]] = {"embeddings": (["/nowhere/embeddings"], {".safetensors"})}
    vars(module).update(models_dir="/nowhere", folder_names_and_paths=known)
    vars(module).update(get_filename_list=lambda name: [], get_full_path=lambda name, file: None)
    vars(module).update(get_folder_paths=lambda name: known[name][0], get_output_directory=lambda: "/nowhere/output")
    vars(module).update(get_input_directory=lambda: "/nowhere/input", get_temp_directory=lambda: "/nowhere/temp")
    return module


def _version() -> ModuleType:
    module = ModuleType("comfyui_version")
    module.__version__ = "0.8.0"  # type: ignore[attr-defined]
    return module


@contextlib.contextmanager
def loaded_pack() -> Iterator[ModuleType]:
    """The pack, imported as ComfyUI does it, but on stand-ins. All their modules are removed again at the end."""
    before, finder = dict(sys.modules), Silence(*SILENT)
    sys.meta_path.insert(0, finder)
    sys.modules.update(_node_api(), folder_paths=_folder_paths(), comfyui_version=_version())
    try:
        where = {"submodule_search_locations": [str(ROOT)]}
        spec = importlib.util.spec_from_file_location("seal_alone", ROOT / "__init__.py", **where)
        assert spec is not None and spec.loader is not None
        sys.modules["seal_alone"] = pack = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(pack)
        for path in (ROOT / "nodes").rglob("*.py"):  # before the pack looks up members, which may be modules here
            importlib.import_module(".".join(["seal_alone", *path.relative_to(ROOT).with_suffix("").parts]))
        yield pack
    finally:
        sys.meta_path.remove(finder)
        ours = (*SILENT, "comfy_api", "folder_paths", "comfyui_version", "seal_alone")
        for name in [name for name in sys.modules if name.split(".")[0] in ours]:
            del sys.modules[name]
        sys.modules.update({name: module for name, module in before.items() if name.split(".")[0] in ours})


def nodes(pack: ModuleType) -> list[Any]:
    """The node classes that the pack's entry gives."""
    return asyncio.run(asyncio.run(pack.comfy_entrypoint()).get_node_list())


def schemas(pack: ModuleType) -> list[Schema]:
    return [node.define_schema() for node in nodes(pack)]
