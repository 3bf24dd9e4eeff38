"""What a worker of a batch does: learns one picture, draws with the concept, and writes both."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..batch.batch_index import IndexRow, about_mask
from ..batch.concept_store import EMBEDDING, FOUND_MASK, PREVIEW, store_concept, stored_row
from ..batch.drawn_store import store_drawn, with_drawn
from ..batch.folder_pictures import FolderPicture
from ..batch.preview_sheet import preview_sheet
from ..concept.concept import Concept
from ..concept.concept_file import concept_bytes, load_concept
from ..concept.lora_file import LORA, lora_bytes
from ..messages import SealError, collected_notices
from ..method.config import TrainConfig
from ..method.configure import changed
from ..method.fit_references import ON_WHITE
from ..method.passes import Passes
from ..method.references import digest
from ..method.results import TrainResult
from ..method.side_by_side import side_by_side
from ..method.training import train
from ..pictures.picture_file import read_mask, read_picture
from ..pictures.png import png_bytes
from ..plots.training_figures import before_after
from ..workers.worker_job import WorkerJob, attempted
from .batch_drawing import DrawnPrompts, drawn_files, packed_files
from .model_and_concept import memory_errors_of_device, open_model
from .picture_references import FoundReferences, find_references

if TYPE_CHECKING:
    from ..hosts.diffusers.host import DiffusersHost


@dataclass(frozen=True)
class PictureTask:
    """One picture to learn, and to draw with.

    key, drawn_key: of what the concept, and the pictures drawn with it, are made. row: where it was learned before.
    contents: the files "image", "mask" and "concept" where the worker cannot read them.
    """

    picture: FolderPicture
    config: TrainConfig
    key: str
    drawn_key: str
    row: IndexRow | None = None
    contents: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Learned:
    """A concept before it is written: its report, and suffix -> content of its files."""

    concept: Concept
    report: Mapping[str, Any]
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Drawn:
    """Pictures and pack before they are written, by name."""

    files: Mapping[str, bytes]
    pack: tuple[str, Mapping[str, bytes]] | None
    warnings: list[str]


@dataclass(frozen=True)
class Parcel:
    """What a far worker sends back."""

    learned: Learned | None
    drawn: Drawn | None
    seconds: Mapping[str, float]


@dataclass
class Worker:
    """A loaded model. seconds: what loading took, until the first result tells it. passes: see `train`."""

    host: DiffusersHost
    fingerprint: str
    far: bool
    seconds: dict[str, float]
    passes: Passes | None = None


@dataclass(frozen=True)
class SameDisk:
    """How a worker knows whether it has the same disk: it reads `word` in the file `mark`, and sees `pictures`."""

    mark: Path
    word: str
    pictures: tuple[Path, ...]

    def __bool__(self) -> bool:
        try:
            return self.mark.read_text() == self.word and all(path.exists() for path in self.pictures)
        except OSError:
            return False


class BatchJob(WorkerJob):
    """options: the command's. disk: asked where the worker runs."""

    def __init__(self, options: Namespace, out: Path, drawing: DrawnPrompts | None, disk: SameDisk) -> None:
        self.options, self.out, self.drawing, self.disk = options, out, drawing, disk
        self.together = options.together

    def prepare(self, number: int) -> Worker:
        started = time.perf_counter()
        torch.set_num_threads(self.options.threads)
        options = Namespace(**vars(self.options))
        cards = torch.cuda.device_count() if options.device in (None, "cuda") and options.model is not None else 0
        if cards > 1:
            options.device = f"cuda:{number % cards}"
        host = open_model(options)
        return Worker(host, host.fingerprint(), not self.disk, {"load": time.perf_counter() - started})

    def is_far(self, state: Worker) -> bool:
        return state.far

    def sent(self, task: PictureTask) -> PictureTask:
        files = {"image": task.picture.image, "mask": task.picture.mask}
        if task.row is not None:
            files = {"concept": self.out / task.row.file}
        try:
            return replace(task, contents={what: path.read_bytes() for what, path in files.items() if path})
        except OSError:  # it has gone: the worker says so
            return task

    def work_together(self, state: Worker, tasks: Sequence[PictureTask]) -> list[Any]:
        """As `work` for each; their trainings share the model's passes."""
        if len(tasks) == 1:
            return super().work_together(state, tasks)

        def work_on(place: int) -> Callable[[Passes], Any]:
            told = state.seconds if place == 0 else {}
            return lambda passes: attempted(self, replace(state, seconds=told, passes=passes), tasks[place])

        results = side_by_side(state.host, [work_on(place) for place in range(len(tasks))])
        state.seconds = {}
        return results

    def work(self, state: Worker, task: PictureTask) -> tuple[IndexRow, Mapping[str, float]] | Parcel:
        """(row, seconds by kind of work); from a far worker a `Parcel` of both. Raises SealError."""
        seconds = dict(state.seconds)
        with memory_errors_of_device(), TemporaryDirectory() as spare:
            task = _unpacked(task, Path(spare))
            row = task.row
            if row is None and not state.far:
                row = stored_row(self.out, task.picture.name, task.key)
            learned = drawn = None
            if row is None:
                with _files_as_listed(task):
                    learned = self._learn(state, task, seconds)
                if not state.far:
                    row = self._store(task, learned, seconds)
            if self.drawing is not None:
                concept = learned.concept if learned is not None else self._known(task, row)
                drawn = self._draw(state, concept, seconds)
            state.seconds = {}
            if state.far:
                return Parcel(learned, drawn, seconds)
            assert row is not None
            return self._finished(task, row, drawn, seconds)

    def received(self, task: PictureTask, result: Parcel) -> tuple[IndexRow, Mapping[str, float]]:
        seconds = dict(result.seconds)
        row = task.row
        if result.learned is not None:
            row = self._store(task, result.learned, seconds)
        assert row is not None
        return self._finished(task, row, result.drawn, seconds)

    # -- learning ----------------------------------------------------------------------------------

    def _learn(self, state: Worker, task: PictureTask, seconds: dict[str, float]) -> Learned:
        started, config, host = time.perf_counter(), task.config, state.host
        config = config if config.resolution else replace(config, resolution=host.resolution)
        image = read_picture(task.picture.image, "image")
        if image.shape[-1] == 4 and not bool((image[..., 3] > 1 / 255).any()):
            raise SealError("image: fully transparent, so it shows nothing; export it again with its colours.")
        masks = [read_mask(task.picture.mask, "mask")] if task.picture.mask else []
        with collected_notices() as notices:
            found = find_references(host, [image], masks, self.options.mask_polarity, config)
            looked = time.perf_counter()
            result = train(host, found.references, config, passes=state.passes)
        trained = time.perf_counter()
        share = state.passes.shared_by if state.passes else 1
        seconds["look"], seconds["learn"] = looked - started, (trained - looked) / share
        key = config.hash(state.fingerprint, digest(image, *(r.mask for r in found.references)), "")
        concept = replace(result.concept, provenance={**result.concept.provenance, "hash": key})
        mask = about_mask(found.subjects[0] if found.subjects else None)
        told = {ON_WHITE, *(f"image: {doubt}." for doubt in mask["doubts"])}  # what is usual, and told of the mask
        report = {
            **result.report,
            "device": host.device.type,
            "preset": self.options.preset,
            "changed": changed(self.options.preset, config),
            "warnings": [w for w in (*found.notices, *notices, *result.report["warnings"]) if w not in told],
            "batch": {"key": task.key, "picture": task.picture.shown, "mask": mask},
        }
        files = {EMBEDDING: concept_bytes(concept), PREVIEW: _sheet(image, found, result)}
        if found.subjects:
            files[FOUND_MASK] = png_bytes(found.masks[0])
        if concept.weights:
            files[LORA] = lora_bytes(concept)
        seconds["write"] = time.perf_counter() - trained
        return Learned(concept, report, files)

    def _store(self, task: PictureTask, learned: Learned, seconds: dict[str, float]) -> IndexRow:
        started = time.perf_counter()
        row = store_concept(self.out, task.picture.name, learned.report, learned.files)
        seconds["write"] = seconds.get("write", 0.0) + time.perf_counter() - started
        return row

    # -- drawing -----------------------------------------------------------------------------------

    def _known(self, task: PictureTask, row: IndexRow | None) -> Concept:
        path = task.contents.get("concept path")  # set by _unpacked
        assert row is not None
        return load_concept(Path(path.decode()) if path else self.out / row.file)

    def _draw(self, state: Worker, concept: Concept, seconds: dict[str, float]) -> Drawn:
        started, warnings = time.perf_counter(), list[str]()
        assert self.drawing is not None
        pictures = drawn_files(state.host, concept, self.drawing)
        pack = None
        if self.drawing.platform:
            pack = packed_files(pictures, self.drawing, concept.name.strip("<>"), warnings)
        seconds["draw"] = time.perf_counter() - started
        return Drawn({name: png_bytes(picture) for name, picture in pictures.items()}, pack, warnings)

    def _finished(
        self, task: PictureTask, row: IndexRow, drawn: Drawn | None, seconds: Mapping[str, float]
    ) -> tuple[IndexRow, Mapping[str, float]]:
        if drawn is not None:
            known = with_drawn(self.out, row, task.drawn_key)
            row = known or store_drawn(self.out, row, task.drawn_key, drawn.files, drawn.pack, drawn.warnings)
        return replace(row, picture=task.picture.shown), seconds


