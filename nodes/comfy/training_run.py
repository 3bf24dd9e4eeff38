"""One run of SEALTrainEmbedding: reuse a file or train and save, with progress on the node."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import comfy.model_management
import torch
from torch import Tensor

from ...seal_core.concept.concept import Concept, Embedding
from ...seal_core.concept.concept_file import BROKEN, files_with_hash, load_concept, save_concept
from ...seal_core.concept.concept_stack import name_in_prompts
from ...seal_core.concept.lora_file import save_lora, weights_tensors
from ...seal_core.files.safe_names import safe_stem
from ...seal_core.files.whole_file import ready_folder
from ...seal_core.messages import SealError, log_warning
from ...seal_core.method.config import TrainConfig
from ...seal_core.method.configure import changed, in_words
from ...seal_core.method.fit_references import fit_references
from ...seal_core.method.probe import gains_in_words
from ...seal_core.method.references import Reference, digest
from ...seal_core.method.results import TrainResult, found_in_words
from ...seal_core.method.training import train
from ...seal_core.plots import training_figures as plots
from ...seal_core.plots.loss_chart import course
from .comfy_host import ComfyHost
from .folders import folder_of, listed_as, loras_folder, spare_folders
from .live_panel import live_panel
from .train_again import forget_answer, watch_file
from .training_progress import Preview, Watcher, attended_tile


@dataclass(frozen=True)
class Run:
    """What the node was asked for. image (B, H, W, C), mask (B, H, W) or (H, W)."""

    name: str
    image: Tensor
    mask: Tensor
    mask_polarity: str
    preset: str
    config: TrainConfig
    resume: Concept | None
    run_id: int


@dataclass(frozen=True)
class Outcome:
    """What the node gives back; pictures are (1, H, W, 3). panel: what the live panel shows at the end."""

    embedding: Embedding
    name: str
    loss_plot: Tensor
    attention_map: Tensor
    report: dict[str, Any]
    headline: str
    panel: dict[str, Any]


def train_or_reuse(host: ComfyHost, run: Run, preview: Preview) -> Outcome:
    """The concept for these settings and inputs: from its file if there is one, else trained and saved.

    Raises SealError for bad input before any training. Whatever is raised, no file is left behind.
    """
    stem = safe_stem(run.name)
    resume, changes = run.resume, changed(run.preset, run.config)
    asked = {"preset": run.preset, "changed": changes}
    config = run.config if run.config.resolution else replace(run.config, resolution=host.resolution)
    references, warnings = fit_references(run.image, run.mask, config.resolution, run.mask_polarity)
    host.plan(config.batch_size, config.resolution)
    folder = folder_of(config.carrier)
    start = ""
    if resume is not None:
        start = digest(*(resume.vectors[k] for k in sorted(resume.vectors)), *weights_tensors(resume.weights).values())
    # The name counts: another name means another file.
    inputs = (digest(run.image, run.mask), run.mask_polarity, start, stem, str(run.run_id))
    models = host.identity()
    key = config.hash(models.hash, *inputs)
    if models.unread:
        warnings.append(
            f"model: patches on it hold what cannot be compared ({', '.join(models.unread)}), so this was trained anew "
            "although a file with the same settings may exist."
        )
    for known in () if models.unread else files_with_hash(folder, key):
        try:
            reused = _reused(known, references[0], asked, warnings)
        except (SealError, RuntimeError, *BROKEN) as error:
            log_warning("SEAL: %s is not used again: %s", known.name, error)
            warnings.append(f"name: {known.name} was damaged or edited and is not used again.")
        else:
            watch_file(known, run.name)
            return reused
    ready_folder(folder, "name")
    started = time.perf_counter()
    with host, live_panel(config.steps) as panel:
        watcher = Watcher(host, references[0], config, preview, warnings, panel)
        result = train(host, references, config, watcher, resume)
    if result.stopped:  # another hash than the whole training's: it is never used in its place
        key = config.hash(models.hash, *inputs, f"stopped after {result.stopped}")
        forget_answer(run.name)
    concept = _kept(result, key, host)
    comfy.model_management.throw_exception_if_processing_interrupted()
    path = save_concept(concept, folder, stem, spare_folders())
    watch_file(path, run.name)
    lora = _saved_lora(concept, path.stem, warnings) if concept.weights else None
    concept = replace(concept, file=path.stem)
    if path.stem != stem:
        warnings.append(f"name: {stem} is taken by another training; this one is saved as {path.stem}.")
    seconds = round(time.perf_counter() - started, 2)
    if result.stopped:
        warnings.append(
            f"steps: stopped after {result.stopped} of {config.steps}. The next Run trains in full; to go on with what "
            f"is learned, load {path.stem} with SEAL Load Embedding, and wire it to `resume` to train on."
        )
    report = asked | _report(concept, warnings) | {"seconds": seconds, "file": str(path)}
    if lora is not None:
        report["lora"] = str(lora)
    if host.copied_bytes:  # newer ComfyUIs stream the wired models, which gradients cannot pass
        report["copied_bytes"] = host.copied_bytes
    words = found_in_words(report)
    seen = f' Seen as "{words}".' if words else ""
    differs = f" {run.preset}, but {in_words(changes)}." if changes else ""
    steps = f"stopped after {result.stopped} of {config.steps} steps" if result.stopped else f"{config.steps} steps"
    headline = f"{path.stem}: {steps} in {seconds:.0f} s; {gains_in_words(report['restored'])}.{seen}{differs}"
    return _outcome(concept, references[0], report, headline)


def _reused(file: Path, reference: Reference, asked: dict[str, Any], warnings: list[str]) -> Outcome:
    """The outcome from a trained file. Raises SealError or one of BROKEN where no training saved it so."""
    concept = load_concept(file)
    report = asked | _report(concept, warnings) | {"seconds": 0.0, "file": str(file), "reused": file.name}
    return _outcome(concept, reference, report, f"Reused {file.name}: same settings, same sticker.")


def _saved_lora(concept: Concept, stem: str, warnings: list[str]) -> Path | None:
    """The LoRA for other loaders; the concept is saved already, so trouble with this one is no more than a warning."""
    try:
        return save_lora(concept, loras_folder(), stem, spare_folders())
    except SealError as error:
        warnings.append(str(error))
        return None


def resumed(embedding: Embedding | None) -> Concept | None:
    """The one concept to go on from, if any. Raises SealError for several."""
    if embedding is None:
        return None
    if len(embedding.concepts) != 1:
        raise SealError(f"resume: holds {len(embedding.concepts)} concepts; training goes on from exactly one.")
    return embedding.concepts[0]


def _kept(result: TrainResult, key: str, host: ComfyHost) -> Concept:
    """The concept with everything that shows the training again. No times: equal runs give equal bytes."""
    maps = {"before": _rounded(result.attention_before), "after": _rounded(result.attention_after)}
    report = {k: v for k, v in result.report.items() if k not in result.concept.provenance}
    provenance = {**result.concept.provenance, "hash": key, "report": report, "attention": maps}
    return replace(result.concept, clip_skip=host.clip.layer_idx, provenance=provenance)


def _report(concept: Concept, warnings: list[str]) -> dict[str, Any]:
    """The report from the file, with this run's warnings."""
    kept = {k: v for k, v in concept.provenance.items() if k not in ("report", "attention")}
    report = concept.provenance["report"]
    return {**kept, **report, "warnings": [*warnings, *report["warnings"]]}


