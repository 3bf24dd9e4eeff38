"""A concept's file: safetensors that ComfyUI's own `embedding:NAME` reads too.

Tensors: `emb_params` (one text encoder), `clip_l` and `clip_g` (SDXL), or `tail` (an output tail). Nothing else,
because ComfyUI takes the first tensor whatever its name. With low-rank weights it is a LoRA that brings its embedding:
`bundle_emb.*`, which ComfyUI reads, and the weights under the names of `lora_file`; without vectors, as of a look, it
is a LoRA and nothing else. All that SEAL adds is in one
metadata key, `seal`: sorted JSON without times, so that equal concepts give equal bytes, and a checksum of it, of the
vectors and of the weights. For files of other makers see `seal_core.concept.foreign_files`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..files.safe_names import TAKEN_BY, folder_entries, safe_stem
from ..files.whole_file import write_new_files
from ..hosts.base import Family
from ..messages import SealError
from .concept import Concept
from .foreign_files import damaged_file, header_size, join_vectors, read_embedding_file, vectors_by_width
from .lora_file import weights_from, weights_tensors
from .settings import CARRIERS, NO_CARRIER, Layers, Tokens

FORMAT = 1
SUFFIX = ".safetensors"
MOST_TAIL = 76
"""CLIP gives 77 positions; the prompt always keeps the start token's."""
BROKEN = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)
"""What edited values can raise when they are read."""


def save_concept(concept: Concept, folder: Path, stem: str, elsewhere: Iterable[Path] = ()) -> Path:
    """Write `concept` to folder/stem.safetensors, or stem-2, stem-3, ... where that is taken, and return that path.

    The file appears whole or not at all, and never replaces another, not even one that came during the training.
    Raises SealError for a bad stem, bad vectors, a full disk or a folder that cannot be written to. In the last two
    cases the file goes into one of the folders `elsewhere`, if it can, and the message says where.
    """
    safe_stem(stem)
    return write_new_files(
        folder, stem, {SUFFIX: concept_bytes(concept)}, "name", taken_by=TAKEN_BY, elsewhere=elsewhere
    )[SUFFIX]


def concept_bytes(concept: Concept) -> bytes:
    """The bytes of a concept's file. Raises SealError for vectors or a provenance that a file cannot hold."""
    vectors = _stored(concept)
    keys = _keys(concept.family, concept.carrier, bool(concept.weights))
    weights = weights_tensors(concept.weights)
    tensors = {keys[encoder]: v for encoder, v in vectors.items()} | weights
    return to_bytes(tensors, metadata={"seal": _metadata(concept, vectors | weights)})


def _stored(concept: Concept) -> dict[str, Tensor]:
    widths = _widths(concept.family, concept.carrier)
    if concept.vectors.keys() != widths.keys():
        raise SealError(
            f"embedding: {concept.name} has vectors for {', '.join(concept.vectors) or 'nothing'}, "
            f"but {concept.family} takes {', '.join(widths)}."
        )
    for key, vectors in concept.vectors.items():
        _check(vectors, key, widths[key], f"embedding: {concept.name}")
    return {key: v.detach().to("cpu", torch.float32).clone().contiguous() for key, v in concept.vectors.items()}


def _widths(family: Family, carrier: str) -> dict[str, int]:
    """Key of `Concept.vectors` -> its width."""
    widths = {} if carrier == NO_CARRIER else dict(family.widths)
    return {"tail": sum(widths.values())} if carrier == "tail" else widths


def _keys(family: Family, carrier: str, bundled: bool) -> dict[str, str]:
    """Key of `Concept.vectors` -> the tensor's name in the file. bundled: beside weights."""
    keys = {encoder: encoder for encoder in _widths(family, carrier)}
    if carrier == "input" and bundled:
        suffix = {e: "string_to_param.*" if len(keys) == 1 else e for e in keys}
        return {encoder: f"bundle_emb.concept.{suffix[encoder]}" for encoder in keys}
    return keys if carrier == "tail" or len(keys) > 1 else dict.fromkeys(keys, "emb_params")


def _check(vectors: Any, key: str, width: int, what: str) -> None:
    what = f"{what}, {key}"
    if not isinstance(vectors, Tensor) or not vectors.is_floating_point() or vectors.ndim != 2 or vectors.shape[0] == 0:
        shape = tuple(vectors.shape) if isinstance(vectors, Tensor) else type(vectors).__name__
        raise SealError(f"{what}: {shape} is not a list of vectors (n, width); load another file.")
    if vectors.shape[1] != width:
        raise SealError(f"{what}: vectors are {vectors.shape[1]} wide instead of {width}; load another file.")
    if key == "tail" and vectors.shape[0] > MOST_TAIL:
        raise SealError(
            f"{what}: a tail of {vectors.shape[0]} positions leaves none to the prompt, which has {MOST_TAIL + 1}; "
            "load another file."
        )
    if not bool(torch.isfinite(vectors.float()).all()):
        raise SealError(f"{what}: has values that are not finite (NaN); train again with a lower learning_rate.")


