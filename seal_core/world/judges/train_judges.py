"""Training of the judges: `python -m seal_core.world judges` (ours).

First the classifier (cross-entropy over every head that the picture shows), then from its weights the identity encoder
(supervised contrastive loss, Khosla et al. 2020: other scenes with the character are positives, other characters
negatives, half of the time of two species only). Both see rendered stickers, most of them degraded (`degradations`,
`round_trip`). Resumable: the state is saved every `SAVE_EVERY` steps, and chunks are rendered during training.
"""

from __future__ import annotations

import argparse
import copy
import io
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from ...demo.model_file import MODEL_FILE
from ...files.whole_file import write_output
from ...masks.small_networks import channels_last
from ...messages import SealError
from ..trainings.muon import update_average
from .degradations import mixed
from .judge_networks import HEADS, JUDGES_FILE, JudgeLayout, JudgeNetwork, Judges
from .training_pictures import CACHE, CHARACTERS, PAIR, POSES, RecordSampler, RenderCache, labels, masks, pictures

SAVE_EVERY = 200
LAYOUTS = {
    "classifier": JudgeLayout(outputs=sum(len(values) for values in HEADS.values())),
    "encoder": JudgeLayout(outputs=64),
}
WEIGHTS: Mapping[str, float] = {"emotion": 2.0, "action": 2.0, "second": 0.5, "accessory_colour": 0.5}
"""Weights of the heads' losses, if not 1: higher where details matter, lower for what seldom shows."""
_CLEAN = 0.25
"""Share of batches that stay undegraded."""


@dataclass(frozen=True)
class JudgeStage:
    """One network's training. temperature: of the contrastive loss."""

    name: str
    steps: int
    batch: int = 96
    rate: float = 2e-3
    temperature: float = 0.1


def classifier_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Weighted mean of the heads' cross-entropies; logits (B, all values), truth (B, heads), -1 = not visible."""
    parts = logits.float().split([len(values) for values in HEADS.values()], dim=1)
    total = logits.new_zeros((), dtype=torch.float32)
    for i, (name, part) in enumerate(zip(HEADS, parts)):
        if bool((truth[:, i] >= 0).any()):
            loss = F.cross_entropy(part, truth[:, i], ignore_index=-1, label_smoothing=0.02)
            total = total + WEIGHTS.get(name, 1.0) * loss
    return total / sum(WEIGHTS.get(name, 1.0) for name in HEADS)