def _rounded(attention: Tensor) -> list[list[float]]:
    return [[round(v, 5) for v in row] for row in attention.tolist()]


def _outcome(concept: Concept, reference: Reference, report: dict[str, Any], headline: str) -> Outcome:
    """Pictures and report of a trained or reused concept."""
    maps = {k: torch.tensor(v) for k, v in concept.provenance["attention"].items()}
    merged = report["merged_at"]
    plot = plots.loss_plot(report["losses"], [merged] if merged else [])
    # Files of older versions tell nothing of this.
    restored = report.get("restored")
    shown = plots.before_after(reference.image, maps["before"], maps["after"], reference.mask, restored)
    panel = _panel_at_end(report, attended_tile(reference, maps["after"]))
    panel["file"] = listed_as(concept.file, concept.carrier)
    return Outcome(Embedding((concept,)), name_in_prompts(concept), plot[None], shown[None], report, headline, panel)


def _panel_at_end(report: dict[str, Any], attention: str) -> dict[str, Any]:
    """What the panel shows of a trained or reused concept; plain JSON values. likeness, leak: gains, see `probe`."""
    restored = report.get("restored") or {}
    return {
        "steps": report["config"]["steps"],
        "step": report.get("stopped") or report["config"]["steps"],
        "stopped": "stopped" in report,
        "reused": "reused" in report,
        "seconds": report["seconds"],
        "note": found_in_words(report),
        "likeness": restored.get("subject", {}).get("gain"),
        "leak": restored.get("ground", {}).get("gain"),
        "curve": course(report["losses"]),
        "attention": attention,
        "notes": report["warnings"],
    }
