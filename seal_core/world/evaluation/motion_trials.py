"""`python -m seal_core.world eval-motion`: temporal layers compared on characters that no training saw (ours).

Rows: the renderer's own clips of other characters (the floor), frames drawn independently, and each file of layers; all
from the same prompts and the same noise. Tasks: `text`, from the prompt alone, and `still`, with the true first frame.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...demo.attribute_values import VALUES
from ...demo.model import SIZE
from ...files.whole_file import write_output
from ...hosts.base import Prompt
from ...messages import require_whole_number
from ...motion.temporal.clip_host import DRAWN_NOISE, repeated
from ...motion.temporal.draw_clips import draw_clips
from ...motion.temporal.motion_file import load_motion
from ...motion.temporal.motion_layers import MotionLayers
from ..renderer.captions import prompt
from ..renderer.characters import character
from ..renderer.folder import SPLITS
from ..renderer.movements import FRAMES, Movement
from ..renderer.render import RenderedClip, render_clip
from ..renderer.scenes import random_scene
from .motion_metrics import CLIP_METRICS, clip_features, judged_clips, mean_interval, motion_distance
from .trial_kit import TrialKit, TrialKitPaths

TASKS_TOLD = ("text", "still")
CHUNK_CLIPS = 6
"""Clips drawn together."""
STEPS, CFG = 20, 4.0


@dataclass(frozen=True)
class MotionPlan:
    """Characters in scenes whose whole body shows, the actions in turn. others: clips of other characters, as many."""

    clips: list[RenderedClip]
    others: list[RenderedClip]

    @classmethod
    def of(cls, who: range, count: int, offset: int = 0) -> MotionPlan:
        made = [_planned(who[offset + i], VALUES["action"][i % len(VALUES["action"])]) for i in range(2 * count)]
        return cls(made[:count], made[count:])

    def prompts(self) -> list[str]:
        return [prompt(f"a {c.character.main} {c.character.species}", c.scene.asdict()) for c in self.clips]


def _planned(seed: int, action: str) -> RenderedClip:
    scene = random_scene(random.Random(f"motion plan {seed}"), action=action, camera="full body")
    return render_clip(character(seed), scene, Movement(), seed, FRAMES, SIZE)


def pictures_of(clips: list[RenderedClip]) -> Tensor:
    """(C, F, H, W, 3) in [0, 1]."""
    return torch.from_numpy(np.stack([clip.images for clip in clips])).float() / 255


def drawn_clips(
    kit: TrialKit, layers: MotionLayers | None, plan: MotionPlan, task: str, steps: int, shared: float
) -> Tensor:
    """(C, F, H, W, 3): what the model draws for the plan's prompts. shared: see `draw_clips`."""
    true, parts = pictures_of(plan.clips), []
    asked = kit.host.encode([Prompt(text) for text in plan.prompts()], {})
    for start in range(0, len(plan.clips), CHUNK_CLIPS):
        rows = list(range(start, min(start + CHUNK_CLIPS, len(plan.clips))))
        known = given = None
        if task == "still":
            known = torch.zeros(len(rows), FRAMES, dtype=torch.bool)
            known[:, 0] = True
            first = kit.host.encode_image(true[rows, 0])
            given = first[:, None].expand(-1, FRAMES, -1, -1, -1)
        context = repeated(asked.rows(rows), FRAMES)
        how: dict[str, Any] = {"side": SIZE, "steps": steps, "cfg": CFG, "seed": start, "shared": shared}
        parts.append(draw_clips(kit.host, layers, context, FRAMES, known=known, given=given, **how))
    return torch.cat(parts)


def motion_row(kit: TrialKit, plan: MotionPlan, clips: Tensor, features: np.ndarray) -> dict[str, Any]:
    """The figures of one method's clips, and of each clip. features: of the plan's true clips."""
    actions = [clip.scene.action for clip in plan.clips]
    each = judged_clips(kit.judges, clips, actions)
    apart = motion_distance(features, clip_features(kit.judges, clips))
    row: dict[str, Any] = {"distance": {name: round(value, 4) for name, value in apart.items()}}
    row |= {name: [round(x, 4) for x in mean_interval(each[name])] for name in CLIP_METRICS}
    return row | {"clips": each}


def evaluate_motion(
    kit: TrialKit,
    plan: MotionPlan,
    methods: dict[str, MotionLayers | None],
    steps: int = STEPS,
    shared: float = DRAWN_NOISE,
) -> dict[str, dict[str, Any]]:
    """Row -> its figures; see the module."""
    features = clip_features(kit.judges, pictures_of(plan.clips))
    rows = {"renderer": motion_row(kit, plan, pictures_of(plan.others), features)}
    for name, layers in methods.items():
        for task in TASKS_TOLD:
            drawn = drawn_clips(kit, layers, plan, task, steps, shared)
            rows[f"{name}, {task}"] = motion_row(kit, plan, drawn, features)
            print(json.dumps({f"{name}, {task}": {k: v for k, v in rows[f"{name}, {task}"].items() if k != "clips"}}))
    return rows


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="FILE", help="figures as JSON")
    add("--layers", type=Path, nargs="*", default=[], metavar="FILE", help="motion-LAYER-layers.safetensors, ...")
    add("--clips", type=int, default=48, help="clips a method (%(default)s)")
    add("--split", choices=tuple(SPLITS), default="validation", help="whose characters (%(default)s)")
    add("--seed-offset", type=int, default=0, metavar="K", help="start at the K-th of the split")
    add("--steps", type=int, default=STEPS, help="of sampling (%(default)s)")
    add("--shared", type=float, default=DRAWN_NOISE, help="share of the frames' noise in common (%(default)s)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")


def run(options: argparse.Namespace) -> None:
    require_whole_number("clips", options.clips, 6, 10_000, "use 6 or more; 48 is usual.")
    kit = TrialKitPaths(device=options.device).kit()
    methods: dict[str, MotionLayers | None] = {"alone": None}
    for path in options.layers:
        methods[path.stem] = load_motion(path)[0].to(options.device)
    plan = MotionPlan.of(SPLITS[options.split], options.clips, options.seed_offset)
    rows = evaluate_motion(kit, plan, methods, options.steps, options.shared)
    write_output(options.out, json.dumps({"metrics": dict(CLIP_METRICS), "rows": rows}, indent=1).encode())
