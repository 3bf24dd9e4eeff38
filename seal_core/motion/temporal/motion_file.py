"""Temporal layers as a file: safetensors in float16, one metadata key with sorted JSON and no times."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_bytes

from ...concept.settings import Layers
from ...files.tensor_file import read_shipped_tensors
from ...files.whole_file import write_output
from ...messages import SealError
from .motion_layers import LayerShape, MotionLayers

KEY, FORMAT = "seal-motion", 1
SUFFIX = ".safetensors"
_REMEDY = "learn the motion again"


@dataclass(frozen=True, eq=False)
class LearnedMotion:
    """A motion learned from one example (SEAL_MOTION).

    frames: of its loop. where: the sites that have a layer, and the part of the sampling in which they act. caption:
    what the example showed, in words. report: how it was learned, plain JSON values. file: the stem of its file.
    """

    layers: MotionLayers
    frames: int
    where: Layers
    caption: str = ""
    report: dict[str, Any] = field(default_factory=dict)
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file or 'a motion'}: {self.layers.kind}, {self.frames} frames, {self.where}"


def motion_bytes(layers: MotionLayers, card: dict[str, Any] | None = None) -> bytes:
    """The bytes of a file of layers. card: facts about them, any JSON values."""
    tensors = {n: t.detach().cpu().half().contiguous() for n, t in layers.state_dict().items()}
    if broken := [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]:
        raise SealError(f"motion: {broken[0]} is not finite; learn it again with a lower learning_rate.")
    about = {"format": FORMAT, "layer": layers.kind, "widths": layers.widths, "card": card or {}}
    about["shape"] = dataclasses.asdict(layers.shape)
    return to_bytes(tensors, metadata={KEY: json.dumps(about, sort_keys=True)})


def save_motion(layers: MotionLayers, path: Path, card: dict[str, Any] | None = None) -> Path:
    """Write the layers, whole or not at all, in place of what was there."""
    write_output(path, motion_bytes(layers, card))
    return path


def load_motion(path: Path) -> tuple[MotionLayers, dict[str, Any]]:
    """(layers in float32, their card). Raises SealError for files that are missing, damaged or of another kind."""
    tensors, about = read_shipped_tensors(path, KEY, "motion", _REMEDY)
    try:
        if about["format"] != FORMAT:
            raise SealError(f"motion: {path} has format {about['format']}, this version reads {FORMAT}; {_REMEDY}.")
        widths = [(str(name), int(width)) for name, width in about["widths"]]
        layers = MotionLayers(about["layer"], widths, LayerShape(**about.get("shape", {})))
        layers.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        return layers.eval(), about["card"]
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise SealError(f"motion: {path} is no whole file of temporal layers ({_said(error)}); {_REMEDY}.") from None


def learned_motion_bytes(motion: LearnedMotion) -> bytes:
    """The bytes of a learned motion's file; equal motions give equal bytes."""
    card = {"frames": motion.frames, "where": dataclasses.asdict(motion.where), "caption": motion.caption}
    return motion_bytes(motion.layers, {**card, "report": motion.report})


def load_learned_motion(path: Path) -> LearnedMotion:
    """Raises SealError as `load_motion`, and for layers that no training from an example saved."""
    layers, card = load_motion(path)
    try:
        where = Layers(**card["where"])
        return LearnedMotion(layers, int(card["frames"]), where, str(card["caption"]), dict(card["report"]), path.stem)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SealError(
            f"motion: {path} was not learned from an example ({_said(error)}); choose a file of SEAL Train Motion."
        ) from None


def hash_of_learning(metadata: dict[str, str]) -> str | None:
    """The hash of the settings that a file was learned with, from its metadata; for `files_with_hash`."""
    return json.loads(metadata[KEY])["card"]["report"]["hash"]


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
