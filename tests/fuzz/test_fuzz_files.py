"""Files with any damage: each is read, or refused with a SealError, and neither takes unbounded work.

The command line too, with any values for its options. `fuzzing` says how many cases there are.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from fuzz_files import damaged, fonts, pickled_files, picture_files, pictures, safetensors_files
from fuzz_material import no_silent_nan
from fuzzing import fuzz, texts
from hypothesis import strategies as st

from seal_core.cli import generate as cli_generate
from seal_core.cli import main as cli
from seal_core.cli import train as cli_train
from seal_core.concept.concept import Concept
from seal_core.concept.concept_file import concept_bytes, files_with_hash, load_concept, save_concept
from seal_core.hosts.base import Family
from seal_core.messages import SealError
from seal_core.pictures.picture_file import read_picture
from seal_core.stickers.caption import Caption, add_caption
from seal_core.stickers.contact_sheet import contact_sheet
from seal_core.stickers.font import BUNDLED
from seal_core.stickers.pack.read_folder import stickers_in, unreadable_files
from seal_core.tagged_stickers.tag_rows import RowError, read_tag_rows


def test_pictures(tmp_path: Path) -> None:
    def case(file: tuple[str, bytes]) -> bool:
        path = tmp_path / file[0]
        path.write_bytes(file[1])
        picture = read_picture(path, "image")
        no_silent_nan(picture)
        assert picture.ndim == 3 and picture.shape[-1] in (3, 4) and picture.min() >= 0 and picture.max() <= 1
        return True

    fuzz(350, pictures(), case, SealError)


def test_folders_of_stickers(tmp_path: Path) -> None:
    """One damaged file, and a folder of frames with one in it."""

    def case(files: list[tuple[str, bytes]]) -> bool:
        frames = tmp_path / "frames"
        frames.mkdir(exist_ok=True)
        for old in [*tmp_path.glob("*.*"), *frames.iterdir()]:
            old.unlink()
        for i, (name, content) in enumerate(files):
            (tmp_path / name).write_bytes(content)
            if i:
                (frames / name).write_bytes(content)
        unreadable_files(tmp_path)
        for sticker in stickers_in(tmp_path, 12.0):
            clip = sticker.read()
            assert clip.frames.dtype.name == "uint8" and clip.frames.shape[-1] == 4
            assert len(clip.frames) == 1 or all(0 < ms < 1e9 for ms in clip.durations)
        return True

    fuzz(150, st.lists(pictures(), min_size=1, max_size=3), case, SealError)


def test_fonts(tmp_path: Path) -> None:
    def case(content: bytes) -> bool:
        path = tmp_path / "a.ttf"
        path.write_bytes(content)
        try:
            made = add_caption(torch.zeros(1, 96, 128, 4), None, Caption("Hello Ω!\nжあ 12", width=80), [path])
            no_silent_nan(made)
            no_silent_nan(contact_sheet([torch.zeros(1, 32, 32, 4)], ["label"], title="Title", fonts=[path]))
        finally:
            path.unlink()
        return True

    fuzz(250, fonts(BUNDLED.read_bytes()), case, SealError)


def read_as_any(path: Path) -> bool:
    concept = load_concept(path, "cat")
    no_silent_nan(concept.vectors)
    str(concept).encode("utf-8", "backslashreplace")
    assert concept_bytes(concept) and all(v.dtype == torch.float32 for v in concept.vectors.values())
    return True


def test_embeddings(tmp_path: Path) -> None:
    concept = Concept("<x>", "cat", {"clip_l": torch.ones(3, 768)}, Family("sd1", (("clip_l", 768),)), file="x")
    whole = save_concept(concept, tmp_path, "whole").read_bytes()
    ours = json.loads(json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])["__metadata__"]["seal"])
    without = {key: value for key, value in ours.items() if key != "checksum"}

    def case(file: tuple[str, bytes]) -> bool:
        path = tmp_path / file[0]
        path.write_bytes(file[1])
        assert list(files_with_hash(tmp_path, "0" * 16)) == []
        return read_as_any(path)

    fuzz(300, safetensors_files(ours) | safetensors_files(without), case, SealError)


def test_pickled_embeddings(tmp_path: Path) -> None:
    def case(file: tuple[str, bytes]) -> bool:
        path = tmp_path / "x.pt"
        path.write_bytes(file[1])
        return read_as_any(path)

    fuzz(150, damaged(pickled_files()), case, SealError)


TAGS = {
    "a.json": b'[{"image": "a.png", "concept": "c", "class": "cat", "emotion": "sad"}, {"image": "b.png"}]',
    "deep.json": b"[" * 100_000, "deeper.json": b"[" + b'{"a":' * 100_000, "number.json": b"[" + b"9" * 5000,
    "a.jsonl": b'{"image": "a.png", "concept": "c"}\n\n[1, 2]\n' + b"[" * 50_000 + b"\n{}",
    "a.csv": b"image,concept\na.png,c\n", "a.tsv": b"image\tconcept\na.png\tc\n", "empty.csv": b"",
    "quotes.csv": b'image,concept\n"a.png,c\n' + b"x" * 200_000,
}  # fmt: skip


def test_tags(tmp_path: Path) -> None:
    def case(file: tuple[str, bytes]) -> bool:
        path = tmp_path / file[0]
        path.write_bytes(file[1])
        rows = list(read_tag_rows(path))
        assert all(line >= 1 and (isinstance(row, RowError) or row is not NotImplemented) for line, row in rows)
        return True

    fuzz(50, damaged(TAGS), case, SealError)


# -- the command line ------------------------------------------------------------------------------

NUMBERS = (
    "0",
    "-1",
    "1",
    "512",
    "1e9",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "9" * 400,
    "9" * 5000,
    "0x10",
    "",
    " ",
    "²",
    "٣",
    "1_0",
)
SIZES = (
    "512",
    "768x512",
    "64x64x64",
    "x",
    "512x",
    "512X768",
    "9" * 5000,
    "512x" + "9" * 5000,
    "²x²",
    "٥١٢",
    "63",
    "-8",
    "4104",
)


def options(known: dict[str, Sequence[str]]) -> st.SearchStrategy[list[str]]:
    """Some of these options, each with one of its values, a number or any text."""
    pair = st.sampled_from(sorted(known)).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(tuple(known[name])) | st.sampled_from(NUMBERS) | texts())
    )
    return st.lists(pair, max_size=3).map(lambda pairs: [f"{name}={value}" for name, value in pairs])


def run_cli(arguments: Sequence[str]) -> bool:
    """Whether the command came to its end. It may refuse with status 2 and one line, or argparse's usage."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            status = cli.main(arguments)
        except SystemExit as stop:
            status = stop.code
    said.getvalue().encode("utf-8", "backslashreplace")
    assert status in (0, 2), said.getvalue()
    assert status == 0 or "error: " in said.getvalue()
    return status == 0


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that need a model end where they would load it, with status 0."""

    def reached(_: object) -> None:
        raise SystemExit(0)

    for command in (cli_train, cli_generate):
        monkeypatch.setattr(command, "open_model", reached)


def test_generate(no_model: None, tmp_path: Path) -> None:
    concept = Concept("<x>", "cat", {"clip_l": torch.ones(3, 768)}, Family("sd1", (("clip_l", 768),)), file="x")
    fixed = [
        "generate",
        f"--model={tmp_path}",
        f"--embedding={save_concept(concept, tmp_path, 'x')}",
        "--prompt=a <x>",
        f"--out={tmp_path}",
    ]
    known = {
        "--prompt": ("a <x>", "x"), "--negative": ("bad",), "--steps": ("5",), "--cfg": ("7.5",), "--count": ("2",),
        "--size": SIZES, "--strength": ("0.5",), "--class-word": ("cat",), "--seed": ("7", str(2**63)),
        "--embedding": (str(tmp_path), "none.pt"),
    }  # fmt: skip
    fuzz(150, options(known), lambda given: run_cli([*fixed, *given]), SealError)


def test_train(no_model: None, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture_files()["rgba.png"])
    fixed = [
        "train",
        f"--model={tmp_path}",
        f"--image={tmp_path / 'a.png'}",
        "--class-word=cat",
        "--name=x",
        f"--out={tmp_path / 'out'}",
    ]
    known = {
        "--class-word": ("cat",), "--name": ("x", "CON", "a/b"), "--concept": ("<y>", "cat"),
        "--preset": ("best", "hiper"), "--steps": ("9",), "--learning-rate": ("0.01",), "--batch-size": ("2",),
        "--resolution": ("128",), "--seed": ("1",), "--prompts": ("a {}", "{} {}", "x"),
        "--attributes": ('{"emotion": "sad"}', "[" * 100_000, '{"a":' * 9000, "{}"), "--norm": ("fixed",),
        "--split": ("3",), "--merge": ("mean", "none"), "--merge-at": ("0.5",), "--context-token": ("on",),
        "--init": ("class_word", "described"), "--layers": ("up", "up." + "9" * 5000), "--start-percent": ("0.1",),
        "--end-percent": ("0.9",), "--attention-loss": ("leak",), "--attention-weight": ("0.1",), "--augment": ("0.5",),
        "--mask": (str(tmp_path / "a.png"), "none.png"), "--resume": ("none.safetensors", str(tmp_path)),
    }  # fmt: skip
    fuzz(200, options(known), lambda given: run_cli([*fixed, *given]), SealError)


def test_pack(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/happy cat.png").write_bytes(picture_files()["rgba.png"])
    fixed = ["pack", str(tmp_path / "in"), "--platform=plain", f"--out={tmp_path / 'out'}", "--title=T", "--author=A"]
    known = {
        "--platform": ("telegram", "signal", "discord", "imessage", "plain"), "--title": ("x",), "--author": ("x",),
        "--emoji": ("😺", "happy=😀", "x"), "--name": ("x", "CON", "COM¹"), "--fps": ("12",), "--size": ("300", "64"),
        "--format": ("png", "webp", "gif"),
    }  # fmt: skip
    fuzz(100, options(known), lambda given: run_cli([*fixed, *given]), SealError)