def _metadata(concept: Concept, tensors: Mapping[str, Tensor]) -> str:
    values: dict[str, Any] = {
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
    if concept.weights:
        values["weights"] = list(concept.weights)
    try:
        values = json.loads(_json(values))  # as it will be read: JSON's keys are texts
        return _json({**values, "checksum": _checksum(values, tensors)})
    except (TypeError, ValueError) as error:
        raise SealError(f"embedding: the provenance of {concept.name} is not plain JSON ({error}).") from error


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _checksum(values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the metadata without the checksum, of the vectors by their encoder, and of the weights' tensors."""
    digest = hashlib.sha256(_json(values).encode())
    for key in sorted(tensors):
        digest.update(f"{key} {tuple(tensors[key].shape)}".encode())
        digest.update(tensors[key].numpy().tobytes())
    return digest.hexdigest()


def load_concept(path: Path, class_word: str = "", name: str = "") -> Concept:
    """The concept in a file: ours, or a third-party Textual Inversion (.safetensors, .pt, .bin).

    class_word: what the concept is. Our files know it (a given one overrides); third-party files do not.
    name: how prompts call it; empty = the file's own, or <stem>.
    The widths tell a third-party file's family: 768 = SD 1.x, 1024 = SD 2.x, clip_l 768 + clip_g 1280 = SDXL.
    Raises SealError, naming the node input `name` or `class_word`, for files that hold no usable embedding.
    """
    path = Path(path)
    what = f"name: {path.name}"
    tensors, metadata = read_embedding_file(path, what)
    if metadata is None:
        recorded, carrier, weights = {}, "input", {}
        family, vectors = vectors_by_width(tensors, what)
    else:
        values, checksum = _values(metadata, what)
        recorded = _recorded(values, what)
        family, carrier = recorded["family"], recorded["carrier"]
        named = recorded.pop("weights")
        vectors = _ours(tensors, _keys(family, carrier, bool(named)), what)
        weights = weights_from(tensors, named, what)
        if checksum is not None and checksum != _checksum(values, vectors | weights_tensors(weights)):
            raise SealError(f"{what}: was changed since it was saved; copy it again, or train again.")
    for key, width in _widths(family, carrier).items():
        _check(vectors[key], key, width, what)
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
        weights=weights,
    )


def _values(text: str, what: str) -> tuple[dict[str, Any], Any]:
    """Our metadata, and its checksum (None in files of the first version)."""
    try:
        values = json.loads(text)
        if values["format"] > FORMAT:
            raise SealError(f"{what}: was made by a newer SEAL; update this pack.")
        json.dumps(values, allow_nan=False)
        return values, values.pop("checksum", None)
    except SealError:
        raise
    except BROKEN as error:
        raise damaged_file(what, error) from error


def _recorded(values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Metadata as arguments of `Concept`. Raises SealError for values that no training writes."""
    try:
        skip = values["clip_skip"]
        return {
            "name": _plain(values["name"], str),
            "class_word": _plain(values["class_word"], str),
            "family": _family(values["family"]),
            "carrier": (*CARRIERS, NO_CARRIER)[(*CARRIERS, NO_CARRIER).index(values["carrier"])],
            "tokens": Tokens(**_fields(Tokens, values["tokens"])),
            "layers": Layers(**_fields(Layers, values["layers"])),
            "clip_skip": None if skip is None else max(-100, min(_plain(skip, int), 0)),
            "provenance": _plain(values["provenance"], dict),
            "weights": [_plain(name, str) for name in _plain(values.get("weights", []), list)],
        }
    except BROKEN as error:  # SealError too: for values that a training refuses
        raise damaged_file(what, error) from error


def _family(values: Mapping[str, Any]) -> Family:
    widths = tuple((_plain(name, str), _plain(width, int)) for name, width in values["widths"])
    if not 0 < len(dict(widths)) == len(widths):
        raise ValueError("text encoders are named twice or not at all")
    return Family(_plain(values["name"], str), widths)


def _plain(value: Any, kind: type) -> Any:
    """`value` if it is of exactly that type and, as a text, not blank."""
    if type(value) is not kind or (kind is str and not value.strip()):
        raise TypeError(f"{str(value)[:40]!r} is not what SEAL writes there")
    return value


def _fields(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a dataclass's fields, each of its default's type."""
    known = {field.name: field.default for field in dataclasses.fields(kind) if field.name in _plain(values, dict)}
    whole = {name for name, default in known.items() if type(default) is float and type(values[name]) is int}
    return {name: values[name] if name in whole else _plain(values[name], type(d)) for name, d in known.items()}


def _ours(tensors: Mapping[str, Tensor], keys: Mapping[str, str], what: str) -> dict[str, Tensor]:
    """The vectors (n, width) float32 of a file of ours, whose tensors are named `keys`."""
    missing = sorted(set(keys.values()) - tensors.keys())
    if missing:
        raise SealError(f"{what}: lacks {', '.join(missing)}; the file is damaged, copy it again.")
    return {encoder: join_vectors([tensors[key]], f"{what}, {key}") for encoder, key in keys.items()}


def _in_concept(metadata: dict[str, str]) -> str | None:
    return json.loads(metadata["seal"])["provenance"]["hash"]


def files_with_hash(
    folder: Path, hash: str, recorded: Callable[[dict[str, str]], str | None] = _in_concept
) -> Iterator[Path]:
    """Files in `folder` whose metadata has this config hash. recorded: where in the metadata it stands.

    Reads headers only, so it is quick among hundreds of foreign files; whether a file is whole, `load_concept` tells.
    """
    for entry in folder_entries(folder):
        if entry.name.lower().endswith(SUFFIX) and not entry.name.startswith("."):
            with contextlib.suppress(OSError, *BROKEN):
                # a pipe would block for ever
                if entry.is_file() and _recorded_hash(Path(entry.path), hash.encode(), recorded) == hash:
                    yield Path(entry.path)


def _recorded_hash(path: Path, wanted: bytes, recorded: Callable[[dict[str, str]], str | None]) -> str | None:
    """The config hash of a file with the bytes `wanted` in its header, else None."""
    with open(path, "rb") as file:
        text = file.read(header_size(file.read(8)))
    if wanted not in text:  # saves parsing foreign headers
        return None
    return recorded(json.loads(text)["__metadata__"])
