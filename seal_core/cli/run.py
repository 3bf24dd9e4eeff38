"""What the two commands do; see `seal_core.cli.main` for their options."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import math
import os
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image, PngImagePlugin
from torch import Tensor
from tqdm import tqdm

from ..concept.concept import Concept
from ..concept.file import encoded, load
from ..concept.strength import check_strength
from ..concept.vocabulary import check
from ..files.names import TAKING, safe_stem
from ..files.whole_file import ready, temporary_folders, write_new
from ..hosts.base import Prompt
from ..masks.methods import semantic_mask
from ..masks.self_attention import attention_mask
from ..messages import SealError, gathered
from ..method.choices import changed, in_words
from ..method.config import TrainConfig
from ..method.fitting import fit_references
from ..method.references import Reference, digest
from ..method.sampling import generate_context, sample
from ..method.training import TrainResult, train
from ..pictures.picture_file import read_picture
from ..plots import figures as plots
from .options import train_config
from .progress import training_bar

if TYPE_CHECKING:
    from ..hosts.diffusers.host import DiffusersHost


def train_command(options: Namespace) -> None:
    """Train, then write embedding, pictures and report. Raises SealError before the long part where it can."""
    resume = _trained("resume", options.resume, options.class_word) if options.resume else None
    config = train_config(options, resume)
    asked = {"preset": options.preset, "changed": changed(options.preset, config)}
    stem = safe_stem(options.name)
    images, masks = [read_picture(p, "image") for p in options.image], _masks(options)
    options.out = ready(options.out, "out")
    host = _host(options)
    check(host, config.tokens)
    config = config if config.resolution else replace(config, resolution=host.resolution)
    references, notes = _references(host, images, masks, options, config)
    started = time.perf_counter()
    with _running_out(), _bar(config.steps, "training") as bar:
        result = train(host, references, config, training_bar(bar), resume)
    inputs = digest(*images, *(r.mask for r in references))
    key = config.hash(host.fingerprint(), inputs, str(resume.provenance.get("hash", resume.file)) if resume else "")
    concept = replace(result.concept, file=stem, provenance={**result.concept.provenance, "hash": key})
    result.report.update(asked)
    _write_results(result, concept, references[0], options.out, notes, time.perf_counter() - started)


def _masks(options: Namespace) -> list[Tensor]:
    masks = [_grey(read_picture(p, "mask")) for p in options.mask or ()]
    if len(masks) not in (0, 1, len(options.image)):
        raise SealError(f"mask: {len(masks)} masks for {len(options.image)} images; give one for all, or one each.")
    return masks


def _references(
    host: DiffusersHost, images: list[Tensor], masks: list[Tensor], options: Namespace, config: TrainConfig
) -> tuple[list[Reference], list[str]]:
    """One reference a picture (they may differ in size), masks found where none is given."""
    references: list[Reference] = []
    notes: list[str] = []
    seen = functools.partial(attention_mask, host, class_word=config.tokens.class_word)
    for i, image in enumerate(images):
        if masks:
            mask, polarity = masks[i if len(masks) > 1 else 0], options.mask_polarity
        else:
            with gathered() as noticed:
                mask = semantic_mask(image, attention=lambda picture: seen(picture[..., :3]))[0]
            notes, polarity = [*notes, *noticed], "foreground"
        found, said = fit_references(image[None], mask, config.resolution, polarity)
        references, notes = [*references, *found], [*notes, *said]
    return references, list(dict.fromkeys(notes))


def _write_results(
    result: TrainResult, concept: Concept, reference: Reference, folder: Path, notes: list[str], seconds: float
) -> None:
    stem, report = concept.file, dict(result.report)
    leak = report["leakage"]
    shown = plots.before_after(
        reference.image,
        result.attention_before,
        result.attention_after,
        reference.mask,
        leak["before"],
        leak["after"],
    )
    chart = plots.loss_plot(result.losses, [result.merged_at] if result.merged_at else [])

    report["seconds"], warned = round(seconds, 2), [*notes, *report["warnings"]]

    def told(free: str) -> bytes:
        taken = [f"name: {stem} is taken in {folder}; this training is saved as {free}."] if free != stem else []
        report["file"], report["warnings"] = f"{free}.safetensors", [*taken, *warned]
        return json.dumps(report, indent=2).encode()

    files = {".safetensors": encoded(concept), ".loss.png": _png(chart), ".attention.png": _png(shown), ".json": told}
    path = write_new(folder, stem, files, "out", taken_by=TAKING, elsewhere=temporary_folders())[".safetensors"]
    for warning in report["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    if report["changed"]:
        print(f"{report['preset']}, but {in_words(report['changed'])}")
    if report["described"]:
        print(f'started as "{report["described"]["text"]}"')
    print(f"{path}: attention outside the subject {leak['before']:.0%} -> {leak['after']:.0%}, {seconds:.0f} s")
    print(f"in prompts: {concept.name}" + (f" or embedding:{stem}" if concept.carrier == "input" else ""))


def generate_command(options: Namespace) -> None:
    """Generate --count pictures, each from its own seed, written as it is finished."""
    if not math.isfinite(options.cfg) or abs(options.cfg) > 100:
        raise SealError(f"cfg: {options.cfg} is out of range; use a number such as 7.")
    check_strength(options.strength)
    if options.count < 1:
        raise SealError(f"count: {options.count} pictures; use 1 or more.")
    if not 0 <= options.seed < 2**63:
        raise SealError(f"seed: {options.seed} is out of range; use a whole number from 0 to 2^63 - 1.")
    size = _size(options.size)
    concept = _trained("embedding", options.embedding, options.class_word)
    options.out = ready(options.out, "out")
    host = _host(options)
    width, height = size or (host.resolution, host.resolution)
    with _errors_of("prompts", "prompt"):
        positive = generate_context(host, concept, options.prompt, options.strength)
    with torch.no_grad(), _errors_of("prompts", "negative"):
        negative = host.encode([Prompt(options.negative)], {})
    for seed in range(options.seed, options.seed + options.count):
        with _running_out(), _bar(options.steps, f"seed {seed}") as bar:
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
            image = host.decode_latents(latents)[0]
        if not image.isfinite().all():
            raise SealError("dtype: the picture has values that are no numbers; use --dtype bfloat16 or float32.")
        data = _png(image, {"prompt": options.prompt, "negative": options.negative, "seed": str(seed)})
        written = write_new(options.out, f"{concept.file}-{seed}", {".png": data}, "out", elsewhere=temporary_folders())
        print(written[".png"])


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


# Models, pictures and files


def _host(options: Namespace) -> DiffusersHost:
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # read when the library is imported
    try:
        from ..hosts.diffusers.host import DiffusersHost, quiet
    except ImportError as error:
        raise SealError(
            f"model: the command line needs diffusers and transformers ({error}); "
            'install them: pip install "seal-stickers[cli]".'
        ) from error
    quiet()
    try:
        device = torch.device(options.device) if options.device else None
    except RuntimeError:
        raise SealError(f"device: {options.device!r} is not known; use cpu, cuda, cuda:1 or mps.") from None
    dtype = None if options.dtype == "auto" else getattr(torch, options.dtype)
    return DiffusersHost.from_folder(options.model, device, dtype)


@contextlib.contextmanager
def _running_out() -> Iterator[None]:
    """A device that is out of memory as Python's own MemoryError."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error


def _bar(total: int, name: str) -> tqdm:
    return tqdm(total=total, desc=name, unit="step", dynamic_ncols=True, leave=False)


def _trained(option: str, path: Path, class_word: str) -> Concept:
    """The concept in a file; errors name the option instead of the node's input `name`."""
    with _errors_of(f"name: {path.name}", f"{option}: {path}"):
        return load(path, class_word)


@contextlib.contextmanager
def _errors_of(start: str, option: str) -> Iterator[None]:
    """Errors that begin with `start` begin with the command's option instead."""
    try:
        yield
    except SealError as error:
        if not str(error).startswith(start):
            raise
        raise SealError(option + str(error).removeprefix(start)) from error


def _grey(picture: Tensor) -> Tensor:
    """A mask from a picture: its alpha where that says something, else its brightness."""
    if picture.shape[-1] == 4 and float(picture[..., 3].min()) < 1:
        return picture[..., 3]
    return picture[..., :3].mean(dim=-1)


def _png(image: Tensor, texts: dict[str, str] | None = None) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, value in (texts or {}).items():
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    values = (image.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    Image.fromarray(values).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()
