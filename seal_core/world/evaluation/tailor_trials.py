"""`python -m seal_core.world eval-tailor`: a look that the tiny model has never seen, learned from twelve pictures
(ours).

Each trial takes twelve pictures of other characters in the unseen style, each told in words without its style, and
prompts that name one attribute and no style. Asked for: the look, with as much obedience and variety as without it.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...concept.concept import Concept
from ...demo.animals import SPECIES
from ...demo.attribute_values import VALUES
from ...demo.generation import CFG, generate_pictures
from ...demo.model_file import MODEL_FILE
from ...files.whole_file import write_output
from ...hosts.base import Host, Prompt
from ...method.config import TrainConfig
from ...method.training import train
from ...pictures.png import png_bytes
from ...prompts.attribute_prompt import attribute_prompt
from ...style.style_source import StyledHost, StyleSource
from ...style.tailoring import drawn_content, tailor_config, tailored_references
from ..judges.judge_networks import JUDGES_FILE
from ..judges.look_judge import LOOKS, LookJudge, fitted_look_judge
from ..renderer.characters import character
from ..renderer.scenes import Scene, random_scene
from ..renderer.styles import UNSEEN
from .character_plan import characters
from .metrics import interval, resamples
from .trial_kit import TrialKit, TrialKitPaths, chosen_ways

METRICS: Mapping[str, str] = {
    "look": "share of pictures that the look judge reads in the unseen style",
    "obeys": "share that show the one attribute that their prompt names",
    "species": "share that show the animal that their prompt names",
    "diversity": "mean distance (1 - cosine, identity judge) between the pictures of one prompt",
    "seconds": "of training",
}
STYLE_PICTURES = 12
CONTENT_PICTURES = 24
ASKED = ("emotion", "action", "camera", "background")
STYLED_PICTURES = 4
"""Of the twelve, for the way without training."""
BUDGET: dict[str, Any] = {"steps": 150, "batch_size": 8, "rate": 2e-3}


@dataclass(frozen=True)
class TailorCase:
    """Style pictures with captions, content pictures with captions, prompts as (text, species, attribute, value).

    told_twice: the style captions, which name the species alone, and beside each the same with the character's looks.
    """

    seed: int
    style: Tensor
    style_captions: tuple[str, ...]
    told_twice: tuple[str, ...]
    content: Tensor
    content_captions: tuple[str, ...]
    asks: tuple[tuple[str, str, str, str], ...]


Way = Callable[[TrialKit, TailorCase, TrainConfig], "Concept | Host | None"]
"""(kit, case, training) -> low-rank weights, another host, or None for the model as it is."""


def _tailored(split: float, twice: bool = False, mirrored: bool = False) -> Way:
    def run(kit: TrialKit, case: TailorCase, config: TrainConfig) -> Concept:
        captions = case.told_twice if twice else case.style_captions
        sets = case.style, captions, case.content, case.content_captions
        references, _ = tailored_references(*sets, split, config.resolution, mirrored)
        return train(kit.host, references, config).concept

    return run


def _sequential(kit: TrialKit, case: TailorCase, config: TrainConfig) -> Concept:
    """First the content, then the style, at all noise levels: half of the steps each."""
    half, learned = replace(config, steps=config.steps // 2), None
    for images, captions in ((case.content, case.content_captions), (case.style, case.style_captions)):
        references, _ = tailored_references(images, captions, None, (), 1.0, config.resolution)
        learned = train(kit.host, references, half, resume=learned).concept
    assert learned is not None
    return learned


def _styled(kit: TrialKit, case: TailorCase, config: TrainConfig) -> Host:
    """Without training: the style pictures' keys and values while sampling."""
    latents = tuple(kit.host.encode_image(one[None]) for one in case.style[:STYLED_PICTURES])
    null = kit.host.encode([Prompt("")], {})
    return StyledHost(kit.host, StyleSource(latents, (None,) * len(latents)), null)  # pyright: ignore


