"""A motion learned from ONE animated sticker: temporal layers on a frozen model, so that another character moves so
(ours; the example's looks are kept out as MotionDirector, 2310.08465, keeps them out of its temporal weights, by other
means).

What keeps the looks out: the model's own weights are frozen; the layers act at allowed sites and at noisy levels alone,
where layout is decided; what they add sums to zero over the frames (`LayerShape.centred`); they are narrow; the loss
looks where the subject is; and the example changes its colours from step to step, which its motion does not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import torch
from torch import Tensor

from ...concept.settings import Layers
from ...hosts.base import Host, Prompt
from ...messages import SealError, require_in_range, require_one_of, require_whole_number
from ...method.checkpointing import Checkpointing
from ...method.config import CHECKPOINTING, TrainConfig
from ...method.learning_rate import RATE_LAWS
from ...method.optimiser import Descent, Moved, descend
from ...method.sites import parse_sites, spelled
from .clip_host import repeated
from .clip_loss import ClipBatch, clip_loss
from .example_clip import ExampleClip
from .motion_file import LearnedMotion
from .motion_layers import LayerShape, MotionLayers
from .temporal_layers import LAYERS

REVISION = 1
"""Raise it when equal settings come to learn something else."""
FRAMES, DECAY = 8, 1e-4
COLOURS = tuple(permutations(range(3)))
"""Orders of red, green and blue in which the example is looked at; the first is its own."""
PROBES = 4
"""Noise levels at which the error is measured before and after."""


@dataclass(frozen=True)
class MotionConfig:
    """One learning of a motion, completely.

    layer: kind, one of LAYERS. inner: channels that the layers work in, 0 = the model's. layers: where and when they
    act. given: share of the steps in which the first frame is given without noise. ground: what the ground counts in
    the loss, 0 to 1. recolour: share of the steps in which the example's colours change places. learning_rate: at its
    highest; it falls to nearly nothing. frames: of the loop. resolution: in pixels, 0 = the model's own.
    checkpointing: as `TrainConfig`; changes no result.
    """

    layer: str = "sti"
    steps: int = 600
    learning_rate: float = 2e-3
    inner: int = 64
    layers: Layers = field(default_factory=lambda: Layers("all", 0.0, 0.7))
    given: float = 0.0
    ground: float = 0.1
    recolour: float = 0.5
    frames: int = FRAMES
    resolution: int = 0
    seed: int = 0
    checkpointing: str = "auto"

    def __post_init__(self) -> None:
        require_one_of("layer", self.layer, tuple(LAYERS))
        require_one_of("checkpointing", self.checkpointing, CHECKPOINTING)
        require_whole_number("steps", self.steps, 1, 100_000, "use 1 to 100000 steps, e.g. 600.")
        require_in_range("learning_rate", self.learning_rate, 1e-8, 1.0, "use something near 0.002.")
        require_whole_number("inner", self.inner, 0, 4096, "use 8 to 256, or 0 for the model's own channels.")
        require_in_range("given", self.given, 0.0, 1.0, "use a share of the steps, e.g. 0.25.")
        require_in_range("ground", self.ground, 0.0, 1.0, "use 0 (the ground counts nothing) to 1.")
        require_in_range("recolour", self.recolour, 0.0, 1.0, "use 0 (its own colours) to 1.")
        require_whole_number("frames", self.frames, 2, 64, "use 2 to 64; 8 is usual.")
        require_whole_number("seed", self.seed, 0, 2**63, "use a whole number from 0 to 2^63.")
        if self.resolution != 0:
            require_whole_number("resolution", self.resolution, 64, 4096, "use 0 (the model's own) or 64 to 4096.")

    def settings(self) -> dict[str, Any]:
        """All settings of what is learned, as plain JSON values."""
        values = json.loads(json.dumps(dataclasses.asdict(self)))
        del values["checkpointing"]
        return values

    def hash(self, *inputs: str) -> str:
        """A short hash of all settings and of the given input hashes: the same learning, or another."""
        text = json.dumps([REVISION, self.settings(), *inputs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


OnMotionStep = Callable[[int, int, Sequence[float]], object]
"""Called after each step with (step, steps, losses so far). Raises StopTraining to end here and keep what is learned,
anything else to cancel."""


def learn_motion(
    host: Host,
    example: ExampleClip,
    config: MotionConfig,
    callback: OnMotionStep | None = None,
    resume: LearnedMotion | None = None,
) -> LearnedMotion:
    """Learn the motion of an example with a host's model; the model is left as it was.

    Deterministic for a seed on one machine. resume: a motion to go on from, with layers of the same kind, width and
    places. Raises SealError for bad input and for a loss that is not finite.
    """
    run = _Learning(host, example, config, resume)
    losses: list[float] = []

    def after(step: int, loss: float) -> None:
        losses.append(loss)
        if callback is not None:
            callback(step, config.steps, losses)

    before = run.error(None)
    rate = RATE_LAWS["cosine"]
    descent = Descent(run.moved, DECAY, host.dtype == torch.float16)
    remedy = f"Lower learning_rate (now {config.learning_rate:g}), or load the model in float32 or bfloat16."
    stopped = descend(config.steps, descent, lambda s: rate((s - 1) / config.steps), run.loss_at, after, remedy)
    gain = 1 - run.error(run.layers) / before
    report = {
        "config": config.settings(),
        "model": str(host.family),
        "device": str(host.device),
        "dtype": str(host.dtype).removeprefix("torch."),
        "sites": [name for name, _ in run.layers.widths],
        "weights": sum(p.numel() for p in run.layers.parameters()),
        "losses": [round(v, 6) for v in losses],
        "gain": round(gain, 4),
    } | ({"stopped": stopped} if stopped else {})
    return LearnedMotion(run.layers.cpu().eval(), config.frames, run.where, example.caption, report)


class _Learning:
    """What is fixed before the first step, and what a step looks at."""

    def __init__(self, host: Host, example: ExampleClip, config: MotionConfig, resume: LearnedMotion | None) -> None:
        self.host, self.config = host, config
        sites = host.sites()
        names = parse_sites(config.layers.sites, sites)
        self.where = dataclasses.replace(config.layers, sites=spelled(names, sites))
        shape = LayerShape(config.inner, centred=True)
        self.layers = MotionLayers.of_sites(config.layer, sites, config.layers.sites, config.seed, shape)
        if not self.layers.layers:
            raise SealError(
                f"layers: none of {config.layers.sites} is the last block of its transformer, after which temporal "
                "layers stand; allow more layers, e.g. all."
            )
        if resume is not None:
            self._go_on_from(resume)
        self.layers.to(host.device).train()
        host.loss_weight(host.sigmas[:1].to(host.device))  # first: it refuses what cannot be trained
        with torch.no_grad():
            orders = COLOURS if config.recolour else COLOURS[:1]
            self.latents = [host.encode_image(example.images[..., list(order)]) for order in orders]
            self.context = repeated(host.encode([Prompt(example.caption)], {}), config.frames)
        rows, columns = self.latents[0].shape[-2:]
        self.focus = example.focus(rows, columns, config.ground).to(host.device)
        self.generator = torch.Generator().manual_seed(config.seed + 1)
        self.checkpointing = Checkpointing(host, sites, TrainConfig(checkpointing=config.checkpointing))
        last = len(host.sigmas) - 1
        self.window = round((1 - config.layers.end_percent) * last), round((1 - config.layers.start_percent) * last)

    def _go_on_from(self, motion: LearnedMotion) -> None:
        if (motion.layers.kind, motion.layers.widths, motion.layers.shape) != (
            self.layers.kind, self.layers.widths, self.layers.shape,
        ):  # fmt: skip
            raise SealError("resume: its layers are of another kind or stand elsewhere; learn with the same settings.")
        self.layers.load_state_dict(motion.layers.state_dict())

    def moved(self) -> list[Moved]:
        return [Moved(list(self.layers.parameters()), self.config.learning_rate)]

    def loss_at(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """The loss of a random noise level within the window, in random colours."""
        share, given, recoloured, which = torch.rand(4, generator=self.generator).tolist()
        others = len(self.latents) - 1
        order = 1 + int(which * others) if recoloured < self.config.recolour else 0
        noise = torch.randn(self.latents[0].shape, generator=self.generator)
        loss = self._loss(self.layers, share, noise, given < self.config.given, order)
        return loss, {"denoising": float(loss.detach())}

    @torch.no_grad()
    def error(self, layers: MotionLayers | None) -> float:
        """The mean loss at fixed noise levels. layers: None for the model alone."""
        generator, errors = torch.Generator().manual_seed(self.config.seed + 2), list[float]()
        for i in range(PROBES):
            noise = torch.randn(self.latents[0].shape, generator=generator)
            errors.append(float(self._loss(layers, (i + 0.5) / PROBES, noise, False)))
        return sum(errors) / len(errors)

    def _loss(self, layers: MotionLayers | None, share: float, noise: Tensor, given: bool, order: int = 0) -> Tensor:
        device, (low, high), latents = self.host.device, self.window, self.latents[order]
        level = min(int(low + share * (high - low + 1)), high)
        known = torch.zeros(1, self.config.frames, dtype=torch.bool, device=device)
        known[0, 0] = given
        sigma = self.host.sigmas[[level]].to(device)
        batch = ClipBatch(latents[None], self.context, sigma, noise[None].to(device), known, None, self.focus)
        # The temporal layers hang on the blocks from outside, so nothing need be put back for the second pass.
        with self.checkpointing.of_tail(latents, None, lambda site: contextlib.nullcontext()):
            return clip_loss(self.host, layers, batch)
