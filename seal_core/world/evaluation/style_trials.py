"""`python -m seal_core.world eval-style`: how pictures are restyled, against the renderer's truth (ours).

A content picture, flat and on a busy ground, takes the look of one picture of another character in another style. The
renderer draws the same content in that style: that is what a restyled picture is compared with. Judges read the style
and whether emotion, action and character are still there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...demo.attribute_values import VALUES
from ...demo.model_file import MODEL_FILE
from ...files.whole_file import write_output
from ...hosts.base import Context, Host, Prompt
from ...masks.segmenter import coarse_mask
from ...pictures.inputs import resize_mask
from ...pictures.png import png_bytes
from ...style.features import inversion_features
from ...style.regions import Regions, find_regions
from ..judges.judge_networks import JUDGES_FILE
from ..judges.look_judge import LOOKS, LookJudge, fitted_look_judge
from ..renderer.characters import character
from ..renderer.scenes import Scene
from ..renderer.styles import UNSEEN
from .character_plan import NEUTRAL, characters
from .metrics import interval, resamples
from .style_ways import STEPS, WAYS, Case
from .trial_kit import TrialKit, TrialKitPaths, chosen_ways
from .true_regions import adjusted_rand, true_regions

METRICS: Mapping[str, str] = {
    "style": "share of pictures that the judge reads in the asked style",
    "emotion": "share in which the content's emotion is still read",
    "action": "share in which the content's action is still read",
    "figure": "overlap (IoU) of the figure with the content's",
    "identity": "similarity to the content's character as drawn in that style",
    "seconds": "one picture's",
}


def content_scene(seed: int) -> Scene:
    """A flat picture's scene, which varies with the seed."""
    actions = [a for a in VALUES["action"] if a != "standing"]
    return NEUTRAL.but(
        action=actions[seed % len(actions)],
        emotion=VALUES["emotion"][seed % len(VALUES["emotion"])],
        background=("beach", "forest", "night city", "snowy")[seed % 4],
        style="flat vector",
    )


def case_of(kit: TrialKit, seed: int, style: str, null: Context, steps: int = STEPS) -> Case:
    """The case of a character's seed: what it does and where varies with the seed."""
    who, other, scene = character(seed), character(seed + 500_000), content_scene(seed)
    sticker, source = kit.render(who, scene, seed=seed), kit.render(other, NEUTRAL.but(style=style), seed=seed)
    truth = kit.render(who, scene.but(style=style), seed=seed)
    content, look = (regions_seen(kit.host, _float(s.image), _float(s.mask), null) for s in (sticker, source))
    return Case(who, scene, style, content, look, _float(truth.image), _float(sticker.mask), steps)


def _float(pixels: Any) -> Tensor:
    return torch.from_numpy(np.asarray(pixels, np.float32) / 255)


def regions_seen(host: Host, image: Tensor, mask: Tensor, null: Context) -> Regions:
    """Regions of a picture (H, W, 3) whose subject is 1 in mask (H, W), by the host's features. null: empty prompt."""
    latents = host.encode_image(image[None])
    return find_regions(image, latents, inversion_features(host, latents, null), mask)


def judged(kit: TrialKit, case: Case, image: Tensor, look: LookJudge | None = None) -> dict[str, float]:
    """METRICS of one picture (H, W, 3), without the seconds. look: reads styles that the judges do not know."""
    read = kit.judges.classify(image[None])
    found = {name: VALUES[name][int(read[name][0].argmax())] for name in ("style", "emotion", "action")}
    if look:
        found["style"] = LOOKS[int(look(image[None])[0].argmax())]
    there = case.figure > 0.5
    figure = resize_mask(torch.from_numpy(coarse_mask(image.numpy())), *there.shape) > 0.5
    alike = kit.judges.identity(image[None]) * kit.judges.identity(case.truth[None])
    return {
        "style": float(found["style"] == case.style),
        "emotion": float(found["emotion"] == case.scene.emotion),
        "action": float(found["action"] == case.scene.action),
        "figure": float((figure & there).sum() / (figure | there).sum().clamp(min=1)),
        "identity": float(alike.sum()),
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="results go here; a rerun continues")
    add("--pictures", type=int, default=24, metavar="N", help="contents, each in a style in turn (default 24)")
    add("--split", choices=("validation", "test"), default="validation", help="whose characters (default validation)")
    add("--seed-offset", type=int, default=0, metavar="K", help="start at the K-th of the split")
    add("--ways", default=";".join(WAYS), help="ways to compare, separated by semicolons (default: all)")
    add("--steps", type=int, default=STEPS, metavar="K", help=f"of the optimisations (default {STEPS})")
    add("--unseen", action="store_true", help="styles that no network was trained on, in place of the others")
    add("--regions", action="store_true", help="measure how well regions are found, in place of restyling")
    add("--model", type=Path, default=MODEL_FILE, metavar="FILE", help="tiny model (default: the shipped one)")
    add("--judges", type=Path, default=JUDGES_FILE, metavar="FILE", help="judges (default: the shipped ones)")


