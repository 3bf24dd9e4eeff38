"""Embedding files of others, damaged ones, and ones made to hurt."""

import json
import os
import pickle
import struct
import tracemalloc
import zipfile
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from seal_core.concept.concept import Concept
from seal_core.concept.concept_file import concept_bytes, files_with_hash, load_concept, save_concept
from seal_core.concept.settings import Layers, Tokens
from seal_core.hosts.base import Family
from seal_core.messages import SealError
from seal_core.method import learned
from seal_core.method.config import TrainConfig

SD1 = Family("sd1", (("clip_l", 768),))
HASH = "0123456789abcdef"


def vectors(count=2, width=768, seed=0, dtype=torch.float32):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)).to(dtype)


def concept(**changes):
    values = {"name": "<cat>", "class_word": "cat", "vectors": {"clip_l": vectors()}, "family": SD1}
    values |= {"tokens": Tokens("<cat>", "cat", split=3), "layers": Layers("up.0, up.1", 0.1, 0.9), "clip_skip": -2}
    return Concept(**{**values, "provenance": {"hash": HASH, "losses": [0.25, 1], "n": {2: "a", 10: "b"}}, **changes})


L, G, H = vectors(2), vectors(3, 1280), vectors(2, 1024)
PARAMETERS = torch.nn.ParameterDict({"*": torch.nn.Parameter(L.clone())})
TEXT_T5 = torch.randn(2, 4096)
FOREIGN = {
    "parameter_dict.pt": ({"string_to_token": {"*": 265}, "string_to_param": PARAMETERS}, {"clip_l": L}),
    "half_parameter_dict.pt": (
        {"string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(L.half())})},
        {"clip_l": L.half()},
    ),
    "plain.pt": ({"string_to_param": {"*": H, "other": L}, "step": 5, "name": "x"}, {"clip_h": H}),
    "parameter.bin": ({"<token>": torch.nn.Parameter(L[0].clone())}, {"clip_l": L[:1]}),
    "list_of_dicts.pt": ([{"a": L, "b": G}, {"c": L[:1]}], {"clip_l": torch.cat([L, L[:1]]), "clip_g": G}),
    "list_of_tensors.bin": ([L[0], L[1]], {"clip_l": L}),
    "list_of_one_base.pt": ([{"<a>": H[0]}, {"<b>": H[1]}], {"clip_h": H}),
    "bare.pt": (L, {"clip_l": L}),
    "lora.safetensors": (
        {"lora_unet_a.alpha": torch.tensor(1.0), "bundle_emb.x.string_to_param.*": L, "lora_te_b.weight": G},
        {"clip_l": L},
    ),
    "lora_of_sdxl.safetensors": (
        {"lora_unet_a.weight": torch.randn(9, 9), "bundle_emb.x.clip_l": L, "bundle_emb.x.clip_g": G},
        {"clip_l": L, "clip_g": G},
    ),
    "two_bundled.safetensors": (
        {"bundle_emb.a.string_to_param.*": L, "bundle_emb.b.string_to_param.*": L + 1},
        {"clip_l": torch.cat([L, L + 1])},
    ),
    "sd3.safetensors": ({"clip_l": L, "t5xxl": TEXT_T5}, {"clip_l": L}),
    "sd3_all.safetensors": ({"clip_g": G, "clip_l": L, "t5xxl": TEXT_T5}, {"clip_l": L, "clip_g": G}),
    "uneven.safetensors": ({"clip_l": L, "clip_g": G}, {"clip_l": L, "clip_g": G}),
    "any_name.safetensors": ({"weird key": H}, {"clip_h": H}),
    "first_of_several.safetensors": ({"a": L, "emb_params": H, "z": G}, {"clip_l": L}),
    "one.safetensors": ({"<token>": L[0].clone()}, {"clip_l": L[:1]}),
    "columns.safetensors": ({"emb_params": L[:, None]}, {"clip_l": L}),
}
for kind in ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float64"):
    few = L.to(getattr(torch, kind))
    FOREIGN[f"{kind}.safetensors"] = ({"emb_params": few}, {"clip_l": few})
    FOREIGN[f"{kind}.pt"] = ({"string_to_param": {"*": few}}, {"clip_l": few})


def write(path, content):
    if path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in content.items()}, path)
    else:
        torch.save(content, path)
    return path


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files(tmp_path, name):
    content, expected = FOREIGN[name]
    read = load_concept(write(tmp_path / name, content), "cat")
    assert read.vectors.keys() == expected.keys() == set(read.family.encoders)
    for encoder, wanted in expected.items():
        assert read.vectors[encoder].dtype == torch.float32
        assert torch.equal(read.vectors[encoder], wanted.float())
    assert str(read)


