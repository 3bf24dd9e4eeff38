"""The tiny model's file, and CLIP's tokenizer data: plain dictionaries, without diffusers or transformers.

One safetensors file in float16. Tensors: `unet.*`, `vae.*` (diffusers' names), `text_encoder.*` (the names of public
CLIP checkpoints, `text_model...`). Of the token table only the trained rows are stored, as `text_encoder.rows` with
their ids in `text_encoder.ids`; the others are drawn from a fixed seed with the mean and deviation of these. One
metadata key, `stickerworld`: sorted JSON of the configurations and the model card.
"""

from __future__ import annotations

import json
import lzma
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..files.tensor_file import read_shipped_tensors
from ..files.whole_file import write_output
from ..messages import SealError

DATA = Path(__file__).parent / "data"
MODEL_FILE = DATA / "tiny.safetensors"
MOTION_FILE = DATA / "motion.safetensors"
"""The model's temporal layers, which learned from clips of many characters: a motion for every prompt."""
MERGES_FILE = DATA / "clip_merges.txt.xz"

PARTS = ("unet", "text_encoder", "vae")
TABLE = "text_model.embeddings.token_embedding.weight"
VOCABULARY = 49408
START, END = VOCABULARY - 2, VOCABULARY - 1
"""Ids of the start and the end token; the end token pads, as in SD 1.x."""

_KEY = "stickerworld"
_FORMAT = 1
_SEED = 77
RETRAIN = "install the pack again; in a checkout of the repository, `python -m seal_core.world train` trains one"


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds. State dicts are float32; the token table has all VOCABULARY rows."""

    config: dict[str, Any]
    """`unet`, `text_encoder`, `vae`, `scheduler`: constructor arguments of the diffusers/transformers classes."""
    card: dict[str, Any]
    unet: dict[str, Tensor]
    text_encoder: dict[str, Tensor]
    vae: dict[str, Tensor]
    ids: tuple[int, ...]
    """Rows of the token table that training used, rising."""


def write_model(path: Path, file: ModelFile) -> Path:
    """Write `file` to `path` in float16, whole or not at all. Raises SealError if it cannot be written."""
    tensors = {
        f"{part}.{name}": tensor.detach().half().contiguous().cpu()
        for part in PARTS
        for name, tensor in getattr(file, part).items()
        if name != TABLE
    }
    ids = torch.tensor(file.ids, dtype=torch.int32)
    tensors["text_encoder.ids"] = ids
    tensors["text_encoder.rows"] = file.text_encoder[TABLE].detach()[ids.long()].half().contiguous().cpu()
    about = json.dumps({"format": _FORMAT, "config": file.config, "card": file.card}, sort_keys=True)
    write_output(path, to_bytes(tensors, metadata={_KEY: about}))
    return path


def read_model(path: Path = MODEL_FILE) -> ModelFile:
    """Read a model file. Raises SealError if it is missing, damaged or of another kind."""
    tensors, about = read_shipped_tensors(path, _KEY, "model", RETRAIN)
    try:
        if about["format"] != _FORMAT:
            raise SealError(f"model: {path} has format {about['format']}, this version reads {_FORMAT}; {RETRAIN}.")
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
        ids = tensors.pop("text_encoder.ids").long()
        rows = tensors.pop("text_encoder.rows").float()
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor.float()
        parts["text_encoder"][TABLE] = full_token_table(ids, rows)
        return ModelFile(config=about["config"], card=about["card"], ids=tuple(ids.tolist()), **parts)
    except (KeyError, IndexError, RuntimeError, TypeError) as error:
        raise SealError(f"model: {path} is not a whole StickerWorld model ({error!r}); {RETRAIN}.") from None


def full_token_table(ids: Tensor, rows: Tensor) -> Tensor:
    """(VOCABULARY, D) float32 token table: rows (n, D) at ids (n,), random rows like them elsewhere.

    Words that training never saw still need vectors of the usual size, equal on every machine.
    """
    generator = torch.Generator().manual_seed(_SEED)
    table = torch.randn(VOCABULARY, rows.shape[1], generator=generator)
    table = table * rows.std(dim=0) + rows.mean(dim=0)
    table[ids] = rows
    return table


@lru_cache(maxsize=1)
def clip_bpe() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """(vocabulary of 49408 tokens, merges) of CLIP's tokenizer (Radford et al. 2021; data MIT, OpenAI).

    Only the merges are stored. The vocabulary is, in order: the 256 bytes, the same as ends of words, the merged
    tokens, the two special tokens.
    """
    lines = lzma.decompress(MERGES_FILE.read_bytes()).decode().splitlines()
    merges = [(left, right) for left, _, right in (line.partition(" ") for line in lines)]
    letters = _byte_letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters), *(left + right for left, right in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}, merges


def _byte_letters() -> list[str]:
    """The printable character for each byte (byte-level BPE, Radford et al. 2019): bytes that are printable come first,
    the others borrow characters from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = len(set(range(256)) - set(printable))
    return [chr(code) for code in (*printable, *range(256, 256 + others))]
