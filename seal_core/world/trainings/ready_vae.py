"""The finished autoencoder of a training folder, with which `train latents` encodes."""

from __future__ import annotations

import json
from pathlib import Path

from diffusers import AutoencoderKL
from safetensors.torch import save as to_bytes

from ...files.tensor_file import read_shipped_tensors
from ...files.whole_file import write_output

READY = "vae-ready.safetensors"
KEY = "stickerworld-vae"
REMEDY = "run `python -m seal_core.world train latents`"


def ready_vae(folder: Path) -> AutoencoderKL:
    """The VAE that encoded the latents of a folder. Raises SealError if `latents.prepare_vae` has not written it."""
    tensors, about = read_shipped_tensors(folder / READY, KEY, "folder", REMEDY)
    vae = AutoencoderKL(**about["config"])
    vae.load_state_dict(tensors)
    return vae.eval()


def write_ready_vae(folder: Path, vae: AutoencoderKL, about: dict[str, object]) -> Path:
    """about: "config" and whatever tells where it is from."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in vae.state_dict().items()}
    write_output(folder / READY, to_bytes(tensors, metadata={KEY: json.dumps(about)}))
    return folder / READY
