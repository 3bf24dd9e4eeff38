"""The trained model as the one file that ships, with its card."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import torch

from ...demo.model import save_model
from ...demo.model_file import MODEL_FILE
from ...files.whole_file import write_output
from .time_budget import WORK
from .train_unet import UnetTraining

MAX_BYTES = 24_000_000
"""What the pack may ship."""


def last_lines(log: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """The latest value of each key in a JSONL log; empty if there is no log."""
    found: dict[str, Any] = {}
    if log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            values = json.loads(line)
            found |= {key: values[key] for key in keys if key in values}
    return found


def card(job: UnetTraining) -> dict[str, Any]:
    """The model card's facts: data, amount of training, machine, figures on unseen characters."""
    about, folder = job.about, job.folder
    return {
        "name": "StickerWorld tiny model",
        "data": f"{len(job.latents)} procedural stickers of StickerWorld's training characters; no other pictures",
        "licence": "the pack's own; the tokenizer's merges are CLIP's (MIT)",
        "unet": {"steps": job.weights.steps, "samples": about["samples"], "minutes": round(about["seconds"] / 60)},
        "vae": last_lines(folder / "vae.jsonl", ("step", "seconds", "images", "psnr")),
        "decoder": last_lines(folder / "decoder.jsonl", ("step", "seconds", "images", "psnr")),
        "device": torch.cuda.get_device_name() if job.device.type == "cuda" else f"CPU, {os.cpu_count()} cores",
        "held_out": job.held_out(job.averaged()),
    }


def card_text(told: dict[str, Any], size: int) -> str:
    """The model card as Markdown. size: the model file's, in bytes."""
    unet, vae, decoder = told["unet"], told["vae"], told["decoder"]
    lines = [
        f"# {told['name']}",
        "",
        "A latent diffusion model in miniature for 128 px stickers: Stable Diffusion's parts (U-Net with",
        "cross-attention, CLIP text encoder with CLIP's tokenizer, KL autoencoder, v-prediction), made by",
        "`python -m seal_core.world train`. It knows eight species, six emotions and actions, four framings, five",
        "styles and twelve backgrounds, and nothing else: it is for trying and measuring this pack, not for pictures",
        "of the wider world.",
        "",
        "| | |",
        "|---|---|",
        f"| file | {size / 1e6:.1f} MB, float16 |",
        f"| data | {told['data']} |",
        f"| licence | {told['licence']} |",
        f"| U-Net and text encoder | {unet['steps']:,} steps, {unet['samples']:,} samples, {unet['minutes']} minutes |",
        f"| autoencoder | {_passage(vae)} |",
        f"| its decoder, trained on | {_passage(decoder)} |",
        f"| machine | {told['device']} |",
        f"| v-prediction error on unseen characters | {', '.join(f'{k} {v}' for k, v in told['held_out'].items())} |",
    ]
    return "\n".join(lines) + "\n"


def _passage(told: dict[str, Any]) -> str:
    if not told:
        return "not"
    time = f"{told['step']:,} steps, {told['seconds'] / 60:.0f} minutes"
    return f"{time}; PSNR {told['psnr']:.1f} dB on unseen characters"


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--folder", type=Path, default=WORK, help="states of the trainings (%(default)s)")
    add("--out", type=Path, default=MODEL_FILE, help="(%(default)s)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")


def run(options: argparse.Namespace) -> None:
    """Write the model and, beside it, MODEL_CARD.md."""
    job = UnetTraining(options.folder, options.device, 0.0)
    told = card(job)
    path = save_model(job.averaged(), options.out, told)
    size = path.stat().st_size
    write_output(path.with_name("MODEL_CARD.md"), card_text(told, size).encode())
    print(f"{path}: {size / 1e6:.1f} MB" + (f", more than the {MAX_BYTES / 1e6:.0f} allowed" * (size > MAX_BYTES)))
