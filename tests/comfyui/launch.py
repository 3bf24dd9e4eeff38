"""Run ComfyUI's main.py under its own interpreter: `python launch.py COMFY_DIR [ComfyUI's arguments]`.

The one thing it changes: where torch and torchvision were built for different machines (a CPU torch
next to a CUDA torchvision), torchvision's operators are missing and importing it fails with "operator
torchvision::nms does not exist". ComfyUI needs none of them on the CPU, so their meta kernels are skipped.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time
from collections.abc import Callable
from typing import Any


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
    skip_missing_torchvision_operators()
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