def run(options: argparse.Namespace) -> None:
    """Run the command: style.json and style.png in the folder, and a table on stdout."""
    ways = chosen_ways(options.ways, WAYS)
    torch.set_num_threads(1)
    kit = TrialKitPaths(options.model, options.judges).kit()
    null = kit.host.encode([Prompt("")], {})
    styles = list(UNSEEN) if options.unseen else [s for s in VALUES["style"] if s != "flat vector"]
    seeds = characters(options.split, options.pictures, options.seed_offset)
    if options.regions:
        print(regions_table(options.out, [agreement(kit, seed, null) for seed in seeds]))
        return
    look = fitted_look_judge(kit) if options.unseen else None
    rows = []
    for i, seed in enumerate(seeds):
        path = options.out / f"{seed}.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        missing = [w for w in ways if w not in known]
        if missing:
            case = case_of(kit, seed, styles[i % len(styles)], null, options.steps)
            for way in missing:
                started = time.perf_counter()
                image = _picture(kit, case, way, null)
                seconds = round(time.perf_counter() - started, 2)
                known[way] = judged(kit, case, image, look) | {"seconds": seconds}
                pixels = (image.numpy() * 255).round().astype(np.uint8)
                write_output(options.out / f"{seed}.{_stem(way)}.png", png_bytes(Image.fromarray(pixels)))
            write_output(path, json.dumps(known, sort_keys=True).encode())
        rows.append({way: known[way] for way in ways})
    print(table(options.out, rows))


def _stem(way: str) -> str:
    return way.replace(",", "").replace(" ", "_")


def _picture(kit: TrialKit, case: Case, way: str, null: Context) -> Tensor:
    if way == "truth":
        return case.truth
    run = WAYS[way]
    return case.content.image if run is None else kit.host.decode_latents(run(kit, case, null))[0]


def agreement(kit: TrialKit, seed: int, null: Context) -> dict[str, float]:
    """How well a flat picture's regions are found (adjusted Rand index): with its mask, without it, by colour alone."""
    sticker = kit.render(character(seed), content_scene(seed), seed=seed)
    image, mask = _float(sticker.image), _float(sticker.mask)
    latents = kit.host.encode_image(image[None])
    seen = inversion_features(kit.host, latents, null)
    ways = {
        "features, mask": find_regions(image, latents, seen, mask),
        "features": find_regions(image, latents, seen),
        "latents alone, mask": find_regions(image, latents, latents[0].float().cpu(), mask),
    }
    truth = true_regions(sticker.image, *ways["features"].labels.shape)
    subject = resize_mask(mask, *truth.shape).numpy() > 0.5
    found = {name: adjusted_rand(truth, regions.labels) for name, regions in ways.items()}
    inside = {f"{n}, subject": adjusted_rand(truth[subject], r.labels[subject]) for n, r in ways.items()}
    return found | inside


def regions_table(out: Path, rows: list[dict[str, float]]) -> str:
    """Writes regions.json (mean agreement with 95 % intervals over the pictures); returns the same as Markdown."""
    index = resamples(len(rows))
    found = {name: interval(np.array([row[name] for row in rows]), index) for name in rows[0]}
    write_output(out / "regions.json", json.dumps(found, indent=1).encode())
    cells = [f"| {name} | {v['mean']:.2f} [{v['lo']:.2f}, {v['hi']:.2f}] |" for name, v in found.items()]
    return "\n".join(["| regions by | agreement |", "|---|---|", *cells])


def table(out: Path, rows: list[dict[str, dict[str, float]]]) -> str:
    """Writes style.json (means with 95 % intervals over the pictures); returns the same as Markdown."""
    index = resamples(len(rows))
    ways = list(rows[0])
    values = {w: {m: np.array([row[w][m] for row in rows]) for m in METRICS} for w in ways}
    found = {w: {m: interval(v, index) for m, v in of.items()} for w, of in values.items()}
    write_output(out / "style.json", json.dumps({"metrics": dict(METRICS), "ways": found}, indent=1).encode())
    lines = [f"| | {' | '.join(METRICS)} |", f"|---|{'---|' * len(METRICS)}"]
    for way in ways:
        cells = [f"{v['mean']:.2f} [{v['lo']:.2f}, {v['hi']:.2f}]" for v in found[way].values()]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)
