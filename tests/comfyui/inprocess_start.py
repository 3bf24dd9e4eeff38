"""ComfyUI's modules and this pack in one process, for scripts run by ComfyUI's interpreter; no server.

`start(COMFY_DIR)` once, before anything of comfy is imported; then `load(FILE)` as often as needed.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

PACK = Path(__file__).resolve().parents[2]


def start(comfyui: str) -> None:
    """Put ComfyUI on the path, on the CPU and with its default attention, and load the pack as `seal_pack`."""
    import launch

    sys.path.insert(0, os.path.abspath(comfyui))
    sys.argv = [sys.argv[0], "--cpu", "--disable-all-custom-nodes"]
    launch.prepare()
    import comfy.options

    comfy.options.enable_args_parsing()
    where = [str(PACK)]
    spec = importlib.util.spec_from_file_location("seal_pack", PACK / "__init__.py", submodule_search_locations=where)
    assert spec is not None and spec.loader is not None
    sys.modules["seal_pack"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["seal_pack"])


def load(checkpoint: str) -> tuple[Any, Any, Any]:
    """MODEL, CLIP and VAE as CheckpointLoaderSimple makes them: under inference mode."""
    import comfy.sd
    import torch

    with torch.inference_mode():
        return comfy.sd.load_checkpoint_guess_config(checkpoint)[:3]
