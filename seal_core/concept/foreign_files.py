"""Embedding files of any maker: their tensors, read within bounds. Nothing in a file is ever run.

Which tensor a text encoder takes is ComfyUI's rule (`load_embed` in its comfy/sd1_clip.py, the same from 0.8.0 to
0.38.1): the first of `string_to_param`; of a list, all as wide as the encoder's; else the tensor named after the
encoder; else those that a LoRA brings as `bundle_emb.*`; else the first tensor, whatever its name.
"""

from __future__ import annotations

import contextlib
import stat
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

from ..hosts.base import Family
from ..messages import SealError
from .lora_file import PREFIX

FAMILIES = (
    Family("sdxl", (("clip_l", 768), ("clip_g", 1280))),
    Family("sd1", (("clip_l", 768),)),
    Family("sd2", (("clip_h", 1024),)),
)
"""Base models in the order in which a foreign file is tried; one with vectors for both encoders is SDXL's."""

MOST_VECTORS = 4096
MAX_HEADER = 16 << 20
"""A LoRA's is 1 MB at most."""
_MAX_KEYS = 20_000
_MAX_BYTES = 256 << 20  # of what has to be read as a whole
_OURS = ("emb_params", "tail")
_WIDTHS = {encoder: width for family in FAMILIES for encoder, width in family.widths}
_BUNDLE = "bundle_emb."
_FLOATS = {torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2}
_FLOATS |= {torch.float8_e4m3fnuz, torch.float8_e5m2fnuz}


def read_embedding_file(path: Path, what: str) -> tuple[dict[str, Tensor], str | None]:
    """(the tensors that may matter, in the file's order; SEAL's metadata or None) of a .safetensors, .pt or .bin file.

    Raises SealError, beginning with `what`, for files that are not regular, damaged, or too large for an embedding.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # before it is opened: a pipe would block for ever
            raise SealError(f"{what}: is not a file; choose another.")
        if not status.st_size:
            raise SealError(f"{what}: is empty; choose another file, or copy it again.")
        if path.suffix.lower() in (".safetensors", ".sft"):
            return _safetensors(path, what)
        return _pickled(path, status.st_size, what), None
    except SealError:
        raise
    except FileNotFoundError:
        raise SealError(f"{what}: no such file; choose another.") from None
    except Exception as error:  # safetensors, zipfile and torch.load raise a dozen types
        raise damaged_file(what, error) from error


def damaged_file(what: str, error: Exception) -> SealError:
    """The error for a file that cannot be understood."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
    if type(error).__name__ == "UnpicklingError":  # torch's text is a page of advice to programmers
        first = "not a file of plain tensors"
    return SealError(f"{what}: is damaged or no embedding ({first}); copy it again or choose another.")


def header_size(start: bytes) -> int:
    """Length of a safetensors header, from the file's first eight bytes; 0 for none or one too long."""
    (size,) = struct.unpack("<Q", start) if len(start) == 8 else (0,)
    return size if size <= MAX_HEADER else 0


def _safetensors(path: Path, what: str) -> tuple[dict[str, Tensor], str | None]:
    with open(path, "rb") as raw:
        start = raw.read(8)
    if len(start) == 8 and not header_size(start):
        raise SealError(f"{what}: its header is empty or larger than an embedding's; choose another file.")
    with safe_open(path, framework="pt", device="cpu") as file:
        ordered = file.offset_keys() if hasattr(file, "offset_keys") else file.keys()
        keys = [str(key) for key in ordered]  # in the order of safetensors' load_file, as ComfyUI reads them
        if len(keys) > _MAX_KEYS:
            raise SealError(f"{what}: holds {len(keys):,} tensors, which is no embedding; choose another file.")
        wanted = {name for encoder in _WIDTHS for name in keys_for_encoder(keys, encoder)}.union(_OURS)
        tensors, ours = {}, (file.metadata() or {}).get("seal")
        for key in keys:
            if key in wanted or (ours is not None and key.startswith(PREFIX)):
                shape = file.get_slice(key).get_shape()
                small = torch.Size(shape).numel() <= MOST_VECTORS * max(_WIDTHS.values())
                # A tensor that is too large is not read; its shape is enough for the error.
                tensors[key] = file.get_tensor(key) if small else torch.empty(shape, device="meta")
        return tensors, ours