def test_unequal_lengths_are_told(tmp_path):
    assert "2 and 3 tokens" in str(load_concept(write(tmp_path / "a.safetensors", {"clip_l": L, "clip_g": G}), "cat"))


class Runs:
    def __reduce__(self):
        return (open, (os.environ["SEAL_TEST_TRACE"], "w"))


def test_code_in_a_pickle_is_never_run(tmp_path, monkeypatch):
    trace = tmp_path / "trace"
    monkeypatch.setenv("SEAL_TEST_TRACE", str(trace))
    torch.save({"string_to_param": {"*": L}, "x": Runs()}, tmp_path / "zip.pt")
    torch.save({"x": Runs()}, tmp_path / "nothing.pt")
    torch.save({"string_to_param": {"*": L}, "x": Runs()}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "bare.bin").write_bytes(pickle.dumps(Runs()))
    trace.unlink(missing_ok=True)  # unpickling by torch.save's own checks would have made it
    assert torch.equal(
        load_concept(tmp_path / "zip.pt", "cat").vectors["clip_l"], L
    )  # as stored floats, as ComfyUI does
    for name in ("nothing.pt", "old.pt", "bare.bin"):
        with pytest.raises(SealError, match=rf"^name: {name}"):
            load_concept(tmp_path / name, "cat")
    assert not trace.exists()


# Made to hurt


def keys(path, count):
    """A file of so many vectors of one value, written by hand: safetensors' own writer takes seconds."""
    entries = (f'"k{i}":{{"dtype":"F32","shape":[1],"data_offsets":[{4 * i},{4 * i + 4}]}}' for i in range(count))
    text = ("{" + ",".join(entries) + "}").encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4 * count))


def header_of(path, text):
    path.write_bytes(struct.pack("<Q", len(text)) + text)


def bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("archive/data.pkl", b"")
        with archive.open("archive/data/0", "w", force_zip64=True) as file:
            for _ in range(27):
                file.write(bytes(10 << 20))


HURTS = {
    "longest_header.safetensors": lambda path: keys(path, 300_000),
    "many.safetensors": lambda path: keys(path, 30_000),
    "deep.safetensors": lambda path: header_of(path, b'{"a":' + b"[" * 100_000 + HASH.encode() + b"]" * 100_000 + b"}"),
    "deep_metadata.safetensors": lambda path: save_file({"a": L}, path, metadata={"seal": "[" * 100_000}),
    "huge_header.safetensors": lambda path: path.write_bytes(b"\xff" * 64),
    "expanded.pt": lambda path: torch.save({"a": torch.zeros(1, 768).expand(1_000_000, 768)}, path),
    "expanded_list.pt": lambda path: torch.save([{"a": torch.zeros(1, 1, 768).expand(1000, 1000, 768)}], path),
    "wide.pt": lambda path: torch.save({"a": torch.zeros(1, 1).expand(1, 800_000_000)}, path),
    "table.safetensors": lambda path: save_file({"a": torch.zeros(49408, 768)}, path),
    "own_table.safetensors": lambda path: save_file(
        {"emb_params": torch.zeros(49408, 768)}, path, metadata={"seal": edited({})}
    ),
    "zeros.pt": bomb,
    "sparse.pt": lambda path: torch.save({"a": torch.eye(768).to_sparse()}, path),
    "meta.pt": lambda path: torch.save({"a": torch.empty(2, 768, device="meta")}, path),
    "t5.safetensors": lambda path: save_file({"t5xxl": TEXT_T5}, path),
    "clip_g.safetensors": lambda path: save_file({"clip_g": G}, path),
    "two_in_a_row.safetensors": lambda path: save_file({"a": torch.zeros(1, 2, 768)}, path),
    "whole_number.safetensors": lambda path: save_file({"a": torch.zeros(2, 768, dtype=torch.int32)}, path),
    "empty_list.pt": lambda path: torch.save([], path),
    "numbers.pt": lambda path: torch.save([1, {"a": 2}, "b"], path),
    "scalar.safetensors": lambda path: save_file({"a": torch.tensor(1.0)}, path),
    "no_tensor.safetensors": lambda path: save_file({}, path),
}


