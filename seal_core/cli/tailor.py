"""What `python -m seal_core tailor` does; its options are in `seal_core.cli.tailor_options`."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ..concept.concept_file import concept_bytes
from ..files.safe_names import TAKEN_BY
from ..files.whole_file import ready_folder, temporary_folders, write_new_files
from ..messages import SealError
from ..method.training import train
from ..pictures.picture_file import read_picture
from ..pictures.png import png_bytes
from ..plots.training_figures import loss_plot
from ..style.tailoring import DRAW_STEPS, drawn_content, tailor_config, tailored_references
from .included import usual_guidance
from .model_and_concept import memory_errors_of_device, open_model
from .progress_bars import step_bar, training_bar


def run(options: Namespace) -> None:
    """Learn the look and write its files. Raises SealError before the long part where it can."""
    config = tailor_config(
        name=options.name,
        steps=options.steps,
        rank=options.rank,
        rate=options.learning_rate,
        batch_size=options.batch_size,
        resolution=options.resolution,
        seed=options.seed,
    )
    style, told = _read("style", options.style), _lines("style_captions", options.style_captions)
    asked = _lines("content_captions", options.content_captions)
    options.out = ready_folder(options.out, "out")
    host = open_model(options)
    config = config if config.resolution else replace(config, resolution=host.resolution)
    content: Sequence[Tensor] | Tensor | None = _read("content", options.content) or None
    tailored_references(style, told, content, asked if options.content else (), options.split, config.resolution)
    started = time.perf_counter()
    with memory_errors_of_device():
        if content is None and asked and options.split < 1:
            with step_bar(len(asked) * DRAW_STEPS, "drawing the content") as bar:
                content = drawn_content(
                    host,
                    asked,
                    config.resolution,
                    options.seed,
                    guidance=usual_guidance(options),
                    on_step=lambda step, steps: bar.update(),
                )
        references, noticed = tailored_references(
            style, told, content, asked, options.split, config.resolution, options.mirrored
        )
        with step_bar(config.steps, "training") as bar:
            result = train(host, references, config, training_bar(bar))
    report = {**result.report, "seconds": round(time.perf_counter() - started, 2), "split": options.split}
    report["warnings"] = [*noticed, *report["warnings"]]
    files = {
        ".safetensors": concept_bytes(result.concept),
        ".loss.png": png_bytes(loss_plot(result.losses)),
        ".json": json.dumps(report, indent=2).encode(),
    }
    written = write_new_files(options.out, options.name, files, "out", taken_by=TAKEN_BY, elsewhere=temporary_folders())
    for warning in report["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{written['.safetensors']}: {len(style)} style pictures, {report['seconds']:.0f} s")


def _read(option: str, files: Sequence[str]) -> list[Tensor]:
    return [read_picture(Path(file), option) for file in files]


def _lines(option: str, file: Path | None) -> tuple[str, ...]:
    """The lines of a text file that are not empty; none without a file."""
    if file is None:
        return ()
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SealError(f"{option}: {file} cannot be read ({error}); give a text file.") from None
    return tuple(line.strip() for line in text.splitlines() if line.strip())
