"""A concept's low-rank weights as an ordinary LoRA, under the names that kohya's scripts gave them.

ComfyUI's LoraLoader, diffusers' `load_lora_weights`, Forge and others read it; none of them restricts it to some sites
or times, so it does there what our nodes do with all of the sampling allowed. Equal concepts give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..files.safe_names import TAKEN_BY
from ..files.whole_file import write_new_files
from ..messages import SealError
from .concept import Concept, LowRank

PREFIX = "lora_unet_"
SUFFIX = ".safetensors"
LORA = ".lora.safetensors"
"""Ending of a concept's weights where they lie beside the concept's own file, as the command line writes them."""
_MODELS = {"sd1": "sd_v1", "sd2": "sd_v2", "sdxl": "sdxl_base_v1-0"}


def weights_tensors(weights: Mapping[str, LowRank]) -> dict[str, Tensor]:
    """The tensors of weights by their names in a file: float32 on the CPU, alpha as large as the rank."""
    tensors: dict[str, Tensor] = {}
    for name, pair in weights.items():
        stem, rank = PREFIX + name.replace(".", "_"), len(pair.down)
        tensors[f"{stem}.alpha"] = torch.tensor(float(rank))
        for kind, factor in (("down", pair.down), ("up", pair.up)):
            tensors[f"{stem}.lora_{kind}.weight"] = factor.detach().to("cpu", torch.float32).clone().contiguous()
    return tensors


def weights_from(tensors: Mapping[str, Tensor], names: Iterable[str], what: str) -> dict[str, LowRank]:
    """The weights of layers `names` among a file's tensors. Raises SealError, beginning with `what`, for bad ones."""
    weights = {}
    for name in names:
        stem = PREFIX + name.replace(".", "_")
        alpha, down, up = (tensors.get(f"{stem}.{kind}") for kind in ("alpha", "lora_down.weight", "lora_up.weight"))
        if alpha is None or down is None or up is None:
            raise SealError(f"{what}: lacks the weights of {name}; the file is damaged, copy it again.")
        flat = down.ndim == up.ndim == 2 and alpha.numel() == 1 and not any(t.is_meta for t in (alpha, down, up))
        if not flat or len(down) != up.shape[1] or float(alpha) != len(down):
            raise SealError(f"{what}: {(*down.shape,)} and {(*up.shape,)} are no weights of {name}; copy it again.")
        if not bool(down.isfinite().all() and up.isfinite().all()):
            raise SealError(f"{what}: the weights of {name} are not finite (NaN); train again with a lower rate.")
        weights[name] = LowRank(down.float(), up.float())
    return weights


def lora_bytes(concept: Concept) -> bytes:
    """The bytes of a LoRA of a concept's weights. Raises SealError for a concept without weights."""
    if not concept.weights:
        raise SealError(f"embedding: {concept.name} has no weights, so there is no LoRA of it; load its embedding.")
    rank = str(max(len(pair.down) for pair in concept.weights.values()))
    about = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": rank,
        "ss_network_alpha": rank,
        "ss_base_model_version": _MODELS.get(concept.family.name, concept.family.name),
        "ss_training_comment": f"SEAL for ComfyUI: {concept.class_word}; belongs to the embedding {concept.name}",
    }
    return to_bytes(weights_tensors(concept.weights), metadata=about)


def save_lora(concept: Concept, folder: Path, stem: str, elsewhere: Iterable[Path] = ()) -> Path:
    """Write a concept's weights to folder/stem.safetensors, as `save_concept` writes the concept."""
    files = {SUFFIX: lora_bytes(concept)}
    return write_new_files(folder, stem, files, "name", taken_by=TAKEN_BY, elsewhere=elsewhere)[SUFFIX]