WAYS: Mapping[str, Way | None] = {
    "base": None,
    "truth": None,
    "styled, no training": _styled,
    "plain fine-tuning": _tailored(1.0),
    "sequential": _sequential,
    **{f"tailored, split {split}": _tailored(split) for split in (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)},
    "plain fine-tuning, told twice, mirrored": _tailored(1.0, True, True),
    **{f"tailored, split {split}, told twice, mirrored": _tailored(split, True, True) for split in (0.98, 0.95, 0.9)},
}
"""base: the model as it is. truth: the renderer's pictures of what was asked for, which the judges are measured on."""


def tailor_case(kit: TrialKit, seed: int, samples: int) -> TailorCase:
    """The case of a seed: pictures and prompts vary with it. samples: how many prompts name each attribute."""
    rng = random.Random(f"tailor {seed}")
    [look] = UNSEEN
    style, captions, twice = [], [], []
    for i in range(STYLE_PICTURES):
        who, scene = character(seed + 1000 * (i + 1)), random_scene(rng, style=look)
        style.append(_float(kit.render(who, scene, seed=seed + i).image))
        captions.append(_caption(who.species, scene))
        twice.append(f"{captions[-1]} | {_caption(who.in_words(), scene)}")
    prompts = tuple(_caption(rng.choice(SPECIES), random_scene(rng)) for _ in range(CONTENT_PICTURES))
    content = drawn_content(kit.host, prompts, kit.host.resolution, seed, guidance=CFG)
    asks = []
    for name in ASKED:
        values = list(VALUES[name])
        for value in rng.sample(values, min(samples, len(values))):
            species = rng.choice(SPECIES)
            named = {name: value} | ({"camera": "full body"} if name == "action" else {})
            asks.append((attribute_prompt(species, **named).prompt, species, name, value))
    return TailorCase(seed, torch.stack(style), tuple(captions), tuple(twice), content, prompts, tuple(asks))


def _caption(who: str, scene: Scene) -> str:
    """What a picture shows, without its style."""
    told = {name: value for name, value in scene.asdict().items() if name != "style" and scene.shows(name)}
    return attribute_prompt(who, **told).prompt


def _float(pixels: Any) -> Tensor:
    return torch.from_numpy(np.asarray(pixels, np.float32) / 255)


def tailored_pictures(kit: TrialKit, case: TailorCase, made: Any, samples: int) -> Tensor:
    """The pictures of a case's prompts, `samples` each, by what a way made."""
    learned = made if isinstance(made, Concept) else None
    host: Any = kit.host if learned or made is None else made
    return generate_pictures(host, learned, [ask[0] for ask in case.asks], samples, seed=case.seed)


def _rendered(kit: TrialKit, case: TailorCase, samples: int) -> Tensor:
    [look] = UNSEEN
    images = []
    for i, (_, species, name, value) in enumerate(case.asks):
        fixed = {name: value, "style": look} | ({"camera": "full body"} if name != "camera" else {})
        for j in range(samples):
            rng = random.Random(f"tailor truth {case.seed} {i} {j}")
            who = character(case.seed + 100_000 + 100 * i + j, species=species)
            images.append(_float(kit.render(who, random_scene(rng, **fixed), seed=case.seed + j).image))
    return torch.stack(images)


