"""One run of SEALTrainMotion: reuse a file, or learn and save."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ...seal_core.concept.concept_file import files_with_hash
from ...seal_core.files.safe_names import safe_stem
from ...seal_core.files.whole_file import ready_folder, write_new_files
from ...seal_core.messages import SealError, log_warning
from ...seal_core.method.references import digest
from ...seal_core.motion.temporal.example_clip import example_clip
from ...seal_core.motion.temporal.learn_motion import MotionConfig, learn_motion
from ...seal_core.motion.temporal.motion_file import (
    SUFFIX,
    LearnedMotion,
    hash_of_learning,
    learned_motion_bytes,
    load_learned_motion,
)
from ...seal_core.plots.training_figures import loss_plot
from .comfy_host import ComfyHost
from .folders import motions_folder, spare_folders
from .loss_progress import LossProgress
from .node_ui import stop_on_cancel
from .train_again import watch_file


@dataclass(frozen=True)
class MotionRun:
    """What the node was asked for. image (B, H, W, C): the frames; mask (B, H, W) or None."""

    name: str
    image: Tensor
    mask: Tensor | None
    mask_polarity: str
    caption: str
    config: MotionConfig
    resume: LearnedMotion | None
    run_id: int


@dataclass(frozen=True)
class MotionOutcome:
    """loss_plot (1, H, W, 3). frames (F, H, W, 3): the example as it was looked at. headline: for the node."""

    motion: LearnedMotion
    loss_plot: Tensor
    frames: Tensor
    report: dict[str, Any]
    headline: str


def learn_or_reuse(host: ComfyHost, run: MotionRun) -> MotionOutcome:
    """The motion for these settings and frames: from its file if there is one, else learned and saved.

    Raises SealError for bad input before any training. Whatever is raised, no file is left behind.
    """
    stem, config = safe_stem(run.name), run.config
    config = config if config.resolution else replace(config, resolution=host.resolution)
    example, warnings = example_clip(
        run.image,
        run.mask,
        run.caption,
        frames=config.frames,
        resolution=config.resolution,
        polarity=run.mask_polarity,
    )
    host.plan(config.frames, config.resolution)
    models = host.identity()
    start = "" if run.resume is None else digest(*run.resume.layers.state_dict().values())
    seen = digest(example.images, example.masks)
    key = config.hash(models.hash, seen, example.caption, start, stem, str(run.run_id))
    folder = ready_folder(motions_folder(), "name")
    for path in () if models.unread else files_with_hash(folder, key, hash_of_learning):
        try:
            known = load_learned_motion(path)
        except SealError as error:
            log_warning("SEAL: %s is not used again: %s", path.name, error)
        else:
            watch_file(path, run.name)
            return _told(known, example.images, warnings, {"reused": path.name, "seconds": 0.0, "file": str(path)})
    started = time.perf_counter()
    with host:
        progress = LossProgress(config.steps)
        motion = learn_motion(host, example, config, lambda step, _, losses: progress.trained(step, losses), run.resume)
    motion = replace(motion, report={**motion.report, "hash": key})
    stop_on_cancel()
    data = {SUFFIX: learned_motion_bytes(motion)}
    path = write_new_files(folder, stem, data, "name", elsewhere=spare_folders())[SUFFIX]
    watch_file(path, run.name)
    if path.stem != stem:
        warnings.append(f"name: {stem} is taken by another file; this one is saved as {path.stem}.")
    seconds = round(time.perf_counter() - started, 2)
    more = {"seconds": seconds, "file": str(path)} | ({"copied_bytes": host.copied_bytes} if host.copied_bytes else {})
    return _told(replace(motion, file=path.stem), example.images, warnings, more)


def _told(motion: LearnedMotion, frames: Tensor, warnings: list[str], more: dict[str, Any]) -> MotionOutcome:
    report = {**motion.report, **more, "warnings": warnings}
    found = f"restores the example's frames {round(100 * report['gain'])} % better"
    if "reused" in more:
        headline = f"Reused {more['reused']}: same settings, same frames; {found}."
    else:
        headline = f"{motion.file}: {len(report['losses'])} steps in {more['seconds']:.0f} s; {found}."
    return MotionOutcome(motion, loss_plot(report["losses"], [])[None], frames, report, headline)