def contrastive_loss(vectors: Tensor, owner: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, L_out) of vectors (B, D) that belong to owner (B,)."""
    vectors = F.normalize(vectors.float(), dim=1)
    itself = torch.eye(len(vectors), dtype=torch.bool)
    logits = (vectors @ vectors.T / temperature).masked_fill(itself, -math.inf)
    same = (owner[:, None] == owner) & ~itself
    logs = logits.log_softmax(dim=1).masked_fill(~same, 0.0)
    return -(logs.sum(1) / same.sum(1).clamp(min=1)).mean()


def classifier_step(
    stage: JudgeStage, network: JudgeNetwork, source: RecordSampler, generator: torch.Generator
) -> Tensor:
    records = source.any(stage.batch)
    images = _degraded(pictures(records), generator)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(images)
    return classifier_loss(logits, labels(records))


def encoder_step(stage: JudgeStage, network: JudgeNetwork, source: RecordSampler, generator: torch.Generator) -> Tensor:
    """Every fifth batch gets a grey background: `Judges.identity` does the same when given masks."""
    records = source.characters(stage.batch // PAIR)
    images = _degraded(pictures(records), generator)
    if float(torch.rand((), generator=generator)) < 0.2:
        alpha = masks(records)[:, None]
        images = images * alpha + 0.5 * (1 - alpha)
    with torch.autocast("cpu", torch.bfloat16):
        vectors = network(images)
    return contrastive_loss(vectors, torch.arange(len(records)) // PAIR, stage.temperature)


def _degraded(images: Tensor, generator: torch.Generator) -> Tensor:
    clean, strength = torch.rand(2, generator=generator).tolist()
    return images if clean < _CLEAN else mixed(images, strength, generator)


STEPS: Mapping[str, Callable[[JudgeStage, JudgeNetwork, RecordSampler, torch.Generator], Tensor]] = {
    "classifier": classifier_step,
    "encoder": encoder_step,
}


def train_stage(
    stage: JudgeStage,
    source: RecordSampler,
    state_file: Path,
    quiet: bool = False,
    begin: Path | None = None,
    finished: JudgeNetwork | None = None,
) -> tuple[JudgeNetwork, float]:
    """The trained network of a stage, normalisations folded in, and the seconds that it took.

    Resumes from `state_file`. If that is finished but the stage now has more steps, training goes on with a new cycle
    of the learning rate. A new training starts from the weights in another stage's file `begin`, except the last layer,
    or from a `finished` network, which has no normalisations and needs a lower rate. Returns the exponential moving
    average of the weights.
    """
    torch.manual_seed(17)
    network = channels_last(copy.deepcopy(finished) if finished else JudgeNetwork(LAYOUTS[stage.name], norm=True))
    network.requires_grad_(True)
    if begin and not finished:
        learned = torch.load(begin, weights_only=True)["average"]
        network.load_state_dict({k: v for k, v in learned.items() if not k.startswith("out.")}, strict=False)
    average = copy.deepcopy(network).requires_grad_(False)
    optimiser = torch.optim.AdamW(network.parameters(), stage.rate, weight_decay=0.02)
    state = _resumed(stage, state_file)
    first, cycle, seconds = state.get("step", 0), state.get("cycle", 0), state.get("seconds", 0.0)
    length = stage.steps - cycle + 1
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, stage.rate, total_steps=length, pct_start=0.1)
    parts = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    for name in parts.keys() & state.keys():
        parts[name].load_state_dict(state[name])
    bar = tqdm(range(first, stage.steps), stage.name, stage.steps, initial=first, disable=quiet, mininterval=2)
    started = time.monotonic() - seconds
    for step in bar:
        if step % 50 == 0 or step == first:
            source.refresh()
        generator = torch.Generator().manual_seed(1_000_003 * step + len(stage.name))
        source.generator = np.random.default_rng(step)
        network.train()
        loss = STEPS[stage.name](stage, network, source, generator)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        update_average(average, network, min(0.998, (step + 1) / (step + 20)))
        if step % 20 == 0:
            bar.set_postfix(loss=f"{loss.item():.3f}", pictures=len(source.records))
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == stage.steps:
            seconds = time.monotonic() - started
            _keep(stage, state_file, parts, (step + 1, cycle), seconds)
    return average.eval().folded(), seconds


def _key(stage: JudgeStage) -> dict[str, Any]:
    """What a state must match to be continued. States on disk call the classes Layout and Stage."""
    layout, schedule = (repr(told).removeprefix("Judge") for told in (LAYOUTS[stage.name], replace(stage, steps=0)))
    return {"layout": layout, "stage": schedule, "heads": repr(dict(HEADS))}


def _keep(stage: JudgeStage, file: Path, parts: Mapping[str, Any], at: tuple[int, int], seconds: float) -> None:
    """at: steps done, and the step at which the rate's cycle began."""
    state = {name: part.state_dict() for name, part in parts.items()}
    state |= {"key": _key(stage), "steps": stage.steps, "step": at[0], "cycle": at[1], "seconds": seconds}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_output(file, buffer.getvalue())


