"""What `python -m seal_core generate` does; its options are in `seal_core.cli.generate_options`."""

from __future__ import annotations

import math
from argparse import Namespace

import torch

from ..concept.concept import Concept
from ..concept.strength import check_strength
from ..files.whole_file import ready_folder, temporary_folders, write_new_files
from ..hosts.base import Context, Host, Prompt
from ..messages import SealError
from ..method.sampling import RoutedContext, generate_context, sample
from ..pictures.png import png_bytes
from .included import usual_guidance
from .model_and_concept import errors_name_option, memory_errors_of_device, open_model, read_concept
from .progress_bars import step_bar


def run(options: Namespace) -> None:
    """Generate --count pictures, each from its own seed, and write each as it is finished. Raises SealError."""
    if options.cfg is None:
        options.cfg = usual_guidance(options)
    _check(options)
    size = _size(options.size)
    concept = read_concept("embedding", options.embedding, options.class_word)
    options.out = ready_folder(options.out, "out")
    host = open_model(options)
    positive, negative = _contexts(host, concept, options)
    for seed in range(options.seed, options.seed + options.count):
        image = _picture(host, positive, negative, size or (host.resolution, host.resolution), seed, options)
        if not image.isfinite().all():
            raise SealError("dtype: the picture has values that are no numbers; use --dtype bfloat16 or float32.")
        data = png_bytes(image, {"prompt": options.prompt, "negative": options.negative, "seed": str(seed)})
        stem, spare = f"{concept.file}-{seed}", temporary_folders()
        print(write_new_files(options.out, stem, {".png": data}, "out", elsewhere=spare)[".png"])


def _check(options: Namespace) -> None:
    """Raise SealError for numbers out of range, before anything is read."""
    if not math.isfinite(options.cfg) or abs(options.cfg) > 100:
        raise SealError(f"cfg: {options.cfg} is out of range; use a number such as 7.")
    check_strength(options.strength)
    if options.count < 1:
        raise SealError(f"count: {options.count} pictures; use 1 or more.")
    if not 0 <= options.seed < 2**63:
        raise SealError(f"seed: {options.seed} is out of range; use a whole number from 0 to 2^63 - 1.")


def _size(text: str) -> tuple[int, int] | None:
    """(width, height) of "512" or "768x512"; None for nothing."""
    if not text:
        return None
    sides = text.lower().split("x")
    if not all(side.isdecimal() and len(side) < 9 for side in sides) or len(sides) > 2:
        raise SealError(f"size: {text[:40]!r} is no size; write e.g. 512 or 768x512.")
    width, height = int(sides[0]), int(sides[-1])
    if width % 8 or height % 8 or not 64 <= min(width, height) <= max(width, height) <= 4096:
        raise SealError(f"size: {text} is not possible; use multiples of 8 from 64 to 4096 pixels.")
    return width, height


def _contexts(host: Host, concept: Concept, options: Namespace) -> tuple[RoutedContext, Context]:
    """Contexts of the prompt and of the negative prompt."""
    with errors_name_option("prompts", "prompt"):
        positive = generate_context(host, concept, options.prompt, options.strength)
    with torch.no_grad(), errors_name_option("prompts", "negative"):
        return positive, host.encode([Prompt(options.negative)], {})


def _picture(
    host: Host, positive: RoutedContext, negative: Context, size: tuple[int, int], seed: int, options: Namespace
) -> torch.Tensor:
    """One picture (H, W, 3) of the size (width, height)."""
    width, height = size
    with memory_errors_of_device(), step_bar(options.steps, f"seed {seed}") as bar:
        latents = sample(
            host,
            positive,
            negative,
            height=height,
            width=width,
            steps=options.steps,
            cfg=options.cfg,
            generator=torch.Generator().manual_seed(seed),
            on_step=lambda step, steps, x0: bar.update(),
        )
        return host.decode_latents(latents)[0]
