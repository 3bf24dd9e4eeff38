"""Options that train and generate share. Imports no torch."""

from __future__ import annotations

import argparse
from pathlib import Path

DTYPES = ("auto", "float32", "bfloat16", "float16")


def add_model_option(command: argparse.ArgumentParser) -> None:
    """--model, the base model."""
    command.add_argument(
        "--model",
        type=Path,
        metavar="DIR",
        help="diffusers folder, the one with model_index.json (default: the included tiny model, which knows eight "
        "animals and is for trying)",
    )


def add_run_options(command: argparse.ArgumentParser) -> None:
    """--seed, --device, --dtype and --out: how it runs, and where its files go."""
    add = command.add_argument
    add("--seed", type=int, default=0, help="same seed, same result on one machine (default 0)")
    add("--device", default=None, help="cpu, cuda, cuda:1, mps (default: the GPU where there is one)")
    add("--dtype", choices=DTYPES, default="auto", help="precision of the U-Net (auto: float32, on CUDA bfloat16)")
    add("--out", default=".", metavar="DIR", help="where files go (default: here)")
