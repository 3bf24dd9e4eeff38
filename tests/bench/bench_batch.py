"""Ways to learn many characters, compared in one run: `python tests/bench/bench_batch.py [ROUNDS]`

Whole commands on 8 pictures with the included model: one process, --jobs 2, Ray with two workers, --together 8; they
take turns, and what is told are medians. On a busy machine their ratios mean little: more processes get more of it.
Then, in a process each, 8 trainings one after the other and side by side: processor seconds, peak memory, and what a
card's time goes by: passes through the model and the operators that they take, views not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]

COUNT, STEPS, POOL = 8, 8, 4
QUICK = ("--preset", "paper", "--steps", str(STEPS), "--batch-size", "1", "--class-word", "cat")
COMMANDS = {
    "one process": (),
    "--jobs 2": ("--jobs", "2"),
    "Ray, two workers": ("--ray", "local", "--jobs", "2"),
    "--together 8": ("--together", "8"),
}


# -- whole commands --------------------------------------------------------------------------------


def draw_pictures(folder: Path) -> None:
    from PIL import Image, ImageDraw

    folder.mkdir()
    for place in range(COUNT):
        image = Image.new("RGB", (128, 128), (235, 240, 250))
        ImageDraw.Draw(image).ellipse((20, 30, 70 + 5 * place, 110), fill=(220, 25 * place, 30))
        image.save(folder / f"{place}.png")


def bytes_of_group(group: int) -> int:
    """Memory of all processes of a group, shared pages counted once."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group or int(fields[3]) == group:
                lines = (entry / "smaps_rollup").read_text().splitlines()
                total += sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def run_command(pictures: Path, more: tuple[str, ...]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as out:
        started, peak = time.perf_counter(), 0
        command = [sys.executable, "-m", "seal_core", "batch", str(pictures), "--out", out, *QUICK, *more]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        work = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
        while work.poll() is None:
            peak = max(peak, bytes_of_group(work.pid))
            time.sleep(0.5)
        assert work.stdout is not None
        said = work.stdout.read()
        if work.returncode or f"{COUNT} of {COUNT} pictures learned" not in said:
            raise SystemExit(f"{more}: {said}")
        print(f"  {said.splitlines()[-1]}")
        return {"seconds": time.perf_counter() - started, "GB": peak / 1e9}


# -- trainings in one process ----------------------------------------------------------------------


@contextlib.contextmanager
def counted(host: Any) -> Iterator[tuple[Counter[str], Callable[[], Any]]]:
    """(what is counted, a context for each thread that counts its operators)."""
    from torch.utils._python_dispatch import TorchDispatchMode

    from seal_core.method import frozen_prefix, passes

    counts: Counter[str] = Counter()

    class Operators(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            counts["operators"] += not (func.is_view or "empty" in str(func))
            return func(*args, **(kwargs or {}))

    def counting(name: str, call: Callable[..., Any], rows: bool = False) -> Callable[..., Any]:
        def count(*given: Any) -> Any:
            counts[name] += 1
            if rows:
                counts[f"rows of {name}"] += len(given[0])
            return call(*given)

        return count

    originals = host.denoise, host.encode, passes.record_prefixes
    host.denoise = counting("U-Net passes", host.denoise, rows=True)
    host.encode = counting("text passes", host.encode)
    passes.record_prefixes = counting("prefix passes", frozen_prefix.record_prefixes)
    try:
        yield counts, Operators
    finally:
        host.denoise, host.encode, passes.record_prefixes = originals


def trained(together: int, preset: str, steps: int, count: bool) -> dict[str, float]:
    """COUNT trainings, so many side by side."""
    import torch
    from quick import reference

    from seal_core.demo.model import host as demo_host
    from seal_core.demo.model import load_model
    from seal_core.method.configure import configure
    from seal_core.method.side_by_side import side_by_side
    from seal_core.method.training import train

    torch.set_num_threads(1)
    host = demo_host(load_model())
    side, looks = host.resolution, {"appearance": "red"}  # where they are known, no words are looked for
    config = configure(
        preset, name="sticker", class_word="cat", steps=steps, batch_size=1, resolution=side, attributes=looks
    )
    config = dataclasses.replace(config, pool=min(config.pool, POOL))
    given = [reference((side, side), seed) for seed in range(COUNT)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.ExitStack() as stack:
        counts, operators = stack.enter_context(counted(host)) if count else (Counter(), contextlib.nullcontext)
        started, used = time.perf_counter(), time.process_time()

        def one(place: int) -> Callable[[Any], None]:
            def work(passes: Any) -> None:
                with operators():
                    train(host, [given[place]], config, passes=passes)

            return work

        for at in range(0, COUNT, together):
            with operators():
                side_by_side(host, [one(place) for place in range(at, min(at + together, COUNT))])
    found = {"seconds": time.perf_counter() - started, "processor": time.process_time() - used}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**found, "MB": (peak - before) / 1e3, **counts}


def in_own_process(*given: Any) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", json.dumps(given)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


# -- what is told ----------------------------------------------------------------------------------


def medians(found: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def compare_commands(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures"
        draw_pictures(pictures)
        found: dict[str, list[dict[str, float]]] = {name: [] for name in COMMANDS}
        for _ in range(rounds):
            for name, more in COMMANDS.items():
                found[name].append(run_command(pictures, more))
                print(f"  {name}: {found[name][-1]}, load {os.getloadavg()[0]:.0f}", flush=True)
    base = [one["seconds"] for one in found["one process"]]
    for name, several in found.items():
        ratio = statistics.median(first / one["seconds"] for first, one in zip(base, several, strict=True))
        middle = medians(several)
        print(f"{name:>18}: {ratio:.2f} x as many, {middle['seconds']:.0f} s, {middle['GB']:.2f} GB", flush=True)


def compare_sharing(rounds: int, preset: str) -> None:
    ways = (1, COUNT)
    found: dict[int, list[dict[str, float]]] = {k: [] for k in ways}
    for _ in range(rounds):
        for k in ways:
            found[k].append(in_own_process(k, preset, STEPS, False))
            print(f"  {preset}, {k} at a time: {found[k][-1]}", flush=True)
    base = [one["processor"] for one in found[1]]
    for k in ways:
        ratio = statistics.median(first / one["processor"] for first, one in zip(base, found[k], strict=True))
        told = medians(found[k])
        print(
            f"{preset}, {COUNT} trainings, {k} at a time: {ratio:.2f} x as many a processor second, {told['MB']:.0f} MB"
        )
    for k in (1, COUNT):
        whole, short = (in_own_process(k, preset, steps, True) for steps in (STEPS, POOL))
        print(f"{preset}, {k} at a time, in all: {_shown(whole, dict.fromkeys(whole, 0.0), 1)}")
        print(f"{preset}, {k} at a time, a step of all {COUNT}: {_shown(whole, short, STEPS - POOL)}", flush=True)


def _shown(one: dict[str, float], other: dict[str, float], share: int) -> str:
    names = ("U-Net passes", "rows of U-Net passes", "text passes", "prefix passes", "operators")
    return ", ".join(f"{name} {(one.get(name, 0) - other.get(name, 0)) / share:.0f}" for name in names)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", type=int, nargs="?", default=3)
    parser.add_argument("--part", choices=("commands", "sharing"))
    parser.add_argument("--child", type=json.loads)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(trained(*options.child)))
        return
    if options.part != "commands":
        for preset in ("best", "best_embedding"):
            compare_sharing(options.rounds, preset)
    if options.part != "sharing":
        compare_commands(options.rounds)


if __name__ == "__main__":
    main()
