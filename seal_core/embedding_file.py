"""Learned concepts on disk: safetensors that ComfyUI's own `embedding:NAME` reads too.

Tensors: `emb_params` (one text encoder) or `clip_l` and `clip_g` (SDXL), nothing else, because ComfyUI
takes whatever key sorts first; `tail` for an output tail. All that SEAL adds stands in one metadata
key `seal` as sorted JSON without times, so that equal concepts give equal bytes. Names of files are the
subject of `seal_core.file_names`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import secrets
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from .config import Layers, Tokens
from .embedding import Concept
from .errors import SealError
from .file_names import entries, safe_stem, unique_stem
from .host import Family

__all__ = ["find_trained", "load", "safe_stem", "save", "unique_stem"]

FORMAT = 1
_KNOWN = {768: Family("sd1", (("clip_l", 768),)), 1024: Family("sd2", (("clip_h", 1024),))}
_SDXL = Family("sdxl", (("clip_l", 768), ("clip_g", 1280)))
_MAX_BYTES = 256 << 20  # 75 vectors of SDXL are 0.6 MB: anything this large is a checkpoint
_MAX_HEADER = 16 << 20


def save(concept: Concept, folder: Path, stem: str) -> Path:
    """Write `concept` to folder/stem.safetensors and return that path.

    The file appears whole or not at all: written under a hidden temporary name, synced, renamed.
    An existing file of that name is replaced; `unique_stem` finds a free one.
    Raises SealError for a bad stem, bad vectors, no free disk or a folder that cannot be written.
    """
    safe_stem(stem)
    target = Path(folder) / f"{stem}.safetensors"
    data = to_bytes(_tensors(concept), metadata={"seal": _metadata(concept)})
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, data)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "no free disk space; free some, then queue again"
        else:
            remedy = f"{error.strerror or error}; check that ComfyUI may write there"
        raise SealError(f"name: {target} could not be saved: {remedy}. Nothing was changed.") from error
    return target


def _replace(target: Path, data: bytes) -> None:
    # A leading dot and a suffix that is no embedding's keep a leftover out of ComfyUI's lists.
    temporary = target.parent / f".{target.stem}.{secrets.token_hex(6)}.part"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    with contextlib.suppress(OSError):  # Windows and some network disks cannot sync a folder: the file is whole anyway
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _tensors(concept: Concept) -> dict[str, Tensor]:
    tail = concept.carrier == "tail"
    expected = ("tail",) if tail else concept.family.encoders
    if tuple(sorted(concept.vectors)) != tuple(sorted(expected)):
        raise SealError(
            f"embedding: {concept.name} has vectors for {', '.join(concept.vectors) or 'nothing'}, "
            f"but {concept.family} takes {', '.join(expected)}."
        )
    widths = {"tail": sum(dict(concept.family.widths).values())} if tail else dict(concept.family.widths)
    for key, vectors in concept.vectors.items():
        _check(vectors, f"embedding: {concept.name}, {key}", widths[key])
    single = not tail and len(expected) == 1
    return {
        "emb_params" if single else key: vectors.detach().to("cpu", torch.float32).clone().contiguous()
        for key, vectors in concept.vectors.items()
    }


def _check(vectors: Any, what: str, width: int | None = None) -> None:
    if not isinstance(vectors, Tensor) or not vectors.is_floating_point() or vectors.ndim != 2 or vectors.shape[0] == 0:
        shape = tuple(vectors.shape) if isinstance(vectors, Tensor) else type(vectors).__name__
        raise SealError(f"{what}: {shape} is not a list of vectors (n, width); load another file.")
    if width is not None and vectors.shape[1] != width:
        raise SealError(f"{what}: vectors are {vectors.shape[1]} wide instead of {width}; load another file.")
    if not bool(torch.isfinite(vectors.float()).all()):
        raise SealError(f"{what}: holds values that are not finite (NaN); train again with a lower learning_rate.")


def _metadata(concept: Concept) -> str:
    values = {
        "format": FORMAT,
        "name": concept.name,
        "class_word": concept.class_word,
        "family": {"name": concept.family.name, "widths": concept.family.widths},
        "carrier": concept.carrier,
        "tokens": dataclasses.asdict(concept.tokens),
        "layers": dataclasses.asdict(concept.layers),
        "clip_skip": concept.clip_skip,
        "provenance": dict(concept.provenance),
    }
    try:
        return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SealError(f"embedding: the provenance of {concept.name} is not plain JSON ({error}).") from error


def load(path: Path, class_word: str = "", name: str = "") -> Concept:
    """The concept in a file: ours, or a third-party Textual Inversion (.safetensors, .pt, .bin).

    class_word: what the concept is. Our files know it (a given one overrides); third-party files do not.
    name: how prompts call it; empty = the file's own, or <stem>.
    Third-party families are told by widths: 768 = SD 1.x, 1024 = SD 2.x, clip_l 768 + clip_g 1280 = SDXL.
    Raises SealError, naming the node input `name` or `class_word`, for files that hold no usable embedding.
    """
    path = Path(path)
    what = f"name: {path.name}"
    tensors, metadata = _read(path, what)
    recorded = _recorded(metadata, what)
    family, carrier, vectors = _interpret(tensors, recorded, what)
    class_word = class_word.strip() or recorded.get("class_word", "")
    if not class_word:
        raise SealError(
            f"class_word: empty, and {path.name} does not say what it shows; write a word or two, e.g. cat. "
            "SEAL puts it where the concept may not enter."
        )
    return Concept(
        name=name.strip() or recorded.get("name", f"<{path.stem}>"),
        class_word=class_word,
        vectors=vectors,
        family=family,
        carrier=carrier,
        tokens=recorded.get("tokens") or Tokens(f"<{path.stem}>", class_word, split=1, context_token=False),
        layers=recorded.get("layers", Layers()),
        clip_skip=recorded.get("clip_skip"),
        file=path.stem,
        provenance=recorded.get("provenance", {}),
    )


def _read(path: Path, what: str) -> tuple[dict[str, Tensor], str | None]:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise SealError(f"{what}: is not a file; choose another.")
        if not 0 < size <= _MAX_BYTES:
            kind = "empty" if size == 0 else "too large for an embedding"
            raise SealError(f"{what}: is {kind}; choose another file, or copy it again.")
        if path.suffix.lower() in (".safetensors", ".sft"):
            with safe_open(path, framework="pt", device="cpu") as file:
                metadata = (file.metadata() or {}).get("seal")
                return {key: file.get_tensor(key) for key in file.keys()}, metadata  # noqa: SIM118 (not a dict)
        return _flat(torch.load(path, map_location="cpu", weights_only=True), what), None
    except SealError:
        raise
    except FileNotFoundError:
        raise SealError(f"{what}: no such file; choose another.") from None
    except Exception as error:  # safetensors and torch.load raise a dozen kinds, depending on what is broken
        raise _damaged(what, error) from error


def _damaged(what: str, error: Exception) -> SealError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
    if type(error).__name__ == "UnpicklingError":  # torch's own text is pages of advice to programmers
        first = "not a file of plain tensors"
    return SealError(f"{what}: is damaged or no embedding ({first}); copy it again or choose another.")


def _flat(content: Any, what: str) -> dict[str, Tensor]:
    """Tensors of a .pt or .bin file: A1111's `string_to_param`, diffusers' {token: vector}, a bare tensor."""
    if isinstance(content, Tensor):
        return {"emb_params": content}
    if isinstance(content, Mapping):
        inner = content.get("string_to_param", content)
        tensors = {str(k): v for k, v in inner.items() if isinstance(v, Tensor)} if isinstance(inner, Mapping) else {}
        if tensors:
            return tensors
    raise SealError(f"{what}: holds no embedding that SEAL knows; convert it to safetensors or choose another file.")


def _recorded(text: str | None, what: str) -> dict[str, Any]:
    """Our metadata as constructor values, or nothing for third-party files."""
    if text is None:
        return {}
    try:
        values = json.loads(text)
        if values["format"] > FORMAT:
            raise SealError(f"{what}: was made by a newer SEAL; update this pack.")
        widths = tuple((str(n), int(w)) for n, w in values["family"]["widths"])
        skip = values["clip_skip"]
        return {
            "name": str(values["name"]),
            "class_word": str(values["class_word"]),
            "family": Family(str(values["family"]["name"]), widths),
            "carrier": str(values["carrier"]),
            "tokens": Tokens(**_fields(Tokens, values["tokens"])),
            "layers": Layers(**_fields(Layers, values["layers"])),
            "clip_skip": None if skip is None else int(skip),
            "provenance": dict(values["provenance"]),
        }
    except SealError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(what, error) from error


def _fields(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    known = {field.name for field in dataclasses.fields(kind)}
    return {key: value for key, value in values.items() if key in known}


def _interpret(
    tensors: dict[str, Tensor], recorded: Mapping[str, Any], what: str
) -> tuple[Family, str, dict[str, Tensor]]:
    """Family, carrier and vectors that the tensors of a file amount to."""
    tensors = {key: t.unsqueeze(0) if t.ndim == 1 else t for key, t in tensors.items()}
    family: Family | None = recorded.get("family")
    carrier = recorded.get("carrier", "input")
    if family is not None and carrier == "tail":
        wanted = {"tail": ("tail", sum(w for _, w in family.widths))}
    elif family is not None:
        single = len(family.widths) == 1
        wanted = {"emb_params" if single else name: (name, width) for name, width in family.widths}
    elif {"clip_l", "clip_g"} <= tensors.keys():
        family = _SDXL
        wanted = {name: (name, width) for name, width in _SDXL.widths}
    else:
        key = "emb_params" if "emb_params" in tensors else next(iter(tensors), "")
        if not tensors or (key != "emb_params" and len(tensors) > 1):
            keys = ", ".join(sorted(tensors)[:4]) or "nothing"
            raise SealError(f"{what}: holds {keys}, not an embedding; choose a Textual Inversion file.")
        _check(tensors[key], what)
        family = _KNOWN.get(tensors[key].shape[1])
        if family is None:
            raise SealError(
                f"{what}: its vectors are {tensors[key].shape[1]} wide, which belongs to none of SD 1.x (768), "
                "SD 2.x (1024) and SDXL (clip_l 768 and clip_g 1280); choose another file."
            )
        wanted = {key: family.widths[0]}
    missing = sorted(wanted.keys() - tensors.keys())
    if missing:
        raise SealError(f"{what}: lacks {', '.join(missing)}; the file is damaged, copy it again.")
    for key, (_, width) in wanted.items():
        _check(tensors[key], f"{what}, {key}", width)
    vectors = {name: tensors[key].float().clone() for key, (name, _) in wanted.items()}
    if len({v.shape[0] for v in vectors.values()}) > 1:
        raise SealError(f"{what}: clip_l and clip_g hold different numbers of vectors; choose another file.")
    return family, carrier, vectors


def find_trained(folder: Path, hash: str) -> Path | None:
    """A whole file in `folder` whose metadata carries this config hash (`provenance["hash"]`), or None.

    Reads headers only: quick among hundreds of foreign files.
    """
    for entry in entries(folder):
        if entry.name.lower().endswith(".safetensors") and not entry.name.startswith("."):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                if _header_hash(Path(entry.path), hash.encode()) == hash:
                    return Path(entry.path)
    return None


def _header_hash(path: Path, wanted: bytes) -> str | None:
    with open(path, "rb") as file:
        length = file.read(8)
        (size,) = struct.unpack("<Q", length) if len(length) == 8 else (0,)
        if not 0 < size <= _MAX_HEADER:
            return None
        text = file.read(size)
        if wanted not in text:  # spares parsing foreign headers
            return None
        header = json.loads(text)
        end = max(value["data_offsets"][1] for key, value in header.items() if key != "__metadata__")
        whole = os.fstat(file.fileno()).st_size == 8 + size + end
    return json.loads(header["__metadata__"]["seal"])["provenance"]["hash"] if whole else None
