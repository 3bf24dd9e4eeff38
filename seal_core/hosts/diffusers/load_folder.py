"""Load a local diffusers folder; errors say what is wrong with it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import diffusers
import torch

from ...messages import SealError
from .unet import transformer_refused

NEEDED = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


def load_pipeline(path: Path, device: str | torch.device | None, dtype: torch.dtype | None) -> Any:
    """The pipeline of a folder: U-Net in `dtype`, the rest in float32, all on `device`.

    Only safetensors are read. Raises SealError where the folder is missing, damaged or of another kind.
    """
    parts = _index(path)
    place = torch.device(device) if device is not None else _best_device()
    dtype = dtype or _best_dtype(place)
    options: dict[str, Any] = {n: None for n in ("safety_checker", "feature_extractor", "image_encoder") if n in parts}
    if "requires_safety_checker" in parts:
        options["requires_safety_checker"] = False
    try:
        with warnings.catch_warnings():
            # torch_dtype works in old and new diffusers; new ones warn
            warnings.simplefilter("ignore", FutureWarning)
            pipe = diffusers.DiffusionPipeline.from_pretrained(
                str(path),
                local_files_only=True,
                use_safetensors=True,
                variant=_variant(path / "unet"),
                torch_dtype={"default": torch.float32, "unet": dtype},
                **options,
            )
    except Exception as error:  # every library below raises its own types
        reason = " ".join(str(error).split())[:300]
        raise SealError(
            f"model: {path} cannot be loaded ({type(error).__name__}: {reason}). It may be incomplete: "
            "download or convert it again, with safetensors weights."
        ) from error
    try:
        return pipe.to(place)
    except (RuntimeError, AssertionError) as error:  # CUDA that is absent or full
        raise SealError(f"device: the model cannot be put on {place} ({error}); try --device cpu.") from error


def _index(path: Path) -> dict[str, Any]:
    """The parts that model_index.json lists. Raises SealError where SEAL needs another."""
    remedy = "give a local diffusers folder, the one that holds model_index.json."
    if not path.is_dir():
        raise SealError(f"model: {path} is {'a file' if path.exists() else 'not there'}; {remedy}")
    try:
        index = json.loads((path / "model_index.json").read_text(encoding="utf-8"))
        parts = {k: v for k, v in index.items() if not k.startswith("_")}
    except FileNotFoundError:
        raise SealError(f"model: {path} has no model_index.json; {remedy}") from None
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise SealError(f"model: {path / 'model_index.json'} cannot be read ({error}); download it again.") from None
    if "unet" not in parts and "transformer" in parts:
        raise SealError(transformer_refused(str(index.get("_class_name", "this pipeline"))))
    missing = [name for name in NEEDED if name not in parts]
    if missing:
        raise SealError(
            f"model: {path} is a {index.get('_class_name', 'pipeline')} without {', '.join(missing)}; "
            "use a folder of SD 1.x, SD 2.x or SDXL."
        )
    return parts


def _variant(unet: Path) -> str | None:
    """The variant of the weights ("fp16") where the U-Net has no plain file."""
    stem = "diffusion_pytorch_model"
    if not (unet / f"{stem}.safetensors").exists():
        for found in sorted(unet.glob(f"{stem}.*.safetensors")):
            return found.name.removeprefix(f"{stem}.").removesuffix(".safetensors").split("-")[0].split(".")[0] or None
    return None


def _best_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _best_dtype(device: torch.device) -> torch.dtype:
    """Half precision only where it is fast; bfloat16 first, whose range gradients need."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
