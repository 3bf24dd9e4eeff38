"""`python -m seal_core.world eval-move`: a motion learned from one clip, and other characters that move like it (ours).

For each of the judge's motions one character's clip is the example; other characters are drawn from prompts that name
them and what they do, with the motion and, from the same noise, without. Told of each clip: whether the motion judge
sees the motion, and how much more than without it the figure looks like the example's.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...concept.settings import Layers
from ...demo.model import SIZE
from ...files.whole_file import write_output
from ...hosts.base import Prompt
from ...messages import require_whole_number
from ...motion.temporal.clip_host import DRAWN_NOISE, Acting, repeated
from ...motion.temporal.draw_clips import draw_clips
from ...motion.temporal.example_clip import ExampleClip, example_clip
from ...motion.temporal.learn_motion import MotionConfig, learn_motion
from ...motion.temporal.motion_file import LearnedMotion
from ...motion.temporal.temporal_layers import LAYERS
from ...pictures.png import png_bytes
from ..judges.motion_judge import MOTIONS, MotionJudge, fitted_motion_judge, motion_clip
from ..renderer.captions import prompt
from ..renderer.folder import SPLITS
from ..renderer.render import RenderedClip
from .motion_metrics import mean_interval
from .trial_kit import TrialKit, TrialKitPaths

STEPS, CFG = 20, 4.0
ELSEWHERE = frozenset({"out", "motions", "device"})
"""Options that change no figure of a motion."""
FIGURES = {
    "right": "share of clips whose motion is judged right",
    "leak": "likeness to the example's character, gained",
}


def words_of(clip: RenderedClip) -> str:
    return prompt(f"a {clip.character.main} {clip.character.species}", clip.scene.asdict())


def example_of(clip: RenderedClip) -> ExampleClip:
    images = torch.from_numpy(clip.images).float() / 255
    masks = torch.from_numpy(clip.masks).float() / 255
    frames = len(images)
    return example_clip(images, masks, words_of(clip), frames=frames, resolution=SIZE, polarity="foreground")[0]


def drawn_moving(
    kit: TrialKit, texts: Sequence[str], motion: LearnedMotion | None, frames: int, settings: argparse.Namespace
) -> Tensor:
    """(len(texts), F, SIZE, SIZE, 3): what the prompts show, moving or not, from the same noise."""
    parts = []
    for i, text in enumerate(texts):
        context = repeated(kit.host.encode([Prompt(text)], {}), frames)
        acting = Acting() if motion is None else Acting.within(motion.where, kit.host.sigmas, settings.strength)
        layers = None if motion is None else motion.layers.to(kit.host.device)
        drawing: dict[str, Any] = {"side": SIZE, "steps": settings.draw_steps, "cfg": CFG, "seed": i}
        parts.append(draw_clips(kit.host, layers, context, frames, shared=settings.shared, acting=acting, **drawing))
    return torch.cat(parts)


def moved_row(
    kit: TrialKit, judge: MotionJudge, motion: str, example: RenderedClip, clips: Tensor, alone: Tensor
) -> dict[str, Any]:
    """The figures of a motion's clips (C, F, H, W, 3) beside those drawn without it."""
    source = kit.judges.identity(torch.from_numpy(example.images).float() / 255).mean(0)

    def likeness(drawn: Tensor) -> Tensor:
        return (kit.judges.identity(drawn.flatten(0, 1)) @ source).view(drawn.shape[:2]).mean(1)

    seen = judge(clips)
    alike = judge.likeness(clips)[0][:, judge.names.index(motion)]
    return {
        "seen": seen,
        "right": [float(s == motion) for s in seen],
        "correlation": [round(float(c), 3) for c in alike],
        "leak": [round(float(d), 4) for d in likeness(clips) - likeness(alone)],
    }


def strip(rows: Sequence[Tensor]) -> Image.Image:
    """Clips (F, H, W, 3) as rows of frames."""
    picture = torch.cat([torch.cat(list(row), dim=1) for row in rows])
    return Image.fromarray((picture * 255).round().byte().numpy())


