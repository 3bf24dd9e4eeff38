"""`python -m seal_core demo`: one sticker, Textual Inversion and SEAL side by side on the tiny model that ships.

Nothing is downloaded and nothing is opened: a contact sheet, the cut-out mask and the scores are written.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ..cli.progress_bars import training_bar
from ..files.whole_file import ready_folder, write_output
from ..hosts.base import Host
from ..masks.methods import semantic_mask
from ..masks.preview import mask_overlay
from ..messages import SealError
from ..method.config import TrainConfig
from ..method.fitting import fit_references
from ..method.references import Reference
from ..method.training import TrainResult, train
from ..pictures.picture_file import read_picture
from ..plots.attention_overlay import attention_overlay
from ..prompts.attribute_prompt import attribute_prompt
from ..prompts.attributes import parse_attributes
from ..stickers.contact_sheet import contact_sheet
from ..world.evaluation.methods import NAME, method
from ..world.judges.model import Judges
from ..world.renderer.characters import SPECIES
from ..world.renderer.contexts import PLAIN, VALUES
from .examples import EXAMPLES, example
from .model import host, load_model
from .pictures import pictures

METHODS = ("textual_inversion", "best")
VARIED: Mapping[str, tuple[str, ...]] = {
    "emotion": ("angry", "in love"),
    "action": ("jumping", "sitting"),
    "camera": ("close-up", "upper body"),
    "style": ("pixel art", "comic book"),
    "background": ("night city", "snowy"),
}
"""What is asked for, one attribute at a time: the first value, or the second where the reference has the first."""
WORN = "wearing a red scarf"
SAMPLES = 4
"""Pictures of each prompt that are scored; the sheet shows the first."""
CELL = 176


@dataclass(frozen=True)
class Subject:
    """The sticker to learn: picture and mask at the model's size, class word, and what is known of its context."""

    reference: Reference
    class_word: str
    known: Mapping[str, str]
    source: str


@dataclass(frozen=True)
class Ask:
    """One column of the sheet: its label, what the prompt says beside the concept, and what is judged."""

    label: str
    values: Mapping[str, str]
    vary: str = ""


def asks(known: Mapping[str, str]) -> list[Ask]:
    """The columns: nothing said, then each of the six attributes varied."""
    columns = [Ask("as it is", {})]
    columns.append(Ask(WORN, {"appearance": WORN}))
    for name, values in VARIED.items():
        value = next(v for v in values if v != known.get(name))
        also = {"camera": "full body"} if name == "action" else {}
        columns.append(Ask(value, {name: value} | also, name))
    return columns


def demo_command(options: argparse.Namespace) -> None:
    """Train both methods, write the sheet and the scores, print where. Raises SealError."""
    started = time.perf_counter()
    if options.steps < 0:
        raise SealError(f"steps: {options.steps} is out of range; use 1 or more, 0 = the presets'.")
    model, judges = host(load_model()), Judges.load()
    subject = _subject(options, judges, model.resolution)
    out = ready_folder(options.out, "out")
    columns = asks(subject.known)
    results: dict[str, TrainResult] = {}
    shown: dict[str, Tensor] = {}
    scores: dict[str, dict[str, Any]] = {}
    for name in METHODS:
        config = (
            method(name)
            .limited(options.steps)
            .for_reference(subject.class_word, subject.known, model.resolution, options.seed)
        )
        results[name] = _train(model, subject.reference, config, method(name).label)
        if described := results[name].report["described"]:
            print(f'{method(name).label} starts as "{described["text"]}"')
        prompts = [attribute_prompt(NAME, **ask.values).prompt for ask in columns]
        shown[name] = pictures(model, results[name].concept, prompts, SAMPLES, seed=options.seed)
        scores[name] = scored(judges, subject, columns, shown[name])
    sheet = _sheet(subject, columns, results, shown, scores)
    seconds = time.perf_counter() - started
    path = out / "contact-sheet.png"
    write_output(path, _png(sheet))
    report = {
        "reference": subject.source,
        "class_word": subject.class_word,
        "known": dict(subject.known),
        "scores": scores,
        "seconds": round(seconds, 1),
    }
    write_output(out / "scores.json", json.dumps(report, indent=2).encode())
    for name, found in scores.items():
        print(f"{method(name).label}: {_in_words(found)}")
    print(f"{path} ({seconds:.0f} s)")


# -- the sticker -----------------------------------------------------------------------------------


