"""The finished autoencoder of a training folder, with which `train latents` encodes."""

from __future__ import annotations

from pathlib import Path

from diffusers import AutoencoderKL

from ...files.tensor_file import read_shipped_tensors

READY = "vae-ready.safetensors"
KEY = "stickerworld-vae"
REMEDY = "run `python -m seal_core.world train latents`"


def ready_vae(folder: Path) -> AutoencoderKL:
    """The VAE that encoded the latents of a folder. Raises SealError if `latents.prepare_vae` has not written it."""
    tensors, about = read_shipped_tensors(folder / READY, KEY, "folder", REMEDY)
    vae = AutoencoderKL(**about["config"])
    vae.load_state_dict(tensors)
    return vae.eval()
