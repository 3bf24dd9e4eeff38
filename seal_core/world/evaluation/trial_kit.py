"""Where an evaluation's trials get their model, judges and renderer from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ...demo.model_file import MODEL_FILE
from ...hosts.base import Host
from ...messages import SealError
from ..judges.judge_networks import JUDGES_FILE, Judges
from ..renderer.characters import character
from .character_plan import plan_character

FORMAT = 1
"""Of a stored trial; a new number makes all trials anew."""


class Judge(Protocol):
    """What the evaluation needs of `judges.Judges`."""

    def classify(self, images: Tensor) -> dict[str, Tensor]: ...

    def identity(self, images: Tensor, masks: Tensor | None = None) -> Tensor: ...


@dataclass(frozen=True)
class TrialKit:
    """What trials work with. render(character, scene, seed) -> Sticker; host: not needed by the oracle."""

    host: Host
    judges: Judge
    render: Callable[..., Any]


@dataclass(frozen=True)
class TrialKitPaths:
    """Where trials get model, judges and renderer from. Goes to worker processes, so it holds paths only."""

    model: Path = MODEL_FILE
    judges: Path = JUDGES_FILE
    device: str = "cpu"
    quick: bool = True

    def kit(self) -> TrialKit:
        from ...demo.model import host, load_model
        from ..renderer.render import render

        try:
            device = torch.device(self.device)
            judges, model = Judges.load(self.judges, device), load_model(self.model, device)
        except (RuntimeError, AssertionError) as error:
            raise SealError(f"device: {self.device!r} cannot be used ({error}); use cpu or cuda.") from None
        return TrialKit(host(model, self.quick), judges, render)

    def cards(self) -> dict[str, Any]:
        """What the files say of the model and of the judges: how they were trained, and what they score."""
        from ...demo.model_file import read_model

        return {"model": read_model(self.model).card, "judges": Judges.load(self.judges).card.get("figures", {})}

    def digest(self) -> str:
        """Of everything that a trial depends on besides its method: weights, judges, the renderer's pixels."""
        from ..renderer.render import render

        total = hashlib.sha256(f"{FORMAT} {self.quick}".encode())
        for what, path in (("model", self.model), ("judges", self.judges)):
            try:
                total.update(Path(path).read_bytes())
            except OSError as error:
                remedy = f"`python -m seal_core.world {'train' if what == 'model' else 'judges'}` makes one"
                raise SealError(f"{what}: {path} cannot be read ({error.strerror or error}); {remedy}.") from None
        for seed in (1, 2, 3):
            total.update(render(character(seed), plan_character(seed).reference, seed=seed).image.tobytes())
        return total.hexdigest()[:16]
