"""`python -m seal_core demo`: one sticker, Textual Inversion and SEAL side by side on the tiny model that ships.

It downloads nothing and opens nothing; it writes a contact sheet, the sticker's mask, a report, and each method's
embedding and pictures.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..demo.animals import SPECIES
from ..demo.sticker_files import BUILT_IN
from ..files.whole_file import ready_folder, write_output
from ..messages import SealError
from ..prompts.attributes import parse_attributes

if TYPE_CHECKING:
    from torch import Tensor

    from ..demo.comparison import Column, MethodResult, Scorer, Subject
    from ..hosts.base import Host


def demo_options(command: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core demo`."""
    add = command.add_argument
    choice = command.add_mutually_exclusive_group()
    choice.add_argument("--image", type=Path, metavar="PNG", help="your own sticker (default: a built-in one)")
    choice.add_argument("--example", choices=tuple(BUILT_IN), metavar="NAME", help=f"one of: {'; '.join(BUILT_IN)}")
    known = ", ".join(SPECIES)
    add(
        "--class-word",
        default="",
        metavar="WORD",
        help=f"what it shows; the tiny model knows {known} (default: guessed)",
    )
    add("--attributes", default="", metavar="JSON", help='what words can say of it: \'{"background": "beach"}\'')
    add("--out", default="seal-demo", metavar="DIR", help="where files go (default: seal-demo)")
    add("--steps", type=int, default=0, help="training steps of both methods (default: the presets')")
    add("--seed", type=int, default=0, help="same seed, same result on one machine (default 0)")


def demo_command(options: argparse.Namespace, scorer: Scorer | None = None) -> None:
    """Train both methods, write the files, print the figures. scorer: judges the pictures as well. Raises SealError."""
    from ..demo.comparison import METHODS, columns_for
    from ..demo.model import host, load_model

    started = time.perf_counter()
    if options.steps < 0:
        raise SealError(f"steps: {options.steps} is out of range; use 1 or more, 0 = the presets'.")
    model = host(load_model())
    subject = _subject(options, model)
    out = ready_folder(options.out, "out")
    columns = columns_for(subject.attributes)
    learned = {name: _learned(model, subject, columns, name, options, scorer) for name in METHODS}
    seconds = time.perf_counter() - started
    path = _write(out, subject, columns, learned, seconds)
    print(f"{path} ({seconds:.0f} s)")


def _subject(options: argparse.Namespace, model: Host) -> Subject:
    from ..demo.animal_guess import guess_animal
    from ..demo.comparison import Subject, built_in_subject, own_reference
    from ..pictures.picture_file import read_picture

    attributes = parse_attributes(options.attributes)
    if options.image is None:
        name = options.example or next(iter(BUILT_IN))
        return built_in_subject(name, options.class_word, attributes, model.resolution)
    reference = own_reference(read_picture(options.image, "image"), model.resolution)
    word = options.class_word
    if not word:
        word = guess_animal(model, reference)
        print(f"class word: {word} (the tiny model's guess; --class-word says better)")
    return Subject(reference, word, attributes, str(options.image))


def _learned(
    model: Host,
    subject: Subject,
    columns: list[Column],
    method: str,
    options: argparse.Namespace,
    scorer: Scorer | None,
) -> MethodResult:
    from tqdm import tqdm

    from ..demo.comparison import learn, training_figures, training_steps
    from ..demo.tuned_presets import LABELS
    from .progress_bars import training_bar

    steps = training_steps(method, options.steps)
    with tqdm(total=steps, desc=LABELS[method], unit="step", dynamic_ncols=True, leave=False) as bar:
        callback = training_bar(bar)
        found = learn(model, subject, columns, method, steps=steps, seed=options.seed, callback=callback, scorer=scorer)
    if words := training_figures(found.result)["words"]:
        print(f'{LABELS[method]} starts as "{words}"')
    print(f"{LABELS[method]}: {found.words}")
    return found


def _write(
    out: Path, subject: Subject, columns: list[Column], learned: dict[str, MethodResult], seconds: float
) -> Path:
    """Write contact-sheet.png, mask.png, report.json and for each method its embedding and its pictures; returns the
    sheet's path."""
    from ..concept.concept_file import concept_bytes
    from ..demo.comparison import training_figures
    from ..files.safe_names import safe_stem
    from ..pictures.png import png_bytes

    scores = {name: found.scores for name, found in learned.items() if found.scores}
    report = {
        "reference": subject.source,
        "class_word": subject.class_word,
        "attributes": dict(subject.attributes),
        "training": {name: training_figures(found.result) for name, found in learned.items()},
        **({"scores": scores} if scores else {}),
        "seconds": round(seconds, 1),
    }
    write_output(out / "report.json", json.dumps(report, indent=2).encode())
    write_output(out / "mask.png", png_bytes(subject.reference.mask))
    for name, found in learned.items():
        write_output(out / f"{name}.safetensors", concept_bytes(found.result.concept))
        for column, image in zip(columns, found.images):
            write_output(out / f"{name}-{safe_stem(column.label.replace(' ', '-'))}.png", png_bytes(image))
    path = out / "contact-sheet.png"
    write_output(path, png_bytes(_sheet(subject, columns, learned)))
    return path


def _sheet(subject: Subject, columns: list[Column], learned: dict[str, MethodResult]) -> Tensor:
    from ..demo.sheet import Row, comparison_sheet
    from ..demo.tuned_presets import LABELS

    image, mask = subject.reference.image, subject.reference.mask
    rows = [Row(LABELS[name], m.words, m.images) for name, m in learned.items()]
    return comparison_sheet(f"SEAL: {subject.source}", image, mask, [c.label for c in columns], rows)[0]
