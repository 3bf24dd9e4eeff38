"""One run of SEALTailorStyle: reuse a file, or draw the content, train, and save a LoRA."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import comfy.sd
from torch import Tensor

from ...seal_core.concept.concept import Concept
from ...seal_core.concept.concept_file import BROKEN, files_with_hash, load_concept, save_concept
from ...seal_core.concept.lora_file import weights_tensors
from ...seal_core.files.safe_names import safe_stem
from ...seal_core.files.whole_file import ready_folder
from ...seal_core.messages import SealError, log_warning
from ...seal_core.method.config import TrainConfig
from ...seal_core.method.references import digest
from ...seal_core.method.training import train
from ...seal_core.plots.training_figures import loss_plot
from ...seal_core.style.tailoring import DRAW_STEPS, drawn_content, tailored_references
from .comfy_host import ComfyHost
from .folders import loras_folder, spare_folders
from .loss_progress import LossProgress
from .node_ui import stop_on_cancel
from .train_again import watch_file


@dataclass(frozen=True)
class TailorRun:
    """What the node was asked for. style, content: pictures (H, W, C). captions: a line for all of them or one each;
    without content pictures, prompts by which the model draws its own, with guidance `content_cfg`. mirrored: the
    style pictures are seen both ways round."""

    name: str
    style: Sequence[Tensor]
    style_captions: Sequence[str]
    content: Sequence[Tensor] | None
    content_captions: Sequence[str]
    content_cfg: float
    split: float
    mirrored: bool
    config: TrainConfig
    run_id: int


@dataclass(frozen=True)
class TailorOutcome:
    """concept: the look. loss_plot (1, H, W, 3). headline: for the node."""

    concept: Concept
    loss_plot: Tensor
    report: dict[str, Any]
    headline: str


def tailor_or_reuse(host: ComfyHost, run: TailorRun) -> TailorOutcome:
    """The look for these settings and pictures: from its LoRA if there is one, else trained and saved.

    Raises SealError for bad input before any training. Whatever is raised, no file is left behind.
    """
    stem, config = safe_stem(run.name), run.config
    config = config if config.resolution else replace(config, resolution=host.resolution)
    warnings = _doubts(run)
    draws = run.content is None and bool(run.content_captions) and run.split < 1
    known = run.style if draws else run.content  # checks everything but what is to be drawn
    captions = ("",) if draws else run.content_captions
    tailored_references(run.style, run.style_captions, known, captions, run.split, config.resolution)
    host.plan(config.batch_size, config.resolution)
    models = host.identity()
    pictures = digest(*run.style) + (digest(*run.content) if run.content is not None else "")
    lines = "\n".join([*run.style_captions, "", *run.content_captions, f"{run.content_cfg}" if draws else ""])
    key = config.hash(models.hash, pictures, lines, str(run.split), str(run.mirrored), stem, str(run.run_id))
    folder = ready_folder(loras_folder(), "name")
    for path in () if models.unread else files_with_hash(folder, key):
        try:
            outcome = _told(load_concept(path), warnings, {"reused": path.name, "seconds": 0.0, "file": str(path)})
        except (SealError, *BROKEN) as error:
            log_warning("SEAL: %s is not used again: %s", path.name, error)
        else:
            watch_file(path, run.name)
            return outcome
    started = time.perf_counter()
    steps = len(run.content_captions) * DRAW_STEPS if draws else 0
    progress = LossProgress(config.steps, before=steps)
    with host:
        content: Sequence[Tensor] | Tensor | None = run.content
        if draws:
            content = drawn_content(
                host,
                run.content_captions,
                config.resolution,
                config.seed,
                guidance=run.content_cfg,
                on_step=lambda step, _: progress.prepared(step),
            )
        references, noticed = tailored_references(
            run.style, run.style_captions, content, run.content_captions, run.split, config.resolution, run.mirrored
        )
        result = train(host, references, config, lambda now: progress.trained(now.step, now.losses))
    passes = {"drawing": 2 * steps, "training": config.steps * config.batch_size}
    report = {**result.report, "warnings": [*noticed, *result.report["warnings"]]}
    report |= {"split": run.split, "pictures": _counted(run, content), "passes": passes}
    concept = replace(result.concept, clip_skip=host.clip.layer_idx, file=stem)
    concept = replace(concept, provenance={**concept.provenance, "hash": key, "report": report})
    stop_on_cancel()
    path = save_concept(concept, folder, stem, spare_folders())
    watch_file(path, run.name)
    if path.stem != stem:
        warnings.append(f"name: {stem} is taken by another file; this one is saved as {path.stem}.")
    seconds = round(time.perf_counter() - started, 2)
    return _told(replace(concept, file=path.stem), warnings, {"seconds": seconds, "file": str(path)})


def with_look(model: Any, look: Concept) -> Any:
    """A clone of a MODEL with the look, as Load LoRA makes it of the same file."""
    return comfy.sd.load_lora_for_models(model, None, weights_tensors(look.weights), 1.0, 0.0)[0]


def _doubts(run: TailorRun) -> list[str]:
    if run.split == 1 and (run.content is not None or run.content_captions):
        return ["split: 1 gives every noise level to the style pictures, so the content is not used."]
    if run.content is None and not run.content_captions:
        return ["content: there is none, so layout and obedience are learned from the style pictures, too."]
    if run.content is not None and not run.content_captions:
        return ["content_captions: empty, so the content pictures teach nothing about words."]
    return []


def _counted(run: TailorRun, content: Sequence[Tensor] | Tensor | None) -> dict[str, int]:
    """Pictures that the look was learned from."""
    return {"style": len(run.style), "content": 0 if content is None or run.split == 1 else len(content)}


def _told(look: Concept, warnings: list[str], more: dict[str, Any]) -> TailorOutcome:
    kept = look.provenance["report"]
    report = {**kept, **more, "warnings": [*warnings, *kept["warnings"]]}
    gain = round(100 * kept["restored"]["subject"]["gain"])
    found = f"restores the first style picture {gain} % better"
    if "reused" in more:
        headline = f"Reused {more['reused']}: same settings, same pictures; {found}."
    else:
        headline = f"{look.file}: {kept['config']['steps']} steps in {more['seconds']:.0f} s; {found}."
    return TailorOutcome(look, loss_plot(kept["losses"], [])[None], report, headline)