def judged_prompts(kit: TrialKit, look: LookJudge, case: TailorCase, images: Tensor) -> list[dict[str, float]]:
    """METRICS of each prompt's pictures, without the seconds."""
    samples = len(images) // len(case.asks)
    read, seen = kit.judges.classify(images), look(images).argmax(dim=1)
    who = kit.judges.identity(images)
    rows = []
    for i, (_, species, name, value) in enumerate(case.asks):
        part = slice(i * samples, (i + 1) * samples)
        apart = 1 - who[part] @ who[part].T
        rows.append(
            {
                "look": float(torch.tensor([LOOKS[int(s)] in UNSEEN for s in seen[part]]).float().mean()),
                "obeys": float((read[name][part].argmax(1) == VALUES[name].index(value)).float().mean()),
                "species": float((read["species"][part].argmax(1) == SPECIES.index(species)).float().mean()),
                "diversity": float(apart.sum() / max(1, samples * (samples - 1))),
            }
        )
    return rows


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="results go here; a rerun continues")
    add("--sets", type=int, default=2, metavar="N", help="sets of twelve style pictures (default 2)")
    add("--samples", type=int, default=3, metavar="K", help="pictures of a prompt (default 3)")
    add("--values", type=int, default=4, metavar="K", help="prompts for each of four attributes (default 4)")
    add("--split", choices=("validation", "test"), default="validation", help="whose characters (default validation)")
    add("--seed-offset", type=int, default=0, metavar="K", help="start at the K-th of the split")
    add("--ways", default=";".join(WAYS), help="ways to compare, separated by semicolons (default: all)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="of the training: steps, rate, rank, ...")
    add("--model", type=Path, default=MODEL_FILE, metavar="FILE", help="tiny model (default: the shipped one)")
    add("--judges", type=Path, default=JUDGES_FILE, metavar="FILE", help="judges (default: the shipped ones)")


def run(options: argparse.Namespace) -> None:
    """Run the command: tailor.json and pictures in the folder, and a table on stdout."""
    ways = chosen_ways(options.ways, WAYS)
    torch.set_num_threads(1)
    kit = TrialKitPaths(options.model, options.judges).kit()
    changes = BUDGET | {name: json.loads(value) for name, value in (s.split("=", 1) for s in options.set)}
    look: LookJudge | None = None
    rows: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    held_out: dict[str, Any] = {}
    for seed in characters(options.split, options.sets, options.seed_offset):
        path = options.out / f"{seed}.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        case = None
        for way in (w for w in ways if w not in known):
            look = look or fitted_look_judge(kit)
            case = case or tailor_case(kit, seed, options.values)
            started = time.perf_counter()
            config = tailor_config(**changes, resolution=kit.host.resolution, seed=seed)
            if way == "truth":
                images, seconds = _rendered(kit, case, options.samples), 0.0
            else:
                make = WAYS[way]
                made = make(kit, case, config) if make else None
                seconds = round(time.perf_counter() - started, 2)
                images = tailored_pictures(kit, case, made, options.samples)
            known[way] = [row | {"seconds": seconds} for row in judged_prompts(kit, look, case, images)]
            known["look judge"] = look.held_out
            write_output(options.out / f"{seed}.{_stem(way)}.png", png_bytes(_sheet(images, options.samples)))
            write_output(path, json.dumps(known, sort_keys=True).encode())
        for way in ways:
            rows[way] += known[way]
        held_out = known["look judge"]
    print(tailor_table(options.out, rows, held_out))


def _stem(way: str) -> str:
    return way.replace(",", "").replace(" ", "_")


def _sheet(images: Tensor, samples: int) -> Image.Image:
    """A column for each prompt."""
    columns = [torch.cat(list(part), dim=0) for part in images.split(samples)]
    return Image.fromarray((torch.cat(columns, dim=1).numpy() * 255).round().astype(np.uint8))


def tailor_table(out: Path, rows: Mapping[str, list[dict[str, float]]], held_out: Mapping[str, Any]) -> str:
    """Writes tailor.json (means with 95 % intervals over the prompts); returns the same as Markdown."""
    index = resamples(len(next(iter(rows.values()))))
    found = {w: {m: interval(np.array([row[m] for row in of]), index) for m in METRICS} for w, of in rows.items()}
    text = json.dumps({"metrics": dict(METRICS), "look_judge": held_out, "ways": found}, indent=1)
    write_output(out / "tailor.json", text.encode())
    lines = [f"| | {' | '.join(METRICS)} |", f"|---|{'---|' * len(METRICS)}"]
    for way, of in found.items():
        cells = [f"{v['mean']:.2f} [{v['lo']:.2f}, {v['hi']:.2f}]" for v in of.values()]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)
