"""The trained model as the one file that ships, with its card."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import torch

from .files import MODEL_FILE
from .model import save_model
from .train_kit import WORK
from .train_unet import Training

MAX_BYTES = 24_000_000
"""What the pack may ship."""


def last_lines(log: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """The latest value of each key in a JSONL log; nothing for a log that is not there."""
    found: dict[str, Any] = {}
    if log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            values = json.loads(line)
            found |= {key: values[key] for key in keys if key in values}
    return found


def card(job: Training) -> dict[str, Any]:
    """What is told about the model: data, amount of training, machine, figures on unseen characters."""
    about, vae = job.about, job.folder / "vae.jsonl"
    return {
        "name": "StickerWorld tiny model",
        "data": f"{len(job.latents)} procedural stickers of StickerWorld's training characters; no other pictures",
        "licence": "the pack's own; the tokenizer's merges are CLIP's (MIT)",
        "unet": {"steps": job.weights.steps, "samples": about["samples"], "minutes": round(about["seconds"] / 60)},
        "vae": last_lines(vae, ("step", "seconds", "psnr")),
        "device": torch.cuda.get_device_name() if job.device.type == "cuda" else platform.processor() or "CPU",
        "held_out": job.held_out(job.averaged()),
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--folder", type=Path, default=WORK, help="states of the trainings (%(default)s)")
    add("--out", type=Path, default=MODEL_FILE, help="(%(default)s)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")


def run(options: argparse.Namespace) -> None:
    job = Training(options.folder, options.device, 0.0)
    path = save_model(job.averaged(), options.out, card(job))
    size = path.stat().st_size
    print(f"{path}: {size / 1e6:.1f} MB" + (f", more than the {MAX_BYTES / 1e6:.0f} allowed" * (size > MAX_BYTES)))
