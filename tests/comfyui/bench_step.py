"""Cost of a training step by where the concept may enter: `PYTHON bench_step.py [--repeats 5] [--resolution 256] ...`.

Run by ComfyUI's interpreter on a quiet machine; full SD 1.5 layout with random weights, CPU, float32,
batch 1. The variants take turns, so that other load on the machine affects all alike. Prints a
Markdown table: median seconds of a whole step (forward, backward, optimiser) and its ratio to all sites.

With --core: steps with low-rank weights beside core's TrainLoraNode at its default settings, in the same process. That
table goes by seconds of processor time, which other load on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from inprocess_start import load, start

SITES = ("all", "up", "up.3-8", "up.8")
PARTS = {"tokens": "", "tokens, LoRA of attn2": "attn2", "tokens, LoRA of all parts": "attn2, attn1, ff"}
RANK = 8
"""As TrainLoraNode's default."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--comfyui", default="", help="ComfyUI's folder; default as the tests find it")
    parser.add_argument("--checkpoint", default="sd15", help="a name of checkpoints.py")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--pool", type=int, default=8, help="draws in the replayed pool")
    parser.add_argument("--core", action="store_true", help="low-rank weights beside core's TrainLoraNode")
    parser.add_argument("--threads", type=int, default=0, help="0 = torch's default")
    return parser.parse_args()


def checkpoint(comfyui: Path, name: str) -> str:
    """The cached random checkpoint, made if missing."""
    from server import ComfyServer

    with tempfile.TemporaryDirectory() as base:
        server = ComfyServer(comfyui, Path(base))
        server.ensure(name)
        return str((server.base / f"models/checkpoints/{name}.safetensors").resolve())


def reference(side: int) -> Any:
    """A disc on grey; the picture does not affect the time."""
    import torch
    from seal_pack.seal_core.method.references import Reference

    y, x = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-1, 1, side), indexing="ij")
    mask = ((0.6 - (x**2 + y**2).sqrt()) * side / 4).clamp(0, 1)
    return Reference(torch.lerp(torch.tensor([0.8, 0.8, 0.8]), torch.tensor([0.9, 0.5, 0.1]), mask[..., None]), mask)


class Variant:
    """One configuration, ready to step; a pool's draws are recorded before timing starts."""

    def __init__(self, host: Any, sites: str, pool: int, resolution: int, learned: str = "tokens") -> None:
        from seal_pack.seal_core.concept.settings import Layers, LowRankSpec, Tokens
        from seal_pack.seal_core.method.presets import PRESETS
        from seal_pack.seal_core.method.training import Training

        # As `paper` without the split phase: one learned token, one context token, attention loss.
        config = dataclasses.replace(
            PRESETS["paper"],
            layers=Layers(sites),
            tokens=Tokens(class_word="cat", split=1),
            pool=pool,
            batch_size=1,
            resolution=resolution,
            seed=1,
            weights=LowRankSpec(RANK, parts=PARTS[learned]) if PARTS[learned] else LowRankSpec(),
            weights_locality=40.0,
        )
        self.name = f"{sites}{', prefix replayed' if pool else ''}"
        self.learned = learned
        self.run = Training(host, [reference(resolution)], config)
        assert bool(self.run.step.prefix) == bool(pool)
        self.descent = self.run.descent()
        self.seconds: list[float] = []
        self.processor: list[float] = []
        for _ in range(pool or 1):  # also warms up
            self._timed(self.run.examples.next(1))
        # Bytes of one draw, as the report of a training gives them for the pool.
        self.bytes = self.run.step.prefix.bytes // pool if pool else 0

    def step(self) -> None:
        """One step; with low-rank weights the mean of one that asks for locality and those that do not."""
        from seal_pack.seal_core.method.step import LOCALITY_EVERY

        if not self.run.config.weights.rank:
            kinds = [(self._timed(self.run.examples.next(1)), 1.0)]
        else:
            batches = iter(lambda: self.run.examples.next(1), None)
            asked = next(b for b in batches if b.examples[0].timestep % LOCALITY_EVERY == 0)
            other = next(b for b in batches if b.examples[0].timestep % LOCALITY_EVERY)
            share = 1 / LOCALITY_EVERY
            kinds = [(self._timed(asked), share), (self._timed(other), 1 - share)]
        self.seconds.append(sum(share * wall for (wall, _), share in kinds))
        self.processor.append(sum(share * processor for (_, processor), share in kinds))

    def _timed(self, batch: Any) -> tuple[float, float]:
        began, processor = time.perf_counter(), time.process_time()
        loss, _ = self.run.step.loss(batch)
        self.descent.down(loss, self.run.config.learning_rate)
        return time.perf_counter() - began, time.process_time() - processor


