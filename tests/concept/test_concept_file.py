import errno
import json
import os
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from seal_core.concept import concept_file
from seal_core.concept.concept import Concept
from seal_core.concept.concept_file import files_with_hash, load_concept, save_concept
from seal_core.concept.settings import Layers, Tokens
from seal_core.files.safe_names import safe_stem, unique_stem
from seal_core.hosts.base import Family
from seal_core.messages import SealError

SD1 = Family("sd1", (("clip_l", 768),))
SDXL = Family("sdxl", (("clip_l", 768), ("clip_g", 1280)))
TINY = Family("sd1", (("clip_l", 64),))


def concept(family=SD1, carrier="input", count=2, seed=0, **changes):
    generator = torch.Generator().manual_seed(seed)
    if carrier == "tail":
        vectors = {"tail": torch.randn(count, sum(w for _, w in family.widths), generator=generator)}
    else:
        vectors = {name: torch.randn(count, width, generator=generator) for name, width in family.widths}
    values = {
        "name": "<my-cat>",
        "class_word": "cat",
        "vectors": vectors,
        "family": family,
        "carrier": carrier,
        "tokens": Tokens("<my-cat>", "cat", split=3, merge="concat"),
        "layers": Layers("up.0, up.1", 0.1, 0.9),
        "clip_skip": -2,
        "provenance": {"hash": "0123456789abcdef", "config": {"steps": 20}},
    }
    return Concept(**{**values, **changes})


@pytest.mark.parametrize(
    ("family", "carrier", "keys"),
    [
        (SD1, "input", {"emb_params"}),
        (SDXL, "input", {"clip_l", "clip_g"}),
        (TINY, "input", {"emb_params"}),
        (SD1, "tail", {"tail"}),
        (SDXL, "tail", {"tail"}),
    ],
)
def test_round_trip(tmp_path, family, carrier, keys):
    original = concept(family, carrier)
    path = save_concept(original, tmp_path / "new folder", "my-cat")
    assert path == tmp_path / "new folder" / "my-cat.safetensors"
    assert load_file(path).keys() == keys
    read = load_concept(path)
    assert read.vectors.keys() == original.vectors.keys()
    assert all(torch.equal(read.vectors[key], original.vectors[key]) for key in original.vectors)
    same = ("name", "class_word", "family", "carrier", "tokens", "layers", "clip_skip", "provenance")
    assert all(getattr(read, key) == getattr(original, key) for key in same)
    assert read.file == "my-cat"


def test_equal_concepts_give_equal_bytes(tmp_path):
    reordered = {"config": {"steps": 20}, "hash": "0123456789abcdef"}
    first = save_concept(concept(), tmp_path, "one").read_bytes()
    assert save_concept(concept(provenance=reordered), tmp_path, "two").read_bytes() == first
    assert save_concept(concept(seed=1), tmp_path, "three").read_bytes() != first
    header = json.loads(first[8 : 8 + struct.unpack("<Q", first[:8])[0]])
    assert list(header["__metadata__"]) == ["seal"]


def test_bad_vectors_are_not_saved(tmp_path):
    broken = torch.randn(2, 768)
    broken[1, 5] = float("nan")
    for vectors in ({"clip_l": broken}, {"clip_l": torch.randn(2, 1024)}, {"clip_g": torch.randn(2, 768)}, {}):
        with pytest.raises(SealError, match="embedding"):
            save_concept(concept(vectors=vectors), tmp_path, "bad")
    with pytest.raises(SealError, match="plain JSON"):
        save_concept(concept(provenance={"loss": float("nan")}), tmp_path, "bad")
    assert list(tmp_path.iterdir()) == []


def test_saving_never_replaces_a_file(tmp_path):
    """The fault: the name was chosen before the training, and `save` wrote over what had come there meanwhile."""
    old = save_concept(concept(), tmp_path, "cat").read_bytes()
    assert save_concept(concept(seed=1), tmp_path, "cat") == tmp_path / "cat-2.safetensors"
    (tmp_path / "Cat-3.pt").write_bytes(b"somebody's")
    assert save_concept(concept(seed=2), tmp_path, "cat").name == "cat-4.safetensors"
    assert (tmp_path / "cat.safetensors").read_bytes() == old and (tmp_path / "Cat-3.pt").read_bytes() == b"somebody's"


def test_no_disk_keeps_the_old_file_and_leaves_nothing(tmp_path, monkeypatch):
    old = save_concept(concept(), tmp_path, "cat").read_bytes()

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SealError, match=r"name: .*no free disk space; free some"):
        save_concept(concept(seed=1), tmp_path, "cat")
    assert [p.name for p in tmp_path.iterdir()] == ["cat.safetensors"]
    assert (tmp_path / "cat.safetensors").read_bytes() == old


def test_interrupt_leaves_no_temporary(tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_concept(concept(), tmp_path, "cat")
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SealError, match=r"name: .*could not be saved"):
        save_concept(concept(), tmp_path / "file", "cat")


@pytest.mark.parametrize(
    "name",
    [
        *("12", "1e5", "inf", "-7", "", " ", "x" * 65, "ä", "a\n", "<a>"),
        *("a b", "a.b", "..", "../x", "a/b", "a\\b", "C:x", "con", "NUL", "lpt1"),
    ],
)
def test_unsafe_names_are_refused(name):
    with pytest.raises(SealError, match=r"^name: "):
        safe_stem(name)


@pytest.mark.parametrize("name", ["cat", "My-cat_2", "x" * 64, "cone", "12-cats"])
def test_safe_names_pass(name):
    assert safe_stem(name) == name


