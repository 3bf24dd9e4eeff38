"""What `python -m seal_core train` does; its options are in `seal_core.cli.train_options`."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ..concept.concept import Concept
from ..concept.concept_file import concept_bytes
from ..concept.lora_file import LORA, lora_bytes
from ..concept.vocabulary import require_new_name
from ..files.safe_names import TAKEN_BY, safe_stem
from ..files.whole_file import ready_folder, temporary_folders, write_new_files
from ..hosts.base import Host
from ..messages import SealError
from ..method.config import TrainConfig
from ..method.configure import changed, in_words
from ..method.probe import gains_in_words
from ..method.references import digest
from ..method.results import TrainResult, found_in_words
from ..method.training import train
from ..pictures.picture_file import read_mask, read_picture
from ..pictures.png import png_bytes
from ..plots.training_figures import before_after, loss_plot
from ..stickers.contact_sheet import contact_sheet
from .included import built_in_pictures, complete
from .model_and_concept import memory_errors_of_device, open_model, read_concept
from .picture_references import FoundReferences, find_references
from .progress_bars import step_bar, training_bar
from .train_options import train_config

PICTURES, SHEET_CELL = ".pictures.png", 176
"""Ending of the sheet of pictures that the included model draws, and the side of one in pixels."""


def run(options: Namespace) -> None:
    """Train, then write embedding, pictures and report. Raises SealError before the long part where it can."""
    complete(options)
    resume = read_concept("resume", options.resume, options.class_word) if options.resume else None
    config = train_config(options, resume)
    asked = {"preset": options.preset, "changed": changed(options.preset, config)}
    stem = safe_stem(options.name)
    images, masks = _pictures(options) if options.image else built_in_pictures()
    options.out = ready_folder(options.out, "out")
    host = open_model(options)
    require_new_name(host, config.tokens)
    config = config if config.resolution else replace(config, resolution=host.resolution)
    found = find_references(host, images, masks, options.mask_polarity, config)
    started = time.perf_counter()
    with memory_errors_of_device(), step_bar(config.steps, "training") as bar:
        result = train(host, found.references, config, training_bar(bar), resume)
    result.report.update(asked)
    result.report["seconds"] = round(time.perf_counter() - started, 2)
    inputs = digest(*images, *(r.mask for r in found.references))
    key = config.hash(host.fingerprint(), inputs, str(resume.provenance.get("hash", resume.file)) if resume else "")
    concept = replace(result.concept, file=stem, provenance={**result.concept.provenance, "hash": key})
    sheet = None if options.model else _sheet(host, concept, config, options.seed)
    path, report = _write(result, concept, found, options.out, sheet)
    _print_results(path, concept, report)


# -- pictures --------------------------------------------------------------------------------------


def _pictures(options: Namespace) -> tuple[list[Tensor], list[Tensor]]:
    """The stickers given, and the masks given, (H, W) each."""
    images = [read_picture(p, "image") for p in options.image]
    masks = [read_mask(p, "mask") for p in options.mask or ()]
    if len(masks) not in (0, 1, len(options.image)):
        raise SealError(f"mask: {len(masks)} masks for {len(options.image)} images; give one for all, or one each.")
    return images, masks


# -- results ---------------------------------------------------------------------------------------


def _sheet(host: Host, concept: Concept, config: TrainConfig, seed: int) -> Tensor:
    """What the demo's prompts give with the concept, as one picture (H, W, 3)."""
    from ..demo.comparison import column_pictures, columns_for

    columns = columns_for(dict(config.attributes))
    images = list(column_pictures(host, concept, columns, 1, seed))
    return contact_sheet(images, [column.label for column in columns], cell=SHEET_CELL, ground="white")[0]


def _write(
    result: TrainResult, concept: Concept, found: FoundReferences, folder: Path, sheet: Tensor | None = None
) -> tuple[Path, dict]:
    """Write the files under one stem; returns the embedding's path and the report. sheet: pictures made with it."""
    stem, report = concept.file, dict(result.report)
    warnings = [*found.notices, *report["warnings"]]

    def report_bytes(free: str) -> bytes:
        taken = [f"name: {stem} is taken in {folder}; this training is saved as {free}."] if free != stem else []
        report["file"], report["warnings"] = f"{free}.safetensors", [*taken, *warnings]
        return json.dumps(report, indent=2).encode()

    reference = found.references[0]
    maps = result.attention_before, result.attention_after
    attention = before_after(reference.image, *maps, reference.mask, report["restored"])
    files = {
        ".safetensors": concept_bytes(concept),
        ".loss.png": png_bytes(loss_plot(result.losses, [result.merged_at] if result.merged_at else [])),
        ".attention.png": png_bytes(attention),
        ".json": report_bytes,
    }
    if sheet is not None:
        files[PICTURES] = png_bytes(sheet)
    if concept.weights:
        files[LORA] = lora_bytes(concept)
    written = write_new_files(folder, stem, files, "out", taken_by=TAKEN_BY, elsewhere=temporary_folders())
    return written[".safetensors"], report


def _print_results(path: Path, concept: Concept, report: dict) -> None:
    for warning in report["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    if report["changed"]:
        print(f"{report['preset']}, but {in_words(report['changed'])}")
    if words := found_in_words(report):
        print(f'seen as "{words}"')
    print(f"{path}: {gains_in_words(report['restored'])}, {report['seconds']:.0f} s")
    if concept.weights:
        print(f"its weights as a LoRA for other programs: {path.with_suffix('')}{LORA}")
    print(f"in prompts: {concept.name}" + (f" or embedding:{path.stem}" if concept.carrier == "input" else ""))
