"""What `python -m seal_core batch` does: a folder of pictures into a concept each, and an index of them.

Its options are in `seal_core.cli.batch_options`. Nothing is kept but the results: a rerun finds what is done by it.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path

from ..batch.batch_index import FAILED, BatchIndex, IndexRow
from ..batch.concept_store import ConceptStore
from ..batch.drawn_store import with_drawn
from ..batch.folder_pictures import FolderPicture, folder_pictures
from ..batch.index_page import to_check
from ..batch.model_files import model_files_digest
from ..batch.status_line import StatusLine
from ..demo.model_file import MODEL_FILE
from ..files.whole_file import ready_folder, write_output
from ..messages import SealError
from ..pictures.picture_file import open_picture
from ..stickers.platforms import platform_of
from ..workers.engine import Engine
from ..workers.worker_job import Failure
from .batch_drawing import DrawnPrompts
from .batch_job import BatchJob, PictureTask, SameDisk
from .included import take_tuned, usual_guidance
from .train_options import train_config

MARK = ".batch.seen"
"""Hidden file in the results' folder, by which workers know whether they see the same disk."""
FORMAT = 1
"""Of a batch's files; raise it to learn everything again."""
NO_CLASS = (
    "class_word: nothing says what this picture shows; give --class-word, put it into a folder that is called so, or "
    "add a row for it to the file of tags."
)


def run(options: Namespace) -> None:
    """Learn what is not learned yet, and write the index. Raises SealError, at the end for pictures that failed."""
    _require(options)
    out = Path(options.out)
    options.folder = options.folder.resolve()  # workers have a current folder of their own
    options.model = options.model and options.model.resolve()
    pictures = folder_pictures(options.folder, options.tags, options.class_word, without=out)
    if options.check:
        _check(options.folder, pictures)
        return
    if options.model is None:
        take_tuned(options)
    if options.cfg is None:
        options.cfg = usual_guidance(options)
    drawing = _drawing(options)
    options.prompts = options.training_prompts  # as a training calls its own
    train_config(_of_one(options, "sticker", "sticker", {}), None)  # what is wrong with every picture is told at once
    out = ready_folder(out, "out")
    index = BatchIndex(out, f"{options.folder.name}: concepts", [one.shown for one in pictures])
    tasks = _tasks(options, pictures, out, drawing, index)
    before = len(pictures) - len(tasks)
    try:
        seconds = _work(options, out, drawing, tasks, index)
    finally:
        page = index.write()
    _tell(index.rows(), before, seconds, page)


def _require(options: Namespace) -> None:
    for name, low in (("jobs", 0), ("together", 1), ("threads", 1), ("sampling_steps", 1)):
        if getattr(options, name) < low:
            raise SealError(f"{name}: {getattr(options, name)} is too few; use {low} or more.")
    if options.pack and not options.prompts:
        raise SealError("pack: nothing is drawn that could be packed; give --prompts FILE too.")