def _subject(options: argparse.Namespace, judges: Judges, side: int) -> Subject:
    known = parse_attributes(options.attributes)
    if options.image is None:
        name = options.example or next(iter(EXAMPLES))
        sticker = example(name)
        image, mask = (torch.from_numpy(np.asarray(a, np.float32) / 255) for a in (sticker.image, sticker.mask))
        [reference], _ = fit_references(image[None], mask[None], side, "foreground")
        word = options.class_word or sticker.character.species
        return Subject(reference, word, {**sticker.context.asdict(), **known}, name)
    image = read_picture(options.image, "image")
    mask = semantic_mask(image)[0]
    [reference], _ = fit_references(image[None], mask[None], side, "foreground")
    word = options.class_word
    if not word:
        chances = judges.classify(reference.image[None])["species"][0]
        word = SPECIES[int(chances.argmax())]
        print(f"class word: {word} (guessed, {float(chances.max()):.0%}; set --class-word to say better)")
    return Subject(reference, word, known, str(options.image))


# -- training and scores ---------------------------------------------------------------------------


def _train(model: Host, reference: Reference, config: TrainConfig, label: str) -> TrainResult:
    with tqdm(total=config.steps, desc=label, unit="step", dynamic_ncols=True, leave=False) as bar:
        return train(model, [reference], config, training_bar(bar))


def scored(judges: Judges, subject: Subject, columns: Sequence[Ask], images: Tensor) -> dict[str, Any]:
    """What the judges say of the pictures (len(columns) * SAMPLES, H, W, 3).

    obeyed: share of the varied attributes that came out as asked. likeness: mean similarity to the reference, -1..1.
    leaked: share of pictures with the reference's own ground where none was asked for; None where that ground is plain
    or not known.
    """
    found = judges.classify(images)
    rows = [i // SAMPLES for i in range(len(images))]
    right = [
        VALUES[columns[r].vary][int(found[columns[r].vary][i].argmax())] == columns[r].values[columns[r].vary]
        for i, r in enumerate(rows)
        if columns[r].vary
    ]
    target = judges.identity(subject.reference.image[None])
    ground = subject.known.get("background", "")
    leaked = None
    if ground in VALUES["background"] and ground not in PLAIN:
        free = [i for i, r in enumerate(rows) if "background" not in columns[r].values]
        names = [VALUES["background"][int(found["background"][i].argmax())] for i in free]
        leaked = round(names.count(ground) / len(names), 3)
    return {
        "obeyed": round(sum(right) / len(right), 3),
        "likeness": round(float((judges.identity(images) @ target.T).mean()), 3),
        "leaked": leaked,
    }


def _in_words(score: Mapping[str, Any]) -> str:
    words = f"obeys {score['obeyed']:.0%}, likeness {score['likeness']:.2f}"
    return words if score["leaked"] is None else f"{words}, leaks {score['leaked']:.0%}"


# -- the sheet -------------------------------------------------------------------------------------


def _sheet(
    subject: Subject,
    columns: Sequence[Ask],
    results: Mapping[str, TrainResult],
    shown: Mapping[str, Tensor],
    scores: Mapping[str, Mapping[str, Any]],
) -> Tensor:
    """(1, H, W, 3): the reference and where each method looks at it, above the pictures of both."""
    image, mask = subject.reference.image, subject.reference.mask
    looks, names = [image, mask_overlay(image, mask)], ["the one sticker", "its mask"]
    before = results[METHODS[0]].attention_before
    looks.append(attention_overlay(image, before, mask))
    names.append("attention before")
    for name in METHODS:
        looks.append(attention_overlay(image, results[name].attention_after, mask))
        names.append(f"after {method(name).label}")
    top = contact_sheet(looks, names, columns=len(looks), cell=CELL, ground="white", title=f"SEAL: {subject.source}")
    rows = [shown[name][k * SAMPLES] for name in METHODS for k in range(len(columns))]
    labels = [f"{method(name).label}, {ask.label}" for name in METHODS for ask in columns]
    words = "  |  ".join(f"{method(name).label}: {_in_words(scores[name])}" for name in METHODS)
    bottom = contact_sheet(rows, labels, cell=CELL, ground="white", title=words)
    width = max(top.shape[2], bottom.shape[2])
    return torch.cat([_wide(top, width), _wide(bottom, width)], dim=1)


def _wide(sheet: Tensor, width: int) -> Tensor:
    """Padded on the right with its corner's colour."""
    missing = width - sheet.shape[2]
    return torch.cat([sheet, sheet[:, :1, :1].expand(1, sheet.shape[1], missing, 3)], dim=2)


def _png(sheet: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray((sheet[0].clamp(0, 1) * 255).round().byte().numpy()).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
