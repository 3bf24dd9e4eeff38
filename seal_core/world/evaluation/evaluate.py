"""`python -m seal_core.world eval`: what every method does for unseen characters (ours).

Each (character, method) is a trial with a file of its own under OUT/concepts, written whole or not at all. The file's
name holds a hash of all that the trial depends on, so a rerun continues, other settings make other files, and nothing
that was finished is lost. Table, figures and results.json are made anew from the files at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tqdm import tqdm

from ... import __version__
from ...demo.model_file import MODEL_FILE
from ...files.whole_file import write_output
from ...messages import SealError
from ..files import JUDGES_FILE
from ..renderer.characters import character
from .methods import GROUPS, Method, expand, method
from .plan import NEUTRAL, characters, make_plan
from .trial import FORMAT, Kit, Setup, run_trial

Trials = dict[str, dict[int, dict[str, Any]]]
"""Method -> seed -> trial."""


@dataclass(frozen=True)
class Source:
    """Where trials get model, judges and renderer from. Goes to worker processes, so it holds paths only."""

    model: Path = MODEL_FILE
    judges: Path = JUDGES_FILE
    device: str = "cpu"
    quick: bool = True

    def kit(self) -> Kit:
        from ...demo.model import host, load_model
        from ..judges.model import Judges
        from ..renderer.render import render

        try:
            device = torch.device(self.device)
            judges, model = Judges.load(self.judges, device), load_model(self.model, device)
        except (RuntimeError, AssertionError) as error:
            raise SealError(f"device: {self.device!r} cannot be used ({error}); use cpu or cuda.") from None
        return Kit(host(model, self.quick), judges, render)

    def cards(self) -> dict[str, Any]:
        """What the files say of the model and of the judges: how they were trained, and what they score."""
        from ...demo.model_file import read_model
        from ..judges.model import Judges

        return {"model": read_model(self.model).card, "judges": Judges.load(self.judges).card.get("figures", {})}

    def digest(self) -> str:
        """Of everything that a trial depends on besides its method: weights, judges, the renderer's pixels."""
        from ..renderer.render import render

        total = hashlib.sha256(f"{FORMAT} {self.quick}".encode())
        for what, path in (("model", self.model), ("judges", self.judges)):
            try:
                total.update(Path(path).read_bytes())
            except OSError as error:
                remedy = f"`python -m seal_core.world {'train' if what == 'model' else 'judges'}` makes one"
                raise SealError(f"{what}: {path} cannot be read ({error.strerror or error}); {remedy}.") from None
        for seed in (1, 2, 3):
            total.update(render(character(seed), make_plan(seed).reference, seed=seed).image.tobytes())
        return total.hexdigest()[:16]


@dataclass(frozen=True)
class Task:
    """One trial to do, and the stem of its files."""

    method: Method
    seed: int
    stem: str