@contextmanager
def _files_as_listed(task: PictureTask) -> Iterator[None]:
    """Errors name the files as the index does, wherever they lie."""
    try:
        yield
    except SealError as error:
        words, shown = str(error), task.picture.shown
        for path, name in ((task.picture.mask, "its mask"), (task.picture.image, shown)):
            words = words.replace(str(path), name) if path else words
        raise SealError(words) from None


def _unpacked(task: PictureTask, spare: Path) -> PictureTask:
    """The task with the files that came with it."""
    where, paths = {}, {}
    for what, content in task.contents.items():
        name = {"image": task.picture.image.name, "mask": "given.mask.png", "concept": f"known{EMBEDDING}"}[what]
        (spare / name).write_bytes(content)
        paths[what] = spare / name
        where[f"{what} path"] = str(spare / name).encode()
    picture = replace(task.picture, **{what: paths[what] for what in ("image", "mask") if what in paths})
    return replace(task, picture=picture, contents=where)


def _sheet(image: Tensor, found: FoundReferences, result: TrainResult) -> bytes:
    reference = found.references[0]
    maps = result.attention_before, result.attention_after
    attention = before_after(reference.image, *maps, reference.mask, result.report["restored"])
    if found.subjects:
        return preview_sheet(image, found.masks[0], found.subjects[0].other, attention)
    return preview_sheet(reference.image, reference.mask, None, attention)  # a given mask may be the wrong way round
