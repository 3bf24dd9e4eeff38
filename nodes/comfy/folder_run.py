"""SEALTrainFolder's run: a concept from each picture, as SEALTrainEmbedding learns them, and an index of all."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import comfy.model_management
from torch import Tensor

from ...seal_core.batch.batch_index import FAILED, BatchIndex, IndexRow, about_mask, scores_of
from ...seal_core.batch.folder_pictures import FolderPicture
from ...seal_core.batch.preview_sheet import preview_sheet
from ...seal_core.concept.concept import Embedding
from ...seal_core.files.whole_file import write_output
from ...seal_core.masks.methods import FoundSubject, semantic_mask
from ...seal_core.messages import SealError, collected_notices, log_warning
from ...seal_core.method.config import TrainConfig
from ...seal_core.method.fit_references import ON_WHITE
from ...seal_core.pictures.polarity import foreground_from_mask
from .attention_masks import attention_method
from .comfy_host import ComfyHost
from .folders import output_folder
from .node_ui import stop_on_cancel
from .training_run import Outcome, Preview, Run, train_or_reuse

BATCHES = "seal_folders"
"""Folder in ComfyUI's output folder for the indexes."""
_STOPPING = (comfy.model_management.InterruptProcessingException, comfy.model_management.OOM_EXCEPTION)
_NO_CLASS = "class_word: nothing says what this picture shows; fill in class_word, or use a folder that is called so."


@dataclass(frozen=True)
class GivenPicture:
    """One picture to learn. read: gives the picture (1, H, W, C) and its mask (H, W), or None to find it."""

    about: FolderPicture
    read: Callable[[], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True)
class FolderOutcome:
    """What the node gives back: the concepts learned, their names in prompts, the index's page, its rows."""

    embeddings: list[Embedding]
    names: list[str]
    page: Path
    rows: list[IndexRow]


def learn_folder(
    models: tuple[Any, Any, Any],
    pictures: Sequence[GivenPicture],
    configure_one: Callable[[FolderPicture], TrainConfig],
    preset: str,
    polarity: str,
    title: str,
) -> FolderOutcome:
    """Learn each picture, or reuse its file; the index is up to date after each. Cancel keeps what is finished.

    A picture that cannot be learned gets a row that says why. Raises SealError where none can.
    """
    folder = output_folder() / BATCHES / title
    index = BatchIndex(folder, f"{title}: concepts", [one.about.shown for one in pictures])
    embeddings, names = [], []
    try:
        for one in pictures:
            stop_on_cancel()
            try:
                outcome, row = _learned(models, one, configure_one, preset, polarity, folder)
            except _STOPPING:
                raise
            except SealError as error:
                index.add(_failed(one.about, str(error)))
            except Exception as error:  # one picture must not stop the others, now and at every further run
                log_warning("SEAL: %s: %s", one.about.shown, traceback.format_exc())
                index.add(_failed(one.about, f"unexpected {type(error).__name__}: {error}; see ComfyUI's log."))
            else:
                embeddings.append(outcome.embedding)
                names.append(outcome.name)
                index.add(row)
    finally:
        page = index.write()
    if not embeddings:
        rows = index.rows()
        raise SealError(f"folder: none of {len(rows)} pictures could be learned. {rows[0].picture}: {rows[0].error}")
    return FolderOutcome(embeddings, names, page, index.rows())


def _learned(
    models: tuple[Any, Any, Any],
    one: GivenPicture,
    configure_one: Callable[[FolderPicture], TrainConfig],
    preset: str,
    polarity: str,
    folder: Path,
) -> tuple[Outcome, IndexRow]:
    about = one.about
    if about.problem or not about.class_word:
        raise SealError(about.problem or _NO_CLASS)
    config = configure_one(about)
    image, mask = one.read()
    if image.shape[-1] == 4 and not bool((image[..., 3] > 1 / 255).any()):
        raise SealError("image: fully transparent, so it shows nothing; export it again with its colours.")
    found: list[FoundSubject] = []
    with collected_notices() as notices:
        if mask is None:
            attention = attention_method("auto", *models, about.class_word)
            mask, polarity = semantic_mask(image, attention=attention, look=found.append)[0], "foreground"
        run = Run(about.name, image.clone(), mask.clone(), polarity, preset, config, None, 0)
        outcome = train_or_reuse(ComfyHost(*models), run, Preview("", 0))
    subject = found[0] if found else None
    told = {ON_WHITE, *(f"image: {doubt}." for doubt in subject.doubts)} if subject else {ON_WHITE}
    stem = Path(outcome.report["file"]).stem
    preview = folder / f"{stem}.jpg"
    other = subject.other if subject else None
    shown = mask if subject else foreground_from_mask(mask, polarity)
    write_output(preview, preview_sheet(image[0], shown, other, outcome.attention_map[0]))
    row = IndexRow(
        picture=about.shown,
        name=stem,
        class_word=about.class_word,
        attributes=dict(about.attributes),
        file=_relative(outcome.report["file"], folder),
        preview=preview.name,
        scores=scores_of(outcome.report),
        mask=about_mask(subject),
        starts_as=(outcome.report.get("described") or {"text": ""})["text"],
        warnings=[w for w in dict.fromkeys((*notices, *outcome.report["warnings"])) if w not in told],
    )
    return outcome, row


def _failed(about: FolderPicture, error: str) -> IndexRow:
    return replace(
        IndexRow(about.shown, about.name, FAILED, about.class_word, error=error), attributes=dict(about.attributes)
    )


def _relative(file: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # on another disk of Windows
        return Path(file).as_uri()