@dataclass
class Evaluation:
    """One evaluation: which characters, how pictures are made, and where the results lie."""

    out: Path
    seeds: Sequence[int]
    setup: Setup
    source: Source
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        make_plan(self.seeds[0], self.setup.prompts, self.setup.samples)  # refuses what cannot be planned
        self._digest = self.source.digest()
        try:
            (self.out / "concepts").mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.out / "concepts").close()
        except OSError as error:
            raise SealError(f"out: {self.out} is no folder to write to ({error.strerror or error}).") from None

    def key(self, chosen: Method) -> str:
        text = json.dumps([self._digest, asdict(self.setup), chosen.key()])
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def task(self, chosen: Method, seed: int) -> Task:
        return Task(chosen, seed, f"{seed}.{re.sub(r'[^A-Za-z0-9._~=@-]+', '_', chosen.name)[:80]}.{self.key(chosen)}")

    def file(self, task: Task) -> Path:
        return self.out / "concepts" / f"{task.stem}.json"

    def picture(self, task: Task) -> Path:
        return self.out / "images" / f"{self.stored(task)}.png"

    def stored(self, task: Task) -> str:
        """Stem of the finished trial: the task's own, or that of the same trial under another name."""
        own = self.file(task)
        if not own.exists():
            key = task.stem.rpartition(".")[2]
            for other in sorted((self.out / "concepts").glob(f"{task.seed}.*.{key}.json")):
                return other.name.removesuffix(".json")
        return task.stem

    def load(self, task: Task) -> dict[str, Any] | None:
        """A finished trial; None where there is none, with a note where its file is damaged."""
        path = self.out / "concepts" / f"{self.stored(task)}.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            whole = found["seed"] == task.seed and isinstance(found["method"], str)
            whole = whole and len(found["samples"]) == len(found["prompts"]) * self.setup.samples
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            self.notes.append(f"{path.name} was damaged; done again.")
            return None
        return found

    def save(self, task: Task, trial: Mapping[str, Any], strip: Any) -> None:
        buffer = io.BytesIO()
        Image.fromarray(strip).save(buffer, "PNG")
        write_output(self.out / "images" / f"{task.stem}.png", buffer.getvalue())
        write_output(self.file(task), json.dumps(trial, sort_keys=True).encode())  # last: it says that all is there

    def finish(self, methods: Sequence[Method], jobs: int = 1, quiet: bool = False) -> Trials:
        """Do what is missing and return all trials. Trials that fail leave a note; the others go on."""
        tasks = [self.task(m, seed) for seed in self.seeds for m in methods]
        found = {task: self.load(task) for task in tasks}
        same = {(t.seed, t.stem.rpartition(".")[2]): t for t in reversed(tasks) if found[t] is None}
        missing = [t for t in tasks if t in same.values()]  # two names of one training are one trial
        with tqdm(total=len(missing), unit="trial", disable=quiet) as bar:
            for task, result in self._results(missing, jobs):
                bar.set_postfix_str(f"{task.method.name} {task.seed}")
                bar.update()
                if isinstance(result, SealError):
                    self.notes.append(f"{task.method.name}, character {task.seed}: failed: {result}")
                    continue
                self.save(task, *result)
                found[task] = json.loads(json.dumps(result[0]))
        trials: Trials = {m.name: {} for m in methods}
        for task in tasks:
            trial = found[task] or found.get(same.get((task.seed, task.stem.rpartition(".")[2]), task))
            if trial is not None:
                trials[task.method.name][task.seed] = trial
        return trials

    def _results(self, tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Any]]:
        if not tasks:
            return
        if jobs <= 1:
            _start(self.source)
            for task in tasks:
                yield task, _attempt(task, self.setup)
            return
        self.source.kit()  # a damaged file is told here, not by a worker that dies
        pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start, (self.source,))
        try:
            running = {pool.submit(_attempt, task, self.setup): task for task in tasks}
            for done in as_completed(running):
                yield running[done], done.result()
        except BrokenProcessPool:
            raise SealError(
                "jobs: a process ended before its time (out of memory?). What is finished is kept: run again, "
                "with fewer --jobs."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)

    def others(self, methods: Sequence[Method], steps: int) -> list[Method]:
        """Methods that earlier runs finished for all these characters with the same settings."""
        names: dict[str, None] = {}
        for path in sorted((self.out / "concepts").glob(f"{self.seeds[0]}.*.json")):
            try:
                names[json.loads(path.read_text(encoding="utf-8"))["method"]] = None
            except (OSError, ValueError, KeyError, TypeError):
                continue
        known = {m.name for m in methods}
        found = []
        for name in names:
            try:
                candidate = method(name).limited(steps)
            except SealError:
                continue
            if name not in known and all(self.load(self.task(candidate, s)) for s in self.seeds):
                found.append(candidate)
        return found


_KIT: Kit | None = None


def _start(source: Source) -> None:
    """Once in each process. One thread: trials run side by side, and give the same numbers however many do."""
    global _KIT
    torch.set_num_threads(1)
    _KIT = source.kit()