def _drawing(options: Namespace) -> DrawnPrompts | None:
    """What is drawn with each concept, if anything. Raises SealError, naming `prompts` or `pack`."""
    if options.prompts is None:
        return None
    try:
        lines = [line.strip() for line in options.prompts.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise SealError(f"prompts: {options.prompts} cannot be read ({error}); give a text file.") from None
    prompts = tuple(line for line in lines if line)
    if not prompts:
        raise SealError(f"prompts: {options.prompts} is empty; write a prompt a line, such as: a sad {{}}")
    for place, line in enumerate(lines, 1):
        if line and line.count("{}") != 1:
            raise SealError(f"prompts: line {place}: {line[:60]!r} must have one {{}}, where the concept stands.")
    if options.pack:
        row = platform_of(options.pack)
        counts = row.allowed_counts(False)
        if len(prompts) not in counts:
            takes = f"{counts[0]} to {counts[-1]}" if isinstance(counts, range) else ", ".join(map(str, counts))
            raise SealError(f"prompts: {len(prompts)} for a pack; {row.label} takes {takes} stickers.")
    if not math.isfinite(options.cfg):
        raise SealError(f"cfg: {options.cfg} is no number; use one such as 7.")
    return DrawnPrompts(
        prompts,
        options.negative,
        options.sampling_steps,
        options.cfg,
        options.seed,
        options.pack or "",
        options.author,
        tuple(options.emoji),
    )


# -- what there is to do ---------------------------------------------------------------------------


def _of_one(options: Namespace, name: str, class_word: str, attributes: dict[str, str]) -> Namespace:
    own = {"name": name, "class_word": class_word, "concept": "", "attributes": json.dumps(attributes)}
    return Namespace(**{**vars(options), **own})


def _tasks(
    options: Namespace, pictures: Sequence[FolderPicture], out: Path, drawing: DrawnPrompts | None, index: BatchIndex
) -> list[PictureTask]:
    """What is not done yet. What is, and what cannot be, goes into the index."""
    model = model_files_digest(options.model or MODEL_FILE)
    store = ConceptStore(out)
    tasks = []
    for one in pictures:
        try:
            task = _task(options, one, model, drawing, store)
        except SealError as error:
            index.add(_failed(one, str(error)))
            continue
        done = task.row
        if done is not None and drawing is not None:
            done = with_drawn(out, done, task.drawn_key)
        if done is None:
            tasks.append(task)
        else:
            index.add(IndexRow(**{**vars(done), "picture": one.shown}))
    return tasks


def _task(
    options: Namespace, one: FolderPicture, model: str, drawing: DrawnPrompts | None, store: ConceptStore
) -> PictureTask:
    if one.problem:
        raise SealError(one.problem)
    if not one.class_word:
        raise SealError(NO_CLASS)
    config = train_config(_of_one(options, one.name, one.class_word, dict(one.attributes)), None)
    contents = [_digest(one.image, "image"), _digest(one.mask, "mask") if one.mask else options.mask_polarity]
    key = config.hash(str(FORMAT), model, options.dtype, *contents)
    drawn = hashlib.sha256(json.dumps([key, asdict(drawing)] if drawing else [key]).encode()).hexdigest()[:16]
    return PictureTask(one, config, key, drawn, store.row(key))


def _digest(path: Path, what: str) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SealError(f"{what}: {path} cannot be read ({error.strerror or error}); allow reading it.") from None


def _failed(one: FolderPicture, error: str) -> IndexRow:
    attributes = dict(one.attributes)
    return IndexRow(one.shown, one.name, FAILED, class_word=one.class_word, attributes=attributes, error=error)


# -- doing it --------------------------------------------------------------------------------------


def _work(
    options: Namespace, out: Path, drawing: DrawnPrompts | None, tasks: Sequence[PictureTask], index: BatchIndex
) -> Counter[str]:
    """Do the tasks; returns seconds by kind of work, and how often there was some."""
    seconds: Counter[str] = Counter()
    mark, word = out.resolve() / MARK, secrets.token_hex(8)
    write_output(mark, word.encode())
    job = BatchJob(
        options, out.resolve(), drawing, SameDisk(mark, word, tuple(task.picture.image for task in tasks[:1]))
    )
    engine = Engine(options.jobs if options.ray else max(1, options.jobs), options.ray)
    try:
        with StatusLine(len(tasks), "pictures") as line, closing(engine.results(job, tasks)) as results:
            for task, result in results:
                if isinstance(result, Failure):
                    index.add(_failed(task.picture, result.reason))
                    line.note(f"{task.picture.shown}: {result.reason}")
                    if result.trace:
                        line.note(result.trace)
                else:
                    row, took = result
                    index.add(row)
                    for kind, value in took.items():
                        seconds[kind] += value
                        seconds[f"{kind} times"] += 1
                line.step(isinstance(result, Failure))
    finally:
        with suppress(OSError):
            mark.unlink()
    return seconds


def _tell(rows: Sequence[IndexRow], before: int, seconds: Counter[str], page: Path) -> None:
    failed = [row for row in rows if row.state == FAILED]
    look = sum(to_check(asdict(row)) for row in rows)
    told = [f"{len(rows) - len(failed)} of {len(rows)} pictures learned"]
    told += [f"{before} of them before"] if before else []
    told += [f"{look} masks to check"] if look else []
    print(", ".join(told) + f": {page}")
    kinds = [kind for kind in ("load", "look", "learn", "draw", "write") if seconds[f"{kind} times"]]
    if kinds:
        mean = [f"{kind} {seconds[kind] / seconds[f'{kind} times']:.2f} s" for kind in kinds]
        print(f"on average: {', '.join(mean)}")
    if failed:
        raise SealError(f"folder: {len(failed)} of {len(rows)} pictures could not be learned; {page} says why.")


# -- looking only ----------------------------------------------------------------------------------


def _check(folder: Path, pictures: Sequence[FolderPicture]) -> None:
    """Print what cannot be used, a line each. Raises SealError where there is something."""
    problems = 0
    for one in pictures:
        problem = one.problem or _problem(one)
        if problem:
            problems += 1
            print(problem if one.problem.startswith(one.shown) else f"{one.shown}: {problem}")
    if problems:
        raise SealError(f"folder: {problems} of {len(pictures)} pictures in {folder} cannot be used, as listed.")
    print(f"{len(pictures)} pictures can be used")


def _problem(one: FolderPicture) -> str:
    if not one.class_word:
        return NO_CLASS
    try:
        for path, what in ((one.image, "image"), (one.mask, "mask")):
            if path is not None:
                with open_picture(path, what):
                    pass
    except SealError as error:
        return str(error)
    return ""
