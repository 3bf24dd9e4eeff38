"""What an evaluation's trials work with: model, judges, renderer, and the files they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
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

FORMAT = 3
"""Format of stored trials; raise it to run all trials again."""


class Judge(Protocol):
    """What the evaluation needs of `Judges`."""

    def classify(self, images: Tensor) -> dict[str, Tensor]: ...

    def features(self, images: Tensor) -> Tensor: ...

    def identity(self, images: Tensor, masks: Tensor | None = None) -> Tensor: ...


@dataclass(frozen=True)
class TrialKit:
    """Model, judges and renderer. render(character, scene, seed) -> RenderedSticker. host: unused by the oracle."""

    host: Host
    judges: Judge
    render: Callable[..., Any]


@dataclass(frozen=True)
class TrialKitPaths:
    """The files of a TrialKit. Sent to worker processes, so paths only."""

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
        """The cards of model and judges: how they were trained, and their scores."""
        from ...demo.model_file import read_model

        return {"model": read_model(self.model).card, "judges": Judges.load(self.judges).card.get("figures", {})}

    def digest(self) -> str:
        """Hash of all that a trial depends on besides its method: weights, judges, the renderer's pixels."""
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


def chosen_ways(text: str, known: Collection[str]) -> list[str]:
    """The ways to compare that a command is given, separated by semicolons. Raises SealError for an unknown one."""
    ways = [way.strip() for way in text.split(";") if way.strip()]
    if unknown := [way for way in ways if way not in known]:
        raise SealError(f"ways: {unknown[0]!r} is not known; choose from {'; '.join(known)}.")
    return ways