class CoreLora:
    """Core's TrainLoraNode on one picture of the same size, everything else at its defaults."""

    def __init__(self, model: Any, clip: Any, resolution: int) -> None:
        import torch

        self.seconds: list[float] = []
        self.processor: list[float] = []
        with torch.inference_mode():
            positive = clip.encode_from_tokens_scheduled(clip.tokenize("a sticker of a cat"))
            latents = {"samples": torch.zeros(1, 4, resolution // 8, resolution // 8)}
        self.given = {"model": [model], "latents": [latents], "positive": [positive]}

    def steps(self, count: int) -> None:
        """Run the node for one step to warm up and `count` to be timed, from one optimiser step to the next."""
        import torch
        from comfy_extras import nodes_train

        marks: list[tuple[float, float]] = []
        make = nodes_train._create_optimizer

        def watched(*args: Any, **kwargs: Any) -> Any:
            optimizer = make(*args, **kwargs)
            optimizer.register_step_post_hook(lambda *_: marks.append((time.perf_counter(), time.process_time())))
            return optimizer

        inputs = nodes_train.TrainLoraNode.define_schema().inputs
        defaults = {i.id: [getattr(i, "default", None)] for i in inputs}
        nodes_train._create_optimizer = watched
        try:
            with torch.inference_mode():  # as ComfyUI executes nodes
                nodes_train.TrainLoraNode.execute(**{**defaults, **self.given, "steps": [count + 1]})
        finally:
            nodes_train._create_optimizer = make
        for before, after in itertools.pairwise(marks):
            self.seconds.append(after[0] - before[0])
            self.processor.append(after[1] - before[1])


def table(variants: list[Variant]) -> str:
    whole = variants[0].seconds
    lines = ["| token enters | median s/step | fastest | ratio to all sites | pool, MB/draw |", "|---|---|---|---|---|"]
    for v in variants:
        # The median of each round's ratios: a slow round is slow for all.
        ratio = statistics.median(mine / theirs for mine, theirs in zip(v.seconds, whole))
        size = f"{v.bytes / 1e6:.1f}" if v.bytes else ""
        lines.append(f"| {v.name} | {statistics.median(v.seconds):.2f} | {min(v.seconds):.2f} | {ratio:.2f} | {size} |")
    return "\n".join(lines)


def beside_core(core: CoreLora, variants: list[Variant]) -> str:
    theirs = statistics.median(core.processor)
    lines = ["| learned | enters | processor s/step | seconds | ratio to TrainLoraNode |", "|---|---|---|---|---|"]
    wall = f"{statistics.median(core.seconds):.2f}"
    lines.append(f"| core's TrainLoraNode, rank {RANK} | all | {theirs:.2f} | {wall} | 1.00 |")
    for v in variants:
        mine = statistics.median(v.processor)
        wall = f"{statistics.median(v.seconds):.2f}"
        lines.append(f"| {v.learned} | {v.name} | {mine:.2f} | {wall} | {mine / theirs:.2f} |")
    return "\n".join(lines)


def main() -> None:
    options = arguments()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from installed import find_comfyuis

    comfyui = Path(options.comfyui) if options.comfyui else next(iter(find_comfyuis()), None)
    assert comfyui is not None, "no ComfyUI found; give --comfyui"
    file = checkpoint(comfyui, options.checkpoint)
    start(str(comfyui))
    import torch
    from seal_pack.nodes.comfy.comfy_host import ComfyHost

    if options.threads:
        torch.set_num_threads(options.threads)
    model, clip, vae = load(file)
    core = CoreLora(model, clip, options.resolution) if options.core else None
    if core is not None:
        core.steps(options.repeats)
    with torch.inference_mode(False), ComfyHost(model, clip, vae) as host:
        if core is not None:
            variants = [Variant(host, "up", options.pool, options.resolution, learned) for learned in PARTS]
            variants += [Variant(host, "all", 0, options.resolution, learned) for learned in list(PARTS)[1:]]
        else:
            variants = [Variant(host, sites, 0, options.resolution) for sites in SITES]
            variants += [Variant(host, sites, options.pool, options.resolution) for sites in SITES[1:]]
        for round_ in range(options.repeats):
            # Every round starts with another variant, so that none always follows the same one.
            turn = round_ % len(variants)
            for variant in variants[turn:] + variants[:turn]:
                variant.step()
            done = ", ".join(f"{v.seconds[-1]:.2f}" for v in variants)
            print(f"round {round_ + 1} of {options.repeats}: {done}", file=sys.stderr, flush=True)
    print(
        f"{options.checkpoint}, {options.resolution} px, batch 1, {host.dtype}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, {options.repeats} rounds, load average {os.getloadavg()[0]:.1f}\n"
    )
    print(table(variants) if core is None else beside_core(core, variants))


if __name__ == "__main__":
    main()
