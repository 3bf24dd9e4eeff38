"""Run ComfyUI's main.py under its own interpreter: `python launch.py COMFY_DIR [ComfyUI's arguments]`.

It changes two things, both for machines whose torch was built apart from its companions (a CPU torch next to a
CUDA torchvision). torchvision's operators are missing there, and importing it fails with "operator torchvision::nms
does not exist"; ComfyUI needs none of them on the CPU, so their meta kernels are skipped. torchaudio does not load at
all, and newer ComfyUIs import it at the top of files that hold image models too, so an empty stand-in takes its place.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import runpy
import sys
import threading
import time
import types
from collections.abc import Callable, Sequence
from typing import Any


def prepare() -> None:
    """Prepare such a machine for ComfyUI; call before importing any of it."""
    skip_missing_torchvision_operators()
    stand_in_for_torchaudio()


class _Anything(type):
    """A class with any attribute: another such class."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        setattr(cls, name, Silence.placeholder(name))
        return getattr(cls, name)


class Silence(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules of these names and all below them; empty, but with any attribute."""

    def __init__(self, *names: str) -> None:
        self.names = names

    @staticmethod
    def placeholder(name: str) -> Any:
        return _Anything(name, (), {"__init__": lambda self, *args, **kwargs: None})

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        top, *_, last = name.split(".") * 2
        is_module = top in self.names and last.islower()  # a class is none
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if is_module else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return types.ModuleType(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        def attribute(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return vars(module).setdefault(name, self.placeholder(name))

        module.__getattr__ = attribute  # type: ignore[method-assign]


def stand_in_for_torchaudio() -> None:
    """Replace torchaudio by an empty module if it cannot be imported."""
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.meta_path.insert(0, Silence("torchaudio"))


def skip_missing_torchvision_operators() -> None:
    """Let `torch.library.register_fake("torchvision::x")` pass where the operator x does not exist."""
    import torch

    original = torch.library.register_fake

    def register_fake(op: Any, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        namespace, _, name = op.partition("::") if isinstance(op, str) else ("", "", "")
        if namespace == "torchvision" and not hasattr(torch.ops.torchvision, name.split(".")[0]):
            return lambda function: function
        # register_fake looks at its caller's frame to find the library to blame.
        kwargs.setdefault("_stacklevel", 2)
        return original(op, *args, **kwargs)

    torch.library.register_fake = register_fake


def end_with_parent() -> None:
    """Leave no server behind when the tests are killed: end this process once its parent is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    folder = os.path.abspath(sys.argv[1])
    sys.argv = [os.path.join(folder, "main.py"), *sys.argv[2:]]
    sys.path[0] = folder
    os.chdir(folder)
    end_with_parent()
    prepare()
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
