"""An evaluation's trials: which are done, which are missing, and where their files lie (ours).

Each (character, method) is a trial with its own file in OUT/concepts, written whole or not at all. Its name holds a
hash of all that the trial depends on, so a rerun resumes, other settings make other files, and nothing is lost.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tqdm import tqdm

from ...files.whole_file import write_output
from ...messages import SealError
from ...pictures.png import png_bytes
from ...workers.engine import HERE, Engine
from ...workers.worker_job import Failure, WorkerJob
from .character_plan import plan_character
from .compared_methods import Method, method
from .metrics import Trials
from .trial import Setup, run_trial
from .trial_kit import TrialKit, TrialKitPaths


@dataclass(frozen=True)
class Task:
    """One trial to do, and the stem of its files."""

    method: Method
    seed: int
    stem: str


@dataclass
class Evaluation:
    """One evaluation: its characters, how pictures are made, and the folder of the results."""

    out: Path
    seeds: Sequence[int]
    setup: Setup
    source: TrialKitPaths
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        plan_character(self.seeds[0], self.setup.prompts, self.setup.samples)  # raises for bad settings
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
        """Stem of the finished trial's files, which may bear another name of the same method."""
        own = self.file(task)
        if not own.exists():
            key = task.stem.rpartition(".")[2]
            for other in sorted((self.out / "concepts").glob(f"{task.seed}.*.{key}.json")):
                return other.name.removesuffix(".json")
        return task.stem

    def load(self, task: Task) -> dict[str, Any] | None:
        """A finished trial, or None; a damaged file leaves a note."""
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
            self.notes.append(f"{path.name} was damaged; this trial ran again.")
            return None
        return found

    def save(self, task: Task, trial: Mapping[str, Any], strip: Any) -> None:
        write_output(self.out / "images" / f"{task.stem}.png", png_bytes(Image.fromarray(strip)))
        write_output(self.file(task), json.dumps(trial, sort_keys=True).encode())  # last: it marks the trial complete

    def finish(self, methods: Sequence[Method], engine: Engine = HERE, quiet: bool = False) -> Trials:
        """Run the missing trials and return all. A trial that fails leaves a note."""
        tasks = [self.task(m, seed) for seed in self.seeds for m in methods]
        found = {task: self.load(task) for task in tasks}
        same = {(t.seed, t.stem.rpartition(".")[2]): t for t in reversed(tasks) if found[t] is None}
        missing = [t for t in tasks if t in same.values()]  # two names of one training are one trial
        results = engine.results(TrialJob(self.source, self.setup), missing)
        with tqdm(total=len(missing), unit="trial", disable=quiet) as bar, closing(results):
            for task, result in results:
                bar.set_postfix_str(f"{task.method.name} {task.seed}")
                bar.update()
                if isinstance(result, Failure):
                    self.notes.append(f"{task.method.name}, character {task.seed}: failed: {result.reason}")
                    print(result.trace, end="", file=sys.stderr)
                    continue
                self.save(task, *result)
                found[task] = json.loads(json.dumps(result[0]))
        trials: dict[str, dict[int, dict[str, Any]]] = {m.name: {} for m in methods}
        for task in tasks:
            trial = found[task] or found.get(same.get((task.seed, task.stem.rpartition(".")[2]), task))
            if trial is not None:
                trials[task.method.name][task.seed] = trial
        return trials

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


class TrialJob(WorkerJob):
    """A worker of an evaluation: model and judges loaded once, then a trial a task."""

    def __init__(self, source: TrialKitPaths, setup: Setup) -> None:
        self._source, self._setup = source, setup

    def prepare(self, number: int) -> TrialKit:
        torch.set_num_threads(1)  # so the numbers do not depend on how many trials run side by side
        return self._source.kit()

    def work(self, state: TrialKit, task: Task) -> Any:
        return run_trial(state, task.method, task.seed, self._setup)
