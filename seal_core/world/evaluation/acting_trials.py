"""`python -m seal_core.world eval-acting`: learned characters that move by trained temporal layers (ours).

A method learns each character from one sticker; then the character jumps and waves, on plain ground. Beside the clips
stand the same frames drawn as stills, each on its own, and the renderer's own clips of the character.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ...demo.model import SIZE
from ...demo.tuned_presets import CONCEPT_NAME
from ...files.whole_file import write_output
from ...messages import require_whole_number
from ...method.sampling import generate_context
from ...method.training import train
from ...motion.temporal.clip_host import repeated
from ...motion.temporal.draw_clips import draw_clips
from ...motion.temporal.motion_file import load_motion
from ...motion.temporal.motion_layers import MotionLayers
from ...pictures.png import png_bytes
from ..judges.motion_judge import MotionJudge, fitted_motion_judge, motion_clip, subjects
from ..renderer.captions import prompt
from ..renderer.characters import character
from ..renderer.folder import SPLITS
from .character_plan import plan_character
from .compared_methods import Method, method
from .motion_metrics import flicker, loop_seam, mean_interval
from .trial import config_of, reference_of
from .trial_kit import TrialKit, TrialKitPaths

ASKED = ("jumping", "waving")
STEPS, CFG = 20, 4.0
FIGURES: Mapping[str, str] = {
    "right": "share of clips whose motion is judged right",
    "identity": "similarity of each frame to the character as drawn in that frame, mean of a clip, -1 to 1",
    "moves": "size of the silhouette's changes, as a multiple of the motion's usual one",
    "seam": "change from the last frame to the first, as a multiple of the others' mean",
    "flicker": "share of pixels, in percent, that are subject or ground for one frame alone, mean of a clip",
}
ROWS = ("moving", "stills", "renderer")


def acting_row(kit: TrialKit, judge: MotionJudge, motion: str, clip: Tensor, true: Tensor) -> dict[str, float]:
    """FIGURES of one clip (F, H, W, 3). true: the renderer's own, frame by frame."""
    who = kit.judges.identity(clip), kit.judges.identity(true)
    size = judge.likeness(clip[None])[1][0] / judge.sizes[judge.names.index(motion)]
    row = {
        "right": float(judge(clip[None]) == [motion]),
        "identity": float((who[0] * who[1]).sum(-1).mean()),
        "moves": float(size),
        "seam": float(loop_seam(clip[None])[0]),
        "flicker": float(flicker(subjects(clip))),
    }
    return {name: round(row[name], 4) for name in FIGURES}


def acted(
    kit: TrialKit, judge: MotionJudge, layers: MotionLayers, chosen: Method, seed: int
) -> tuple[dict[str, dict[str, dict[str, float]]], Tensor]:
    """(motion -> row -> FIGURES, film strips (H, W, 3)) of one character."""
    who, plan = character(seed), plan_character(seed)
    reference = reference_of(kit, kit.render(who, plan.reference, seed=seed))
    concept = train(kit.host, [reference], config_of(kit, chosen, plan, who)).concept
    found, strips = {}, []
    for motion in ASKED:
        clip = motion_clip(seed, motion)
        true = torch.from_numpy(clip.images).float() / 255
        one = generate_context(kit.host, concept, prompt(CONCEPT_NAME, clip.scene.asdict()))
        routed = replace(one, learned=repeated(one.learned, len(true)), plain=repeated(one.plain, len(true)))
        moving, stills = (
            draw_clips(kit.host, used, routed, len(true), side=SIZE, steps=STEPS, cfg=CFG, seed=seed)[0]
            for used in (layers, None)
        )
        clips = dict(zip(ROWS, (moving, stills, true)))
        found[motion] = {row: acting_row(kit, judge, motion, shown, true) for row, shown in clips.items()}
        strips += [torch.cat(list(shown), dim=1) for shown in clips.values()]
    return found, torch.cat(strips)


def totals(found: Mapping[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Row -> FIGURES as (mean, 2.5 %, 97.5 %) over the clips of all characters; `against`: moving minus stills."""
    clips = [rows for of in found.values() for rows in of.values()]
    told = {r: {f: _told([rows[r][f] for rows in clips]) for f in FIGURES} for r in ROWS}
    told["against"] = {"identity": _told([rows["moving"]["identity"] - rows["stills"]["identity"] for rows in clips])}
    return told


def _told(values: list[float]) -> list[float]:
    return [round(x, 3) for x in mean_interval(values)]


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="figures and film strips; a rerun continues")
    add("--layers", type=Path, required=True, metavar="FILE", help="of `train motion`: motion-LAYER-layers.safetensors")
    add("--method", default="best", help="that learns the characters (%(default)s)")
    add("--characters", type=int, default=10, metavar="N", help="(%(default)s)")
    add("--split", choices=tuple(SPLITS), default="validation", help="whose characters (%(default)s)")
    add("--seed-offset", type=int, default=0, metavar="K", help="start at the K-th of the split")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")


def run(options: argparse.Namespace) -> None:
    require_whole_number("characters", options.characters, 1, 1000, "use 1 or more; 10 is usual.")
    kit, chosen = TrialKitPaths(device=options.device).kit(), method(options.method)
    layers = load_motion(options.layers)[0].to(options.device)
    judge, found = fitted_motion_judge(), dict[str, Any]()
    mark = f"{options.method}.{hashlib.sha256(options.layers.read_bytes()).hexdigest()[:8]}"  # training may go on
    for seed in SPLITS[options.split][options.seed_offset :][: options.characters]:
        path = options.out / f"{seed}.{mark}.json"
        if not path.exists():
            rows, strips = acted(kit, judge, layers, chosen, seed)
            write_output(path.with_suffix(".png"), png_bytes(Image.fromarray((strips * 255).round().byte().numpy())))
            write_output(path, json.dumps(rows, indent=1).encode())
        found[str(seed)] = json.loads(path.read_text(encoding="utf-8"))
        print(json.dumps({seed: found[str(seed)]}), flush=True)
    told = {"figures": dict(FIGURES), "total": totals(found)}
    write_output(options.out / f"{mark}.json", json.dumps(told, indent=1).encode())
    print(json.dumps(told["total"]))