def _attempt(task: Task, setup: Setup) -> Any:
    assert _KIT is not None
    try:
        return run_trial(_KIT, task.method, task.seed, setup)
    except SealError as error:
        return error


def evaluate(
    evaluation: Evaluation, methods: Sequence[Method], config: Mapping[str, Any], jobs: int = 1, steps: int = 0
) -> dict[str, Any]:
    """Finish all trials, then write results.json, report.md and the figures; returns what results.json holds."""
    from .report import write_report

    methods = list(methods)
    methods += evaluation.others(methods, steps)
    trials = evaluation.finish(methods, jobs)
    complete = [m for m in methods if len(trials[m.name]) == len(evaluation.seeds)]
    for m in methods:
        if m not in complete:
            evaluation.notes.append(f"{m.name}: left out of the table, since a character is missing.")
    kept = {m.name: trials[m.name] for m in complete}
    results = write_report(evaluation, complete, kept, config)
    if len(complete) < len(methods):
        told = " ".join(evaluation.notes)
        raise SealError(f"methods: some trials failed; the others are in {evaluation.out}. {told}")
    return results


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="results go here; a rerun continues")
    add("--concepts", type=int, default=20, metavar="N", help="unseen characters (default 20)")
    add("--prompts", type=int, default=16, metavar="P", help="prompts a character, 8 or more (default 16)")
    add("--samples", type=int, default=2, metavar="S", help="samples a prompt (default 2)")
    names = f"methods and groups ({', '.join(GROUPS)}, all), separated by commas"
    add("--methods", default="main", help=f"{names}; best~learning_rate=0.002 changes a setting (default main)")
    add("--split", choices=("validation", "test"), default="validation", help="whose characters (default validation)")
    add("--seed-offset", type=int, default=0, metavar="K", help="fresh characters: start at the K-th of the split")
    add("--steps", type=int, default=0, metavar="K", help="training steps (default: the methods' own)")
    add("--sampling-steps", type=int, default=20, metavar="K", help="Euler steps (default 20)")
    add("--cfg", type=float, default=4.0, help="guidance scale (default 4)")
    add("--jobs", type=int, default=1, metavar="J", help="processes (default 1)")
    add("--device", default="cpu", help="cpu or cuda (default cpu)")
    add("--float32", action="store_true", help="the U-Net in float32 (default bfloat16: half the time)")
    add("--model", type=Path, default=MODEL_FILE, metavar="FILE", help="tiny model (default: the shipped one)")
    add("--judges", type=Path, default=JUDGES_FILE, metavar="FILE", help="judges (default: the shipped ones)")


def run(options: argparse.Namespace) -> None:
    """The command. Raises SealError for bad input, before anything is trained where it can."""
    for name, low in (("steps", 0), ("sampling_steps", 1), ("jobs", 1)):
        if getattr(options, name) < low:
            raise SealError(f"{name.replace('_', '-')}: {getattr(options, name)} is too few; use {low} or more.")
    methods = [m.limited(options.steps) for m in expand(options.methods)]
    seeds = characters(options.split, options.concepts, options.seed_offset)
    setup = Setup(options.prompts, options.samples, options.sampling_steps, options.cfg)
    source = Source(options.model, options.judges, options.device, not options.float32)
    evaluation = Evaluation(options.out, seeds, setup, source)
    config = {
        "version": __version__,
        "split": options.split,
        "seed_offset": options.seed_offset,
        "concepts": options.concepts,
        "device": options.device,
        "precision": "float32" if options.float32 else "bfloat16",
        "neutral": NEUTRAL.asdict(),
        **asdict(setup),
        **evaluation.source.cards(),
    }
    results = evaluate(evaluation, methods, config, options.jobs, options.steps)
    for note in evaluation.notes:
        print(f"note: {note}")
    print(f"{len(results['methods'])} methods on {len(seeds)} characters: {options.out / 'report.md'}")