def _resumed(stage: JudgeStage, file: Path) -> dict[str, Any]:
    """The state to resume; empty if there is none of this layout and schedule."""
    if not file.exists():
        return {}
    try:
        state = torch.load(file, weights_only=True)
        same = state["key"] == _key(stage)
        if same and state["step"] == state["steps"] < stage.steps:
            state["cycle"] = state["step"]
            del state["schedule"]
        elif not same or state["steps"] != stage.steps:
            tqdm.write(f"{stage.name}: {file.name} belongs to another layout or schedule; starting anew.")
            return {}
        return state
    except Exception as error:
        raise SealError(f"cache: {file} is damaged ({error!r}); delete it and start again.") from None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core.world judges`."""
    parser.add_argument("--out", type=Path, default=JUDGES_FILE, help="where the judges are written (%(default)s)")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of pictures and states (%(default)s)")
    parser.add_argument("--chunks", type=int, default=30, help=f"chunks of {CHARACTERS * POSES} pictures (%(default)s)")
    parser.add_argument("--decoded", type=int, default=8, help="chunks to add as decoded by the VAE (%(default)s)")
    parser.add_argument("--vae", type=Path, help="model file or training folder of that VAE (shipped model)")
    parser.add_argument("--held-out", type=int, default=4, help="chunks of unseen characters to measure (%(default)s)")
    parser.add_argument("--steps", type=int, default=2400, help="of the classifier (%(default)s)")
    parser.add_argument("--identity-steps", type=int, default=2400, help="of the identity encoder (%(default)s)")
    parser.add_argument("--batch", type=int, default=96, help="pictures a step, an even number (%(default)s)")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate (%(default)s)")
    parser.add_argument("--begin", type=Path, metavar="JUDGES", help="start from finished judges (with --rate 5e-4)")
    parser.add_argument("--threads", type=int, default=1, help="of the training (%(default)s)")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes that render during the training (%(default)s)"
    )
    parser.add_argument("--report", type=Path, help="Markdown file for the confusion matrices and other figures")
    parser.add_argument("--report-only", action="store_true", help="measure the judges in --out without training")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> None:
    """Train (or continue), measure, write. Raises SealError for bad options."""
    from . import judge_report

    for name, least in (("chunks", 1), ("held_out", 1), ("steps", 1), ("identity_steps", 1), ("batch", 8),
                        ("threads", 1), ("workers", 0), ("decoded", 0)):  # fmt: skip
        if getattr(options, name) < least:
            raise SealError(f"--{name.replace('_', '-')}: must be at least {least}.")
    torch.set_num_threads(options.threads)
    options.vae = options.vae or (MODEL_FILE if MODEL_FILE.exists() else None)
    cache = RenderCache(options.cache)
    judges = Judges.load(options.out) if options.report_only else _trained(options, cache)
    held = np.concatenate([cache.load(number, held_out=True) for number in range(options.held_out)])
    figures = judge_report.measure_judges(judges, held, options.vae, quiet=options.quiet)
    if not options.report_only:
        judges.card["figures"] = judge_report.summary(figures)
        judges.save(options.out)
        print(f"judges: {options.out} ({options.out.stat().st_size / 1e6:.1f} MB)")
    text = judge_report.judges_markdown(judges, figures)
    report = options.report or cache.folder / "report.md"
    write_output(report, text.encode())
    print(judge_report.headline(figures))
    print(f"report: {report}")


def _trained(options: argparse.Namespace, cache: RenderCache) -> Judges:
    steps = {"classifier": options.steps, "encoder": options.identity_steps}
    stages = [JudgeStage(name, count, options.batch, options.rate) for name, count in steps.items()]
    finished = Judges.load(options.begin) if options.begin else None
    card: dict[str, Any] = {"pictures": options.chunks * CHARACTERS * POSES, "renderer": cache.folder.name}
    networks: dict[str, JudgeNetwork] = {}
    with cache.grow(options.chunks, options.workers):
        source = RecordSampler(cache, options.chunks, np.random.default_rng(0))
        if options.vae and options.decoded:
            source.decode(options.decoded, options.vae, options.quiet)
            card["decoded"] = min(options.decoded, options.chunks) * CHARACTERS * POSES
        begin = None
        for stage in stages:
            file = cache.folder / f"{stage.name}.pt"
            networks[stage.name], seconds = train_stage(
                stage, source, file, options.quiet, begin, finished and getattr(finished, stage.name)
            )
            begin = file
            card[stage.name] = {"steps": stage.steps, "batch": stage.batch, "minutes": round(seconds / 60, 1)}
    return Judges(networks["classifier"], networks["encoder"], card)
