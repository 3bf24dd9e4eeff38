"""What a training shows while it runs: ComfyUI's progress bar, the live panel, and a picture where there is none."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import comfy.utils
import torch
from torch import Tensor

from ...seal_core.concept.concept import Concept
from ...seal_core.concept.mentions import concepts_named
from ...seal_core.hosts.base import Prompt
from ...seal_core.messages import SealError
from ...seal_core.method.config import TrainConfig
from ...seal_core.method.initial_words import most_notices
from ...seal_core.method.references import Reference
from ...seal_core.method.results import PROBES, Progress, StopTraining
from ...seal_core.method.sampling import generate_context, sample
from ...seal_core.method.seen_attributes import most_candidates
from ...seal_core.plots import training_figures as plots
from ...seal_core.plots.attention_overlay import overlaid
from ...seal_core.plots.look import fitted, picture_of
from ...seal_core.plots.loss_chart import course
from .comfy_host import ComfyHost
from .live_panel import LivePanel, jpeg_url

SAMPLE_STEPS = 12
AUTOMATIC, PREVIEWS, FEWEST_STEPS = -1, 5, 40
"""`every` that means PREVIEWS pictures along the training, at least FEWEST_STEPS apart. One costs about 6 steps."""
TILE = 256
"""Pixels of the panel's pictures."""
PAUSE = 0.4
"""Seconds between two messages, at least."""


@dataclass(frozen=True)
class Preview:
    """What is drawn along the training, and how often: every so many steps, AUTOMATIC, or 0 = never."""

    prompt: str
    every: int

    def spacing(self, steps: int, looked_at: bool) -> int:
        """Steps between two pictures of a training; 0 = none."""
        if not self.prompt.strip():
            return 0
        if self.every == AUTOMATIC:
            return max(FEWEST_STEPS, steps // PREVIEWS) if looked_at else 0
        return self.every


class Watcher:
    """The callback of one training: shows how far it is, cancels on Cancel, and stops on Stop and keep.

    A preview prompt that cannot be drawn ends up in `warnings`, not in an error.
    """

    def __init__(
        self,
        host: ComfyHost,
        reference: Reference,
        config: TrainConfig,
        preview: Preview,
        warnings: list[str],
        panel: LivePanel,
    ) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        self._host, self._reference, self._config, self._panel = host, reference, config, panel
        self._prompt, self._warnings = preview.prompt, warnings
        self._every = preview.spacing(config.steps, looked_at=panel.client is not None)
        self._bar = comfy.utils.ProgressBar(config.steps)
        self._picture_every = max(1, config.steps // (2 * PROBES))
        self._sought, self._candidates = 0, most_candidates(config)
        if config.tokens.init == "described":
            self._candidates += most_notices(config.tokens.class_word)
        self._drawn: Tensor | None = None
        self._told: dict[str, Any] = {}  # what the panel was told last, by name: pictures go only when they are new
        self._told_at = self._started = time.monotonic()
        self._started_after = 0

    def __call__(self, progress: Progress) -> None:
        """Called by the core after each step, and before each candidate while it looks for words."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        if not progress.step:  # the bar fills once for the words
            self._sought += 1
            self._bar.update_absolute(self._sought, self._candidates)
            self._tell({"phase": "words", "done": self._sought / self._candidates, "note": progress.note})
            return
        if progress.step == 1:  # how long the first takes tells little: memory is readied, kernels are chosen
            self._started, self._started_after = time.monotonic(), 1
        due = self._every > 0 and progress.step % self._every == 0
        if due:
            self._draw(progress)
        last = progress.step == progress.steps
        stopping = self._panel.stop.is_set()
        self._tell(self._news(progress), at_once=due or last or stopping or progress.step == 1)
        picture = None
        if not self._panel.shown.is_set() and (due or progress.step % self._picture_every == 0 or last):
            picture = plots.preview_panel(
                progress.losses,
                self._reference.image,
                progress.attention,
                self._reference.mask,
                self._drawn,
                steps=progress.steps,
            )
        self._bar.update_absolute(progress.step, progress.steps, ("JPEG", picture, 512) if picture else None)
        if stopping:
            raise StopTraining

    def _draw(self, progress: Progress) -> None:
        try:
            self._drawn = _drawn(self._host, progress.concept(), self._prompt, self._config)
        except SealError as error:
            self._warnings.append(f"preview_prompt: {error}")
            self._every = 0

    def _news(self, progress: Progress) -> dict[str, Any]:
        done, since = progress.step - self._started_after, time.monotonic() - self._started
        return {
            "phase": "steps",
            "step": progress.step,
            "left": round(since / done * (progress.steps - progress.step), 1) if done else None,
            "losses": progress.losses,
            "note": progress.note,
            "attention": progress.attention,
            "sample": self._drawn,
        }

    def _tell(self, news: dict[str, Any], at_once: bool = False) -> None:
        """To the panel, now and then. What costs time to make is made only if it is sent, and only when it is new."""
        if self._panel.client is None or not (at_once or time.monotonic() - self._told_at > PAUSE):
            return
        self._told_at = time.monotonic()
        message = {name: value for name, value in news.items() if name not in ("losses", "attention", "sample")}
        if "losses" in news:
            message["curve"] = course(news["losses"])
        for name, draw in (("attention", self._attended), ("sample", _tile)):
            picture = news.get(name)
            if picture is not None and picture is not self._told.get(name):
                self._told[name], message[name] = picture, draw(picture)
        self._panel.send(**message)

    def _attended(self, attention: Tensor) -> str:
        return attended_tile(self._reference, attention)


def attended_tile(reference: Reference, attention: Tensor) -> str:
    """The attention (h, w) over the sticker, as a small picture for the panel."""
    return jpeg_url(overlaid(reference.image, attention, reference.mask, side=TILE))


def _tile(picture: Tensor) -> str:
    return jpeg_url(fitted(picture_of(picture), TILE))


@torch.no_grad()
def _drawn(host: ComfyHost, concept: Concept, prompt: str, config: TrainConfig) -> Tensor:
    """A quick picture of the concept as learned so far, (H, W, 3)."""
    text = prompt.replace("{}", concept.name)
    text = text if concepts_named(text, [concept]) else f"{text}, {concept.name}"
    side = -(-config.resolution // 8) * 8
    positive = generate_context(host, concept, text)
    latents = sample(
        host,
        positive,
        host.encode([Prompt("")], {}),
        height=side,
        width=side,
        steps=SAMPLE_STEPS,
        cfg=6.0,
        generator=torch.Generator().manual_seed(config.seed),
    )
    return host.decode_latents(latents)[0]
