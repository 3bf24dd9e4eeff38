"""The importer of tagged sticker folders."""

import json

import pytest
from PIL import Image

from seal_core.messages import SealError
from seal_core.tagged_stickers.sticker_folder import read_sticker_folder


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mochi").mkdir()
    for i, name in enumerate(("a.png", "b.webp", "mochi/c.jpg")):
        Image.new("RGB", (40 + i, 30), (10 * i, 0, 0)).save(tmp_path / name)
    Image.new("L", (40, 30), 255).save(tmp_path / "a_mask.png")
    return tmp_path


ROWS = [
    {"image": "a.png", "concept": "tama", "class": "cat", "emotion": "happy", "Camera Composition": "close-up",
     "mask": "a_mask.png", "artist": "me"},
    {"file_name": "b.webp", "attributes": {"mood": " very  sad,", "pose": ["sitting", "waving"], "style": None}},
    {"image": "mochi/c.jpg", "background": "beach", "likes": 3},
]  # fmt: skip


def lines(rows):
    return "\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows)


def test_json_lines_and_json_agree(folder):
    (folder / "tags.jsonl").write_text(lines(ROWS) + "\n\n")
    found = read_sticker_folder(folder)
    assert [r.line for r in found.records] == [1, 2, 3] and not found.problems
    (folder / "tags.jsonl").unlink()
    (folder / "all.json").write_text("\ufeff" + json.dumps(ROWS, indent=1), encoding="utf-8")
    other = read_sticker_folder(folder)
    assert [(r.image, r.attributes, r.concept) for r in other.records] == [
        (r.image, r.attributes, r.concept) for r in found.records
    ]
    assert [r.line for r in other.records] == [2, 11, 22]

    first, second, third = found.records
    assert first.attributes == {"emotion": "happy", "camera": "close-up"} and first.class_word == "cat"
    assert first.mask == folder / "a_mask.png" and first.size == (40, 30) and first.extra == {"artist": "me"}
    assert second.attributes == {"emotion": "very sad", "action": "sitting, waving"} and second.concept == "b"
    assert third.concept == "mochi" and third.extra == {"likes": "3"}
    assert list(found.concepts()) == ["tama", "b", "mochi"]


def test_csv(folder):
    (folder / "stickers.csv").write_text(
        'Image,Expression,Scene,note\na.png,happy,"on a beach, at night",x\n\n'
        '"b.webp",sad,,"two\nlines"\nmochi/c.jpg,angry\n'
    )
    found = read_sticker_folder(folder)
    assert [r.line for r in found.records] == [2, 4, 6]
    assert found.records[0].attributes == {"emotion": "happy", "background": "on a beach, at night"}
    assert found.records[2].attributes == {"emotion": "angry"}
    (folder / "stickers.csv").unlink()
    (folder / "stickers.tsv").write_text("image\temotion\na.png\tin love\n")
    assert read_sticker_folder(folder).records[0].attributes == {"emotion": "in love"}


BAD = [
    ('{"image": "a.png", "emotion": "sad"', "not valid JSON"),
    ({"emotion": "sad"}, "names no picture"),
    ({"image": "gone.png", "emotion": "sad"}, "image: gone.png is not there"),
    ({"image": "fake.png", "emotion": "sad"}, "no picture that can be read"),
    ({"image": "tiny.png", "emotion": "sad"}, "8 x 8 px"),
    ({"image": "../a.png", "emotion": "sad"}, "leaves the folder"),
    ({"image": "link.png", "emotion": "sad"}, "is a link that leaves"),
    ({"image": "a.png"}, "none of the attributes"),
    ({"image": "a.png", "emotion": 3}, "write text"),
    ({"image": "a.png", "emotion": "sad {}"}, "braces"),
    ({"image": "a.png", "emotion": "sad", "mood": "happy"}, "emotion is given twice"),
    ('{"image": "a.png", "emotion": "sad", "emotion": "happy"}', "'emotion' stands there twice"),
    ('{"image": "a.png", "attributes": {"mood": "sad", "mood": "happy"}}', "'mood' stands there twice"),
    ("[1, 2]", "is not an object"),
    ({"image": "b.webp", "emotion": "sad", "mask": "a_mask.png"}, "not the size of its picture"),
]


def test_every_bad_row_is_listed_by_line(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "x.png"
    Image.new("RGB", (40, 30)).save(outside)
    (folder / "link.png").symlink_to(outside)
    (folder / "fake.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    Image.new("RGB", (8, 8)).save(folder / "tiny.png")
    good = {"image": "mochi/c.jpg", "emotion": "sad"}
    (folder / "tags.jsonl").write_text(lines([good, *(row for row, _ in BAD), good]))
    found = read_sticker_folder(folder, strict=False)
    assert len(found.records) == 1
    assert [p.line for p in found.problems] == list(range(2, len(BAD) + 3))
    for problem, (_, reason) in zip(found.problems, BAD):
        assert reason in problem.reason, problem
    assert str(found.problems[-1]) == f"line {len(BAD) + 2}: mochi/c.jpg has tags on line 1 already"
    with pytest.raises(SealError, match=f"{len(BAD) + 1} of {len(BAD) + 2} rows") as caught:
        read_sticker_folder(folder)
    assert all(f"  line {p.line}: " in str(caught.value) for p in found.problems)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("tags.json", '{"a": 1}', "must be a list"),
        ("tags.json", "[\n{},\n{]", "line 3: not valid JSON"),
        ("tags.json", "[\n{}\n{}]", "a comma or"),
        ("tags.json", "[{}", "line 1: not valid JSON"),
        ("tags.json", "[]", "holds no rows"),
        ("tags.csv", "", "holds no rows"),
        ("tags.csv", "image,image\na,b", "'image' is there twice"),
        ("tags.csv", "picture,emotion\na.png,sad,happy", "line 2: 3 cells for 2 columns"),
        ("tags.csv", "emotion\nsad", "line 2: names no picture"),
        ("tags.csv", 'image,emotion\na.png,"sad', "not valid CSV"),
    ],
)
def test_bad_files(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(SealError, match=message):
        read_sticker_folder(folder)


def test_bad_folders(folder):
    with pytest.raises(SealError, match="is not a folder"):
        read_sticker_folder(folder / "none")
    with pytest.raises(SealError, match="has no file of tags"):
        read_sticker_folder(folder)
    (folder / "x.csv").write_text("image,emotion\na.png,sad")
    (folder / "y.csv").write_bytes(b"image\n\xff")
    with pytest.raises(SealError, match=r"x\.csv, y\.csv; say which"):
        read_sticker_folder(folder)
    assert len(read_sticker_folder(folder, folder / "x.csv").records) == 1
    with pytest.raises(SealError, match="is not UTF-8"):
        read_sticker_folder(folder, folder / "y.csv")
    with pytest.raises(SealError, match=r"gone\.json is not there"):
        read_sticker_folder(folder, folder / "gone.json")
    with pytest.raises(SealError, match="is none of"):
        read_sticker_folder(folder, folder / "a.png")
