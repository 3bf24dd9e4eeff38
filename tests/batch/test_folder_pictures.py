"""A folder of pictures: tags, sub-folders, masks beside them; every bad row is listed and stops no other."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from PIL import Image

from seal_core.batch.concept_names import concept_names
from seal_core.batch.folder_pictures import folder_pictures
from seal_core.messages import SealError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "red_fox/b one.png", "red_fox/deep/c.webp", "out/old.png", ".hidden/x.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (200, 10, 10)).save(path)
    Image.new("L", (40, 40), 255).save(tmp_path / "red_fox/b one.mask.png")
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_sub_folders_name_what_they_show(folder: Path) -> None:
    found = {one.shown: one for one in folder_pictures(folder, without=folder / "out")}
    assert list(found) == ["a.png", "red_fox/b one.png", "red_fox/deep/c.webp"]
    assert [one.name for one in found.values()] == ["a", "red_fox-b_one", "red_fox-deep-c"]
    assert [one.class_word for one in found.values()] == ["", "red fox", "deep"]
    assert found["red_fox/b one.png"].mask == folder / "red_fox/b one.mask.png" and found["a.png"].mask is None
    assert {one.class_word for one in folder_pictures(folder, class_word="cat")} == {"cat"}


def test_tags_come_first_and_bad_rows_are_told_by_line(folder: Path) -> None:
    rows = [
        {"image": "a.png", "class": "dog", "concept": "Rex", "emotion": "happy"},
        {"image": "red_fox/b one.png", "emotion": 3},
        {"image": "gone.png", "class": "cat"},
        "not json",
        {"image": "a.png", "class": "cat"},
    ]
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "tags.jsonl").write_text("\n".join(lines))
    found = {one.shown: one for one in folder_pictures(folder, without=folder / "out")}
    first = found["a.png"]
    assert (first.name, first.class_word, dict(first.attributes)) == ("Rex", "dog", {"emotion": "happy"})
    assert found["red_fox/b one.png"].problem == "tags.jsonl, line 2: emotion is 3; write text"
    assert found["red_fox/deep/c.webp"].class_word == "deep" and not found["red_fox/deep/c.webp"].problem
    assert "gone.png is not there" in found["tags.jsonl, line 3"].problem
    assert "not valid JSON" in found["tags.jsonl, line 4"].problem
    assert "has tags on line 1 already" in found["tags.jsonl, line 5"].problem


def test_several_pictures_of_one_character_keep_its_name(folder: Path) -> None:
    rows = [{"image": name, "class": "fox", "concept": "Tama"} for name in ("a.png", "red_fox/b one.png")]
    (folder / "tags.json").write_text(json.dumps(rows))
    assert {one.name for one in folder_pictures(folder, without=folder / "out")} >= {"Tama-a", "Tama-b_one"}


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SealError, match="folder: no pictures in"):
        folder_pictures(tmp_path)
    with pytest.raises(SealError, match="is not a folder"):
        folder_pictures(tmp_path / "none")


def test_names_are_safe_unique_and_stay() -> None:
    words = ["猫/ミケ.png", "x/a.png", "x/A.webp", "12.png", "CON.png", "x/" + "long" * 40 + ".png", "v1.5"]
    names = concept_names(words)
    assert len({name.lower() for name in names}) == len(words) and max(map(len, names)) <= 64
    assert names[3:5] == ["sticker-12", "sticker-CON"] and names[6] == "v1_5"
    assert names[1].startswith("x-a-") and names[2].startswith("x-A-")
    assert concept_names(words[::-1]) == names[::-1], "the order does not matter"


def test_a_thousand_rows_take_no_second(tmp_path: Path) -> None:
    """Ten thousand took 1.3 s on two cores."""
    Image.new("RGB", (64, 64)).save(tmp_path / "0.png")
    data = (tmp_path / "0.png").read_bytes()
    rows = []
    for i in range(1000):
        (tmp_path / f"{i}.png").write_bytes(data)
        rows.append(json.dumps({"image": f"{i}.png", "class": "cat", "emotion": "sad" if i % 100 else 5}))
    (tmp_path / "tags.jsonl").write_text("\n".join(rows))
    begun = time.process_time()
    found = folder_pictures(tmp_path)
    assert time.process_time() - begun < 2
    assert len(found) == 1000 and sum(bool(one.problem) for one in found) == 10
