"""What each preset computes, recorded in pinned.json: a change of structure must not change it.

A training's file holds its settings in one header and its vectors behind: the header is compared byte for byte, losses
and vectors with a tolerance for other processors' rounding. With SEAL_EXACT=1, on the machine that made the figures,
the whole file is compared too. `SEAL_PIN=1 python -m pytest ...` rewrites the figures after an intended change;
raise config.REVISION with it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

FILE = Path(__file__).with_name("pinned.json")
STEPS = 4
SHOWN = 4
"""Numbers of each vector store that are kept, besides its mean size."""


def sticker() -> tuple[torch.Tensor, torch.Tensor]:
    """Image (64, 64, 3) and mask (64, 64): a bright square on a dark noisy ground."""
    image = torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0)) * 0.2
    mask = torch.zeros(64, 64)
    mask[16:48, 16:48] = 1
    image[mask > 0] += 0.6
    return image, mask


def figures(losses: list[float], file: bytes, vectors: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Of one training: its losses, its file, and its vectors in short."""
    header = file[8 : 8 + int.from_bytes(file[:8], "little")]
    return {
        "losses": losses,
        "vectors": {n: [float(v.abs().mean()), *v.flatten()[:SHOWN].tolist()] for n, v in vectors.items()},
        "header": hashlib.sha256(header).hexdigest()[:16],
        "file": hashlib.sha256(file).hexdigest()[:16],
    }


def check(where: str, preset: str, made: Callable[[], dict[str, Any]]) -> None:
    """Compare what `made` gives with the figures of a host and preset, or write them (SEAL_PIN)."""
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    now = made()
    if os.environ.get("SEAL_PIN"):
        known.setdefault(where, {})[preset] = now
        FILE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
        return
    kept = known[where][preset]
    assert now["header"] == kept["header"], f"{where}, {preset}: the settings in the file are others"
    assert _close(now["losses"], kept["losses"]), (where, preset, now["losses"], kept["losses"])
    assert now["vectors"].keys() == kept["vectors"].keys()
    for name, numbers in kept["vectors"].items():
        assert _close(now["vectors"][name], numbers), (where, preset, name, now["vectors"][name], numbers)
    if os.environ.get("SEAL_EXACT"):
        assert now == kept, (where, preset)


def _close(now: list[float], kept: list[float]) -> bool:
    return torch.allclose(torch.tensor(now), torch.tensor(kept), rtol=1e-4, atol=1e-5)