def _pickled(path: Path, size: int, what: str) -> dict[str, Tensor]:
    """Tensors of a .pt or .bin file. One that holds more than plain tensors is read as the floats it stores."""
    zipped = zipfile.is_zipfile(path)
    if zipped:
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist())
    if size > _MAX_BYTES:
        raise SealError(f"{what}: is too large for an embedding; choose another file.")
    # The first Textual Inversion kept its vectors in a ParameterDict, which holds tensors and no code.
    allowed = getattr(torch.serialization, "safe_globals", lambda _: contextlib.nullcontext())
    try:
        with allowed([nn.ParameterDict]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        vectors = _stored_floats(path) if zipped else None
        if vectors is None:
            raise
        return {"emb_params": vectors}
    return _flat(content, what)


def _stored_floats(path: Path) -> Tensor | None:
    """The last storage of a .pt file that can be vectors, as ComfyUI reads files that it does not unpickle."""
    with zipfile.ZipFile(path) as archive:
        for info in reversed(archive.infolist()):
            count = info.file_size // 4
            if "data/" in info.filename and count >= 768:
                width = 768 if count % 768 == 0 else 1024
                return torch.from_numpy(np.frombuffer(archive.read(info), "<f4").reshape(-1, width).copy())
    return None


def _flat(content: Any, what: str) -> dict[str, Tensor]:
    """The result of torch.load as name -> tensor, in the file's order."""
    if _plain(content):
        return {"emb_params": content}
    if isinstance(content, list):
        found = [t for item in content for t in ([item] if _plain(item) else _named(item).values())]
        by_width = {e: [t for t in found if t.ndim and t.shape[-1] == width] for e, width in _WIDTHS.items()}
        tensors = {encoder: join_vectors(some, what, apart=True) for encoder, some in by_width.items() if some}
    else:
        params = content.get("string_to_param") if isinstance(content, Mapping) else None
        tensors = dict(list(_named(params).items())[:1]) if params is not None else _named(content)
    if not tensors:
        raise SealError(f"{what}: holds no embedding that SEAL can read; convert it to safetensors, or choose another.")
    return tensors


def _named(content: Any) -> dict[str, Tensor]:
    items = content.items() if isinstance(content, Mapping | nn.ParameterDict) else ()
    return {key: value.detach() for key, value in items if isinstance(key, str) and _plain(value)}


def keys_for_encoder(keys: Iterable[str], encoder: str) -> list[str]:
    """The names of the tensors that a text encoder takes, to be joined in this order."""
    keys = list(keys)
    if encoder in keys:
        return [encoder]
    for suffix in (".string_to_param.*", f".{encoder}"):
        bundled = [key for key in keys if key.startswith(_BUNDLE) and key.endswith(suffix)]
        if bundled:
            return bundled
    return keys[:1]


def join_vectors(tensors: Sequence[Tensor], what: str, apart: bool = False) -> Tensor:
    """Vectors (n, width) float32 of one or several tensors. Raises SealError for none and for too many.

    (width,) is one vector and (n, 1, width) are n, as in ComfyUI. With `apart`, all axes but the last count vectors.
    """
    if not tensors or sum(t.numel() for t in tensors) > MOST_VECTORS * max(_WIDTHS.values()):
        kind = "more than an embedding's" if tensors else "no"
        raise SealError(f"{what}: holds {kind} vectors; choose another file.")
    rows = [t.reshape(-1, t.shape[-1]) if t.numel() and t.ndim and (apart or _one_between(t)) else t for t in tensors]
    usable = all(t.ndim == 2 and t.numel() and t.shape[1] == rows[0].shape[1] and _is_float(t) for t in rows)
    if not usable:
        raise SealError(f"{what}: {tuple(tensors[0].shape)} is not a list of vectors (n, width); load another file.")
    return torch.cat([t.float() for t in rows])


def _one_between(tensor: Tensor) -> bool:
    """Whether all axes between a tensor's first and last are 1."""
    return tensor.ndim == 1 or all(side == 1 for side in tensor.shape[1:-1])


def _is_float(tensor: Tensor) -> bool:
    return tensor.dtype in _FLOATS and not tensor.is_meta


def _plain(value: Any) -> bool:
    """Whether it is a tensor with its values in memory: neither sparse nor nested."""
    return isinstance(value, Tensor) and value.layout is torch.strided and not value.is_nested


def vectors_by_width(tensors: Mapping[str, Tensor], what: str) -> tuple[Family, dict[str, Tensor]]:
    """(base model, text encoder -> (n, width) float32) of a file that does not name its base model; the widths tell.

    SDXL's encoders may have different numbers of vectors, as in ComfyUI. Raises SealError where no base model fits.
    """
    refused = None
    for family in FAMILIES:
        try:
            found = {e: join_vectors([tensors[k] for k in keys_for_encoder(tensors, e)], what) for e in family.encoders}
        except SealError as error:
            refused = refused or error
            continue
        if all(found[e].shape[1] == width for e, width in family.widths):
            return family, found
    if refused is not None:
        raise refused
    keys = ", ".join(sorted(tensors)[:4])
    widths = ", ".join(str(w) for w in dict.fromkeys(t.shape[-1] for t in tensors.values()))
    raise SealError(
        f"{what}: its vectors ({keys}) are {widths} wide, which belongs to none of SD 1.x (768), SD 2.x (1024) and "
        "SDXL (clip_l 768 and clip_g 1280); choose another file."
    )
