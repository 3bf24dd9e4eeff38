"""What `python -m seal_core move` does; its options are in `seal_core.cli.move_options`."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..demo.model_file import MOTION_FILE
from ..files.whole_file import ready_folder, temporary_folders, write_new_files
from ..hosts.base import Context, Host, Prompt
from ..messages import SealError, require_in_range
from ..method.sampling import RoutedContext, generate_context
from ..motion.temporal.clip_folder import shown_at
from ..motion.temporal.clip_host import Acting, repeated
from ..motion.temporal.draw_clips import draw_clips
from ..motion.temporal.example_clip import example_clip
from ..motion.temporal.learn_motion import MotionConfig, learn_motion
from ..motion.temporal.motion_file import SUFFIX, LearnedMotion, learned_motion_bytes, load_learned_motion
from ..pictures.png import png_bytes
from ..plots.training_figures import loss_plot
from ..stickers.canvas import rgba8
from ..stickers.pack.animation_encoder import SUFFIX as ENDINGS
from ..stickers.pack.animation_encoder import encode_animation
from ..stickers.pack.clip import Clip
from ..stickers.pack.read_folder import stickers_in
from ..stickers.platforms import platform_of
from .included import usual_guidance
from .model_and_concept import errors_name_option, memory_errors_of_device, open_model, read_concept
from .progress_bars import step_bar


def run(options: Namespace) -> None:
    """Learn the motion or read it, and draw with it. Raises SealError before the long part where it can."""
    require_in_range("strength", options.strength, 0, 10, "use 0 (no motion) to 2; 1 = as learned.")
    if options.example is None:
        if options.model:
            raise SealError(
                "example: none; give one animated sticker. What the pack knows moves the included model only."
            )
        options.example = MOTION_FILE
    learned_before = options.example.suffix == SUFFIX
    if learned_before and not options.prompt:
        raise SealError("prompt: empty; say what is to move, e.g. --prompt 'a sticker of a dog, jumping'.")
    if not learned_before and not options.caption.strip():
        raise SealError("caption: empty; say what the example shows, e.g. --caption 'a sticker of a cat, jumping'.")
    if options.cfg is None:
        options.cfg = usual_guidance(options)
    options.out = ready_folder(options.out, "out")
    if learned_before:
        motion = load_learned_motion(options.example)
        host = open_model(options)
    else:
        host, motion = _learned(options)
    if options.prompt:
        _draw(host, motion, options)


def _learned(options: Namespace) -> tuple[Host, LearnedMotion]:
    config = MotionConfig(
        layer=options.layer,
        steps=options.steps,
        learning_rate=options.learning_rate,
        inner=options.width,
        frames=options.frames,
        resolution=options.resolution,
        seed=options.seed,
    )
    frames = _frames(options.example, config.frames)
    host = open_model(options)
    config = config if config.resolution else replace(config, resolution=host.resolution)
    example, warnings = example_clip(frames, None, options.caption, frames=config.frames, resolution=config.resolution)
    started = time.perf_counter()
    with memory_errors_of_device(), step_bar(config.steps, "training") as bar:
        motion = learn_motion(host, example, config, _on_bar(bar))
    report = motion.report | {"seconds": round(time.perf_counter() - started, 2), "warnings": warnings}
    files = {
        SUFFIX: learned_motion_bytes(motion),
        ".loss.png": png_bytes(loss_plot(motion.report["losses"], [])),
        ".json": json.dumps(report, indent=2).encode(),
    }
    written = write_new_files(options.out, options.name, files, "out", elsewhere=temporary_folders())
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    gain, size = round(100 * motion.report["gain"]), len(files[SUFFIX])
    print(f"{written[SUFFIX]}: restores the frames {gain} % better, {size:,} bytes, {report['seconds']:.0f} s")
    return host, replace(motion, file=written[SUFFIX].stem)


def _frames(path: Path, count: int) -> Tensor:
    """(count, H, W, 4) in [0, 1]: the example at so many moments of equal distance."""
    if not path.exists():
        raise SealError(f"example: there is no file {path}; give an animated sticker.")
    try:
        [sticker] = stickers_in(path) if path.is_file() else stickers_in(path.parent, wanted=path.name.__eq__)
        clip = sticker.read()
    except SealError as error:
        raise SealError(f"example: {error}") from None
    if not clip.animated:
        raise SealError(f"example: {path} is one picture, which does not move; give an animated sticker.")
    return torch.from_numpy(clip.frames[shown_at(clip.durations, count)].astype(np.float32) / 255)


def _on_bar(bar: tqdm):
    def show(step: int, steps: int, losses: Sequence[float]) -> None:
        bar.set_postfix(loss=f"{np.mean(losses[-20:]):.4f}", refresh=False)
        bar.update()

    return show


def _draw(host: Host, motion: LearnedMotion, options: Namespace) -> None:
    motion.layers.to(host.device)
    with memory_errors_of_device(), step_bar(options.draw_steps, "drawing") as bar:
        [pictures] = draw_clips(
            host,
            motion.layers,
            _context(host, motion.frames, options),
            motion.frames,
            side=options.resolution or host.resolution,
            steps=options.draw_steps,
            cfg=options.cfg,
            seed=options.seed,
            acting=Acting.within(motion.where, host.sigmas, options.strength),
            negative=options.negative,
            on_step=lambda step, steps, x_0: bar.update(),
        )
    if not pictures.isfinite().all():
        raise SealError("dtype: the frames have values that are no numbers; use --dtype bfloat16 or float32.")
    shown = torch.cat([pictures, torch.ones_like(pictures[..., :1])], dim=-1)
    clip = Clip.at_rate(rgba8(shown.numpy()), options.fps)
    data = encode_animation(clip, platform_of("plain").motion, options.format).found.data
    ending, stem = f".{ENDINGS.get(options.format, options.format)}", f"{motion.file}-{options.seed}"
    path = write_new_files(options.out, stem, {ending: data}, "out", elsewhere=temporary_folders())[ending]
    print(f"{path}: {motion.frames} frames, {clip.total / 1000:.2f} s, {len(data):,} bytes")


@torch.no_grad()
def _context(host: Host, frames: int, options: Namespace) -> Context | RoutedContext:
    """The prompt's context, a row for each frame."""
    if options.embedding is None:
        with errors_name_option("prompts", "prompt"):
            return repeated(host.encode([Prompt(options.prompt)], {}), frames)
    with errors_name_option("prompts", "prompt"):
        found = generate_context(host, read_concept("embedding", options.embedding, ""), options.prompt)
    return replace(found, learned=repeated(found.learned, frames), plain=repeated(found.plain, frames))