def edited(changes, checksum=False, metadata=None):
    """Our metadata with some values changed; without its checksum, as old files and skilled editors have it."""
    values = json.loads(metadata or own_metadata())
    values |= changes
    if not checksum:
        values.pop("checksum", None)
    return json.dumps({k: v for k, v in values.items() if v is not ...})


def own_metadata():
    data = concept_bytes(concept())
    return json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])["__metadata__"]["seal"]


@pytest.mark.parametrize("name", HURTS)
def test_files_made_to_hurt_are_refused_within_bounds(tmp_path, name):
    path = tmp_path / name
    HURTS[name](path)
    tracemalloc.start()
    try:
        with pytest.raises(SealError, match=rf"^name: {name}"):
            load_concept(path, "cat")
        assert list(files_with_hash(tmp_path, HASH)) in ([], [path] if name.startswith("own") else [])
        assert tracemalloc.get_traced_memory()[1] < 100 << 20  # Python's own; torch's is bounded by what is refused
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_among_the_embeddings_blocks_nothing(tmp_path):
    os.mkfifo(tmp_path / "a.safetensors")
    os.symlink(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    own = save_concept(concept(), tmp_path, "cat")
    assert list(files_with_hash(tmp_path, HASH)) == [own]
    for name in ("a", "b"):
        with pytest.raises(SealError, match="is not a file"):
            load_concept(tmp_path / f"{name}.safetensors", "cat")


# Ours, damaged or edited

EDITS = [
    {"format": "1"},
    {"format": None},
    {"format": ...},
    {"name": ""},
    {"name": 7},
    {"class_word": None},
    {"class_word": ["cat"]},
    {"family": []},
    {"family": {"name": "sd1"}},
    {"family": {"name": "sd1", "widths": []}},
    {"family": {"name": "sd1", "widths": [["clip_l", float("inf")]]}},
    {"family": {"name": "sd1", "widths": [["clip_l", "768"]]}},
    {"family": {"name": "sd1", "widths": [["clip_l", 768], ["clip_l", 768]]}},
    {"family": {"name": "sd1", "widths": [["clip_l", 1024]]}},
    {"carrier": "output"},
    {"carrier": "tail"},
    {"carrier": 5},
    {"tokens": None},
    {"tokens": {"split": "3"}},
    {"tokens": {"split": -3}},
    {"tokens": {"merge": 3}},
    {"tokens": {"merge_at": float("nan")}},
    {"tokens": {"context_token": "no"}},
    {"layers": {"sites": 5}},
    {"layers": {"start_percent": "a"}},
    {"layers": {"start_percent": 2}},
    {"layers": []},
    {"clip_skip": float("inf")},
    {"clip_skip": "x"},
    {"clip_skip": [1]},
    {"provenance": None},
    {"provenance": []},
    {"provenance": {"hash": float("nan")}},
]


@pytest.mark.parametrize("edit", EDITS, ids=str)
@pytest.mark.parametrize("checksum", [True, False], ids=["checksum", "old"])
def test_edited_metadata_is_one_clear_error(tmp_path, edit, checksum):
    path = tmp_path / "a.safetensors"
    save_file({"emb_params": L}, path, metadata={"seal": edited(edit, checksum)})
    with pytest.raises(SealError, match=r"^name: a\.safetensors"):
        load_concept(path)
    list(files_with_hash(tmp_path, HASH))


@pytest.mark.parametrize("text", ["", "null", "7", '"a"', "[]", "{}", "[" * 100_000, '{"format":1e999}', "{" * 5])
def test_metadata_that_is_no_object_of_ours(tmp_path, text):
    save_file({"emb_params": L}, tmp_path / "a.safetensors", metadata={"seal": text})
    with pytest.raises(SealError, match=r"^name: a\.safetensors"):
        load_concept(tmp_path / "a.safetensors", "cat")
    assert not list(files_with_hash(tmp_path, HASH))


@pytest.mark.parametrize("edit", [{"class_word": "dog"}, {"layers": {"sites": "all"}}, {"clip_skip": None}], ids=str)
def test_sensible_edits_are_noticed_too(tmp_path, edit):
    path = tmp_path / "a.safetensors"
    save_file({"emb_params": L}, path, metadata={"seal": edited(edit, checksum=True)})
    with pytest.raises(SealError, match="was changed since it was saved"):
        load_concept(path)


def test_a_flipped_byte_is_noticed(tmp_path):
    path = save_concept(concept(), tmp_path, "cat")
    whole = path.read_bytes()
    for at in (-1, -100, -768 * 4 * 2):
        broken = bytearray(whole)
        broken[at] ^= 1
        path.write_bytes(broken)
        with pytest.raises(SealError, match=r"^name: cat\.safetensors: was changed since it was saved; .*train"):
            load_concept(path)
    path.write_bytes(whole)
    assert load_concept(path).clip_skip == -2


def test_files_of_the_first_version_are_read(tmp_path):
    """They have no checksum."""
    save_file({"emb_params": L}, tmp_path / "old.safetensors", metadata={"seal": edited({})})
    read = load_concept(tmp_path / "old.safetensors")
    assert (read.class_word, read.layers.sites, read.provenance["hash"]) == ("cat", "up.0, up.1", HASH)
    assert torch.equal(read.vectors["clip_l"], L)


def test_a_tail_longer_than_the_context(tmp_path):
    long = {"carrier": "tail", "vectors": {"tail": vectors(77)}}
    with pytest.raises(SealError, match="a tail of 77 positions"):
        save_concept(concept(**long), tmp_path, "cat")
    save_concept(concept(carrier="tail", vectors={"tail": vectors(76)}), tmp_path, "cat")
    text = edited({"carrier": "tail"})
    save_file({"tail": vectors(100)}, tmp_path / "long.safetensors", metadata={"seal": text})
    with pytest.raises(SealError, match=r"^name: long\.safetensors, tail: a tail of 100 positions"):
        load_concept(tmp_path / "long.safetensors")


def test_damaged_files_with_the_hash_are_offered_and_refused(tmp_path):
    """So that whoever trains anew can say why."""
    path = save_concept(concept(), tmp_path, "cat")
    (tmp_path / "a-torn.safetensors").write_bytes(path.read_bytes()[:-8])
    assert [p.name for p in files_with_hash(tmp_path, HASH)] == ["a-torn.safetensors", "cat.safetensors"]
    with pytest.raises(SealError, match=r"^name: a-torn"):
        load_concept(tmp_path / "a-torn.safetensors")


def test_training_does_not_go_on_from_unequal_lengths(monkeypatch):
    """Its tokens are counted once for both encoders."""
    family = Family("sdxl", (("clip_l", 768), ("clip_g", 1280)))
    uneven = concept(family=family, vectors={"clip_l": L, "clip_g": G})
    monkeypatch.setattr(learned, "LearnedTokens", lambda *_: None)
    with pytest.raises(SealError, match=r"resume: .* 2 vectors for clip_l and 3 vectors for clip_g"):
        learned.make_learned(SimpleNamespace(family=family), TrainConfig(), torch.Generator(), uneven)
