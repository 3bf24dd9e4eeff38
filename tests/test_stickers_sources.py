"""Folders of pictures as stickers, and the pack command."""

from __future__ import annotations

import json

import pytest
from pack_rules import check_pack
from PIL import Image
from sticker_clips import moving, picture

from seal_core import cli


def test_the_command_line_reads_files_and_frames(tmp_path, capsys):
    source = tmp_path / "in"
    (source / "10 walk").mkdir(parents=True)
    clip = moving(5)
    images = [Image.fromarray(frame) for frame in clip.frames]
    for i, image in enumerate(images):
        image.save(source / "10 walk" / f"{i + 7}.png")
    rest = {"save_all": True, "append_images": images[1:], "duration": 80, "loop": 0}
    images[0].save(source / "2.gif", disposal=2, **rest)
    images[0].save(source / "1.webp", lossless=True, **rest)
    images[0].save(source / "3.png", **rest)
    (source / "notes.txt").write_text("not a picture")
    arguments = ["--platform", "discord", "--out", str(tmp_path / "out"), "--title", "Cat", "--author", "Me"]
    assert cli.main(["pack", str(source), *arguments, "--emoji", "😀", "😢", "🎉", "👍", "--fps", "8"]) == 0
    out = capsys.readouterr()
    assert out.out.startswith(f"{tmp_path / 'out' / 'Cat'}: 4 stickers")
    got = check_pack(tmp_path / "out" / "Cat")
    assert list(got) == ["01_sticker_1.png", "02_sticker_2.png", "03_sticker_3.png", "04_10_walk.png"]
    assert [sum(s.times) for s in got.values()] == [400, 400, 400, 625]
    report = json.loads((tmp_path / "out" / "Cat" / "pack.json").read_text(encoding="utf-8"))
    assert [s["tags"] for s in report["stickers"]] == ["grinning_face", "crying_face", "party_popper", "thumbs_up_sign"]


@pytest.mark.parametrize("arguments, message", [
    (["IN/none", "--platform", "signal"], "error: in: cannot read the folder"),
    (["IN/empty", "--platform", "signal"], "error: in: no pictures in"),
    (["IN/bad", "--platform", "signal"], "error: in: cannot read broken.png as a picture"),
    (["IN/sizes", "--platform", "signal"], "error: in: the frames in a have several sizes (10x10, 12x9)"),
    (["IN/ok", "--platform", "signal", "--emoji", "x"], "error: emoji: 'x' is not an emoji"),
    (["IN/ok", "--platform", "whatsapp"], "error: images: 1 stickers; a pack for WhatsApp has 3 to 30"),
])  # fmt: skip
def test_the_command_line_complains_in_one_line(arguments, message, tmp_path, capsys):
    for name in ("empty", "bad", "ok", "sizes/a"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bad" / "broken.png").write_bytes(b"\x89PNG nothing")
    Image.fromarray(picture()).save(tmp_path / "ok" / "a.png")
    for i, size in enumerate(((10, 10), (12, 9))):
        Image.fromarray(picture(*size)).save(tmp_path / "sizes" / "a" / f"{i}.png")
    shared = ["--out", str(tmp_path / "out"), "--title", "T", "--author", "A"]
    assert cli.main(["pack", arguments[0].replace("IN", str(tmp_path)), *arguments[1:], *shared]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith(message)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