def test_unsafe_name_never_reaches_the_disk(tmp_path):
    with pytest.raises(SealError, match=r"^name: "):
        save_concept(concept(), tmp_path / "in", "../out")
    assert list(tmp_path.iterdir()) == []


def test_unique_stem(tmp_path):
    assert unique_stem(tmp_path / "missing", "cat") == "cat"
    for name in ("Cat.safetensors", "cat-2.pt", "cat-3.bin", "cat-4"):
        (tmp_path / name).write_text("")
    assert unique_stem(tmp_path, "cat") == "cat-5"
    (tmp_path / ("x" * 64 + ".pt")).write_text("")
    assert unique_stem(tmp_path, "x" * 64) == "x" * 62 + "-2"


def third_party(folder):
    generator = torch.Generator().manual_seed(3)
    files = {}

    def add(name, content, write):
        files[name] = folder / name
        write(content, folder / name)

    add("a.safetensors", {"emb_params": torch.randn(3, 768, generator=generator).half()}, save_file)
    add("b.pt", {"string_to_token": {"*": 265}, "string_to_param": {"*": torch.randn(2, 1024)}, "step": 5}, torch.save)
    add("c.bin", {"<token>": torch.randn(768)}, torch.save)
    add("d.safetensors", {"clip_l": torch.randn(4, 768), "clip_g": torch.randn(4, 1280)}, save_file)
    add("e.pt", torch.randn(1, 768), torch.save)
    add("f.safetensors", {"<token>": torch.randn(768)}, save_file)
    return files


def test_third_party_files(tmp_path):
    files = third_party(tmp_path)
    expected = {"a": ("sd1", 3), "b": ("sd2", 2), "c": ("sd1", 1), "d": ("sdxl", 4), "e": ("sd1", 1), "f": ("sd1", 1)}
    for name, path in files.items():
        with pytest.raises(SealError, match=r"^class_word: "):
            load_concept(path)
        read = load_concept(path, class_word="cat")
        family, count = expected[name[0]]
        assert read.family.name == family
        assert read.name == f"<{name[0]}>"
        assert load_concept(path, "cat", "V").name == "V"
        assert read.layers == Layers()
        for encoder, width in read.family.widths:
            assert read.vectors[encoder].shape == (count, width)
            assert read.vectors[encoder].dtype == torch.float32


def test_class_word_overrides_the_recorded_one(tmp_path):
    assert load_concept(save_concept(concept(), tmp_path, "cat"), class_word="dog").class_word == "dog"


def bad_files(folder):
    whole = save_concept(concept(), folder, "whole").read_bytes()
    nan = torch.randn(1, 768)
    nan[0, 0] = float("nan")
    contents = {
        "empty.safetensors": b"",
        "torn.safetensors": whole[:-100],
        "header.safetensors": whole[:40],
        "text.safetensors": b"this is not safetensors at all, " * 9,
        "empty.pt": b"",
        "text.pt": b"not a zip",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    tensors = {
        "nan": {"emb_params": nan},
        "wide": {"emb_params": torch.randn(1, 999)},
        "rank": {"emb_params": torch.randn(1, 2, 768)},
        "none": {"emb_params": torch.randn(0, 768)},
        "int": {"emb_params": torch.ones(1, 768, dtype=torch.int64)},
        "lora": {"lora.up": torch.randn(4, 4), "lora.down": torch.randn(4, 4)},
        "swapped": {"clip_l": torch.randn(1, 1280), "clip_g": torch.randn(1, 768)},
    }
    for name, content in tensors.items():
        save_file(content, folder / f"{name}.safetensors")
    good = {"emb_params": torch.randn(1, 768)}
    save_file(good, folder / "meta.safetensors", metadata={"seal": "{"})
    save_file(good, folder / "keys.safetensors", metadata={"seal": '{"format":1}'})
    save_file(good, folder / "newer.safetensors", metadata={"seal": '{"format":99}'})
    header = json.loads(whole[8 : 8 + struct.unpack("<Q", whole[:8])[0]])
    save_file({"other": torch.randn(1, 768)}, folder / "lacks.safetensors", metadata=header["__metadata__"])
    torch.save({"state_dict": {"a": torch.randn(3)}}, folder / "checkpoint.pt")
    torch.save({"evil": os.getcwd}, folder / "code.pt")
    (folder / "folder.safetensors").mkdir()
    (folder / "whole.safetensors").unlink()
    return [*sorted(folder.iterdir()), folder / "missing.safetensors"]


def test_bad_files_give_one_clear_error(tmp_path):
    for path in bad_files(tmp_path):
        with pytest.raises(SealError) as caught:
            load_concept(path, class_word="cat")
        assert str(caught.value).startswith(f"name: {path.name}"), path
        assert any(word in str(caught.value) for word in ("choose", "copy", "load another", "train again", "update"))


def test_trained_files_among_foreign_files(tmp_path, monkeypatch):
    for i in range(300):
        save_file({"emb_params": torch.zeros(1, 768)}, tmp_path / f"foreign-{i}.safetensors")
    bad_files(tmp_path)
    damaged = set(files_with_hash(tmp_path, "0123456789abcdef"))
    path = save_concept(concept(), tmp_path, "mine")
    monkeypatch.setattr(concept_file, "load_concept", None)  # headers only
    assert set(files_with_hash(tmp_path, "0123456789abcdef")) - damaged == {path}
    assert not list(files_with_hash(tmp_path, "fedcba9876543210"))
    assert not list(files_with_hash(tmp_path / "missing", "0123456789abcdef"))