def evaluate_moves(kit: TrialKit, options: argparse.Namespace) -> dict[str, Any]:
    """Motion -> its figures, and all together; a strip for each beside `out`: example, without, with the motion.

    `out` is written after every motion, and one of the same settings goes on.
    """
    judge = fitted_motion_judge()
    config = MotionConfig(
        layer=options.layer,
        steps=options.steps,
        learning_rate=options.rate,
        inner=options.width,
        layers=Layers(options.sites, options.start, options.end),
        given=options.given,
        recolour=options.recolour,
        resolution=SIZE,
    )
    who = SPLITS[options.split]
    settings = json.loads(json.dumps({k: v for k, v in vars(options).items() if k not in ELSEWHERE}))
    rows: dict[str, Any] = _finished(options.out, settings)
    asked = options.motions or list(MOTIONS)
    for name in [n for n in asked if n not in rows]:
        first = options.seed_offset + list(MOTIONS).index(name) * (options.others + 1)
        example = motion_clip(who[first], name)
        texts = [words_of(motion_clip(who[first + k], name)) for k in range(1, options.others + 1)]
        motion = learn_motion(kit.host, example_of(example), config)
        frames = len(example.images)
        alone = drawn_moving(kit, texts, None, frames, options)
        clips = drawn_moving(kit, texts, motion, frames, options)
        rows[name] = moved_row(kit, judge, name, example, clips, alone) | {"gain": motion.report["gain"]}
        rows[name]["without"] = judge(alone)
        film = strip([example_of(example).images, *alone[:1], *clips])
        write_output(options.out.with_name(f"{options.out.stem}-{name}.png"), png_bytes(film))
        print(json.dumps({name: rows[name]}), flush=True)
        write_output(options.out, json.dumps({"settings": settings, "rows": rows}, indent=1).encode())
    asked_rows = {name: rows[name] for name in asked}
    total = {f: [round(x, 3) for x in mean_interval(_all(asked_rows, f))] for f in FIGURES}
    return {"settings": settings, "config": dataclasses.asdict(config), "rows": rows, "total": total}


def _finished(out: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The rows that an earlier run with these settings left; none where there are others, or no such file."""
    try:
        found = json.loads(out.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found["rows"] if isinstance(found, dict) and found.get("settings") == settings else {}


def _all(rows: dict[str, Any], figure: str) -> list[float]:
    return list(np.concatenate([row[figure] for row in rows.values()]))


def add_options(parser: argparse.ArgumentParser) -> None:
    add, usual = parser.add_argument, MotionConfig()
    add("--out", type=Path, required=True, metavar="FILE", help="figures as JSON; film strips beside it")
    add("--motions", nargs="*", choices=tuple(MOTIONS), help="which (default: all)")
    add("--others", type=int, default=4, help="characters that are to move like each example (%(default)s)")
    add("--split", choices=tuple(SPLITS), default="validation", help="whose characters (%(default)s)")
    add("--seed-offset", type=int, default=0, metavar="K", help="start at the K-th of the split")
    add("--layer", choices=tuple(LAYERS), default=usual.layer, help="kind of layer (%(default)s)")
    add("--steps", type=int, default=usual.steps, help="of training (%(default)s)")
    add("--rate", type=float, default=usual.learning_rate, help="learning rate (%(default)s)")
    add("--width", type=int, default=usual.inner, help="channels that the layers work in (%(default)s)")
    add("--sites", default=usual.layers.sites, metavar="LAYERS", help="where (%(default)s)")
    add("--start", type=float, default=usual.layers.start_percent, help="of the sampling (%(default)s)")
    add("--end", type=float, default=usual.layers.end_percent, help="of the sampling (%(default)s)")
    add("--given", type=float, default=usual.given, help="share of steps with the first frame given (%(default)s)")
    add("--recolour", type=float, default=usual.recolour, help="share of steps in other colours (%(default)s)")
    add("--strength", type=float, default=1.0, help="of the motion when it is drawn (%(default)s)")
    add("--shared", type=float, default=DRAWN_NOISE, help="share of the frames' noise in common (%(default)s)")
    add("--draw-steps", type=int, default=STEPS, help="of sampling (%(default)s)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")


def run(options: argparse.Namespace) -> None:
    require_whole_number("others", options.others, 1, 1000, "use 1 or more; 4 is usual.")
    found = evaluate_moves(TrialKitPaths(device=options.device).kit(), options)
    write_output(options.out, json.dumps(found, indent=1).encode())
    print(json.dumps(found["total"]))
