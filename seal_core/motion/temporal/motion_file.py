"""Temporal layers as a file: safetensors in float16, one metadata key with sorted JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save as to_bytes

from ...files.tensor_file import read_shipped_tensors
from ...files.whole_file import write_output
from ...messages import SealError
from .motion_layers import MotionLayers

KEY, FORMAT = "seal-motion", 1
_REMEDY = "learn the motion again"


def save_motion(layers: MotionLayers, path: Path, card: dict[str, Any] | None = None) -> Path:
    """Write the layers, whole or not at all. card: facts about them, any JSON values."""
    tensors = {n: t.detach().cpu().half().contiguous() for n, t in layers.state_dict().items()}
    about = {"format": FORMAT, "layer": layers.kind, "widths": layers.widths, "card": card or {}}
    write_output(path, to_bytes(tensors, metadata={KEY: json.dumps(about, sort_keys=True)}))
    return path


def load_motion(path: Path) -> tuple[MotionLayers, dict[str, Any]]:
    """(layers in float32, their card). Raises SealError for files that are missing, damaged or of another kind."""
    tensors, about = read_shipped_tensors(path, KEY, "motion", _REMEDY)
    try:
        if about["format"] != FORMAT:
            raise SealError(f"motion: {path} has format {about['format']}, this version reads {FORMAT}; {_REMEDY}.")
        layers = MotionLayers(about["layer"], [(str(name), int(width)) for name, width in about["widths"]])
        layers.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        return layers.eval(), about["card"]
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SealError(f"motion: {path} is no whole file of temporal layers ({reason}); {_REMEDY}.") from None
