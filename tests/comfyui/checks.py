"""Runs a script's checks: `PYTHON inprocess_x.py COMFY_DIR [PART OF A CHECK'S NAME]`. Imported before ComfyUI is."""

from __future__ import annotations

import sys
import traceback
from typing import Any

_ONLY = sys.argv[2] if len(sys.argv) > 2 else ""  # ComfyUI gets arguments of its own


def run(names: dict[str, Any]) -> None:
    """Run the check_... functions of a module's globals; exit with 1 if one fails."""
    import torch

    failed = 0
    for name, check in list(names.items()):
        if name.startswith("check_") and _ONLY in name:
            try:
                with torch.inference_mode():  # as ComfyUI executes nodes
                    check()
                print(f"ok   {name}", flush=True)
            except Exception:
                failed += 1
                print(f"FAIL {name}\n{traceback.format_exc()}", flush=True)
    sys.exit(failed > 0)
