"""`python -m seal_core.world eval`: how each method does on unseen characters (ours).

Finished trials stay on disk (`trial_store`); every run ends by rebuilding table, figures and results.json from them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ... import __version__
from ...demo.model_file import MODEL_FILE
from ...messages import SealError
from ...workers.engine import HERE, Engine
from ..judges.judge_networks import JUDGES_FILE
from .character_plan import NEUTRAL, characters
from .compared_methods import Method
from .evaluation_report import write_report
from .method_groups import GROUPS, parse_methods
from .trial import Setup
from .trial_kit import TrialKitPaths
from .trial_store import Evaluation


def evaluate(
    evaluation: Evaluation,
    methods: Sequence[Method],
    config: Mapping[str, Any],
    engine: Engine = HERE,
    steps: int = 0,
) -> dict[str, Any]:
    """Finish all trials, then write results.json, report.md and the figures. Returns the results."""
    methods = list(methods)
    methods += evaluation.others(methods, steps)
    trials = evaluation.finish(methods, engine)
    complete = [m for m in methods if len(trials[m.name]) == len(evaluation.seeds)]
    for m in methods:
        if m not in complete:
            evaluation.notes.append(f"{m.name}: left out of the table, since a character is missing.")
    kept = {m.name: trials[m.name] for m in complete}

    def strip(m: Method, seed: int) -> Path:
        return evaluation.picture(evaluation.task(m, seed))

    results = write_report(evaluation.out, evaluation.seeds, complete, kept, config, strip, evaluation.notes)
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
    add("--ray", default="", metavar="ADDRESS", help="a Ray cluster with --jobs workers; local = on this machine alone")
    add("--device", default="cpu", help="cpu or cuda (default cpu)")
    add("--float32", action="store_true", help="the U-Net in float32 (default bfloat16: half the time)")
    add("--model", type=Path, default=MODEL_FILE, metavar="FILE", help="tiny model (default: the shipped one)")
    add("--judges", type=Path, default=JUDGES_FILE, metavar="FILE", help="judges (default: the shipped ones)")


def run(options: argparse.Namespace) -> None:
    """Run the command. Raises SealError for bad input, where possible before training anything."""
    for name, low in (("steps", 0), ("sampling_steps", 1), ("jobs", 1)):
        if getattr(options, name) < low:
            raise SealError(f"{name.replace('_', '-')}: {getattr(options, name)} is too few; use {low} or more.")
    methods = [m.limited(options.steps) for m in parse_methods(options.methods)]
    seeds = characters(options.split, options.concepts, options.seed_offset)
    setup = Setup(options.prompts, options.samples, options.sampling_steps, options.cfg)
    source = TrialKitPaths(options.model, options.judges, options.device, not options.float32)
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
    engine = Engine(options.jobs, options.ray)
    results = evaluate(evaluation, methods, config, engine, options.steps)
    for note in evaluation.notes:
        print(f"note: {note}")
    print(f"{len(results['methods'])} methods on {len(seeds)} characters: {options.out / 'report.md'}")
