"""Folders of pictures as stickers, and the pack command."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from pack_rules import check_pack
from PIL import Image, features
from sticker_clips import moving, noise, picture

from seal_core.cli import main as cli
from seal_core.messages import SealError
from seal_core.stickers.pack import read_folder
from seal_core.stickers.pack.read_folder import stickers_in, unreadable_files

ROOT = Path(__file__).parents[3]


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
    assert out.out.startswith(f"{tmp_path / 'out' / 'Cat-discord'}: 4 stickers")
    got = check_pack(tmp_path / "out" / "Cat-discord")
    assert list(got) == ["01_sticker_1.png", "02_sticker_2.png", "03_sticker_3.png", "04_10_walk.png"]
    assert [sum(s.times) for s in got.values()] == [400, 400, 400, 625]
    report = json.loads((tmp_path / "out" / "Cat-discord" / "pack.json").read_text(encoding="utf-8"))
    assert [s["tags"] for s in report["stickers"]] == ["grinning_face", "crying_face", "party_popper", "thumbs_up_sign"]


@pytest.mark.parametrize("arguments, message", [
    (["IN/none", "--platform", "signal"], "error: in: cannot read the folder"),
    (["IN/empty", "--platform", "signal"], "error: in: no pictures in"),
    (["IN/bad", "--platform", "signal"], "error: in: broken.png is no picture that can be read"),
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


def saved(path, image=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or Image.fromarray(picture())).save(path, **options)
    return path


def animated(path, count=3, **options):
    first, *rest = [Image.fromarray(frame) for frame in moving(count).frames]
    return saved(path, first, save_all=True, append_images=rest, **{"duration": 100, "loop": 0, **options})


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def grey_png(path, depth, row, clear, colour=0):
    """One row of a PNG in a depth that Pillow cannot write. row: its bytes; clear: the value that is transparent."""
    width = len(row) * 8 // depth // (3 if colour == 2 else 1)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0)), chunk(b"tRNS", clear)]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IDAT", zlib.compress(b"\0" + row)))
    with path.open("ab") as file:
        file.write(chunk(b"IEND", b""))
    return path


def one(path):
    (sticker,) = stickers_in(path)
    return sticker.read()


# ------------------------------------------------------------------ what files show


def test_the_default_image_of_an_apng_is_no_frame(tmp_path):
    frames = moving(3).frames
    hidden, *rest = [Image.fromarray(frame) for frame in (picture(colour=(0, 0, 255, 255)), *frames)]
    options = {"save_all": True, "append_images": rest, "default_image": True, "loop": 0}
    hidden.save(tmp_path / "a.png", duration=[50, 70, 90], **options)
    clip = one(tmp_path / "a.png")
    assert (clip.frames == frames).all() and clip.durations == (50.0, 70.0, 90.0)


def test_deep_and_shallow_grey_keeps_its_levels_and_its_transparency(tmp_path):
    deep = grey_png(tmp_path / "16.png", 16, struct.pack(">4H", 0, 10_000, 40_000, 65_535), struct.pack(">H", 40_000))
    assert one(deep).frames[0, 0].tolist() == [[0, 0, 0, 255], [39] * 3 + [255], [156] * 3 + [0], [255] * 4]
    four = grey_png(tmp_path / "4.png", 4, bytes([0x0F, 0x5A]), struct.pack(">H", 5))
    assert one(four).frames[0, 0].tolist() == [[0, 0, 0, 255], [255] * 4, [85, 85, 85, 0], [170] * 3 + [255]]
    row, clear = struct.pack(">6H", 10_000, 20_000, 30_000, 0, 0, 65_535), struct.pack(">3H", 10_000, 20_000, 30_000)
    rgb = grey_png(tmp_path / "rgb.png", 16, row, clear, colour=2)
    assert one(rgb).frames[0, 0].tolist() == [[39, 78, 117, 0], [0, 0, 255, 255]]
    Image.fromarray(np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(4, 0)).save(tmp_path / "ramp.png")
    assert np.abs(one(tmp_path / "ramp.png").frames[0, 0, :, 0] - np.linspace(0, 255, 64)).max() <= 1


def test_a_phone_s_jpeg_with_a_second_picture_is_a_still(tmp_path):
    first, second = (Image.fromarray(frame).convert("RGB") for frame in moving(2).frames)
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    assert not stickers_in(tmp_path)[0].animated and one(tmp_path / "a.jpg").frames.shape == (1, 100, 120, 4)


def test_what_is_read_and_in_which_order(tmp_path):
    ninth = "9.avif" if features.check("avif") else "9.webp"
    for name in ("²3.png", "x1①2.png", "10.bmp", ninth, ".hidden.png", "._1.png", "What?.jpg", 'say "a\\b".png'):
        image = Image.fromarray(picture()) if not name.endswith((".bmp", ".jpg")) else Image.new("RGB", (9, 9), "red")
        saved(tmp_path / name, image)
    for name in ("walk/._1.png", "walk/2.png", "walk/10.png", "__MACOSX/walk/._1.png", "old/01.png", "old/02.png"):
        saved(tmp_path / name)
    for name in ("c.tiff", "walk/x.heic", "old/pack.json", "old/y.tif", "notes.txt"):
        (tmp_path / name).write_bytes(b"\0")
    found = stickers_in(tmp_path)
    assert [sticker.name for sticker in found] == ["9", "10", "say a b", "walk", "What", "x1①2", "²3"]
    assert [sticker.name for sticker in found if sticker.animated] == ["walk"]
    assert len(found[3].read().frames) == 2 and unreadable_files(tmp_path) == ["c.tiff", "walk/x.heic"]


def test_damaged_files_are_errors_and_nothing_else(tmp_path):
    still = Image.fromarray(picture(40, 40))
    files = [animated(tmp_path / name) for name in ("a.gif", "a.png", "a.webp")]
    files += [saved(tmp_path / "s.jpg", still.convert("RGB")), saved(tmp_path / "s.png", still)]
    rng, refused = random.Random(0), 0
    for path in files:
        data = path.read_bytes()
        for turn in range(40):
            damaged = bytearray(data[: rng.randrange(len(data))] if turn % 2 else data)
            for _ in range(0 if turn % 2 else 5):
                damaged[rng.randrange(min(len(damaged), 300))] = rng.randrange(256)
            path.write_bytes(bytes(damaged))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    one(path)
                except SealError as error:
                    refused += 1
                    assert str(error).startswith("in: ") and path.name in str(error)
    assert refused > 60


def bomb(path, count, width, height):
    """A file of a few bytes a frame: GIF frames of one pixel on a large canvas, or APNG frames likewise."""
    if path.suffix == ".gif":
        frame = (
            b"\x21\xf9\x04\x04\x02\x00\x00\x00"
            + b"\x2c"
            + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
            + b"\x02\x02\x44\x01\x00"
        )
        head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
        path.write_bytes(head + frame * count + b"\x3b")
        return path
    first = zlib.compress(bytes((width + 1) * height), 9)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    parts.append(chunk(b"acTL", struct.pack(">II", count, 0)))
    for i in range(count):
        box = (2 * i - (i > 0), width if i == 0 else 1, height if i == 0 else 1, 0, 0, 1, 50, 0, 0)
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", *box)))
        pixel = struct.pack(">I", 2 * i) + zlib.compress(bytes([0, i % 2 * 255]))
        parts.append(chunk(b"IDAT", first) if i == 0 else chunk(b"fdAT", pixel))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("name, count, width, height", [
    ("many.gif", 3000, 700, 700), ("large.gif", 300, 2000, 1500), ("many.png", 20_000, 8, 8),
    ("large.png", 300, 2000, 1500),
])  # fmt: skip
def test_frame_bombs_are_refused_before_a_frame_is_decoded(name, count, width, height, tmp_path, monkeypatch):
    path = bomb(tmp_path / name, count, width, height)
    assert path.stat().st_size < 3_000_000
    (sticker,) = stickers_in(path)
    monkeypatch.setattr(read_folder, "rgba_pixels", None)
    with pytest.raises(SealError, match=rf"in: {name} has {count:,} frames of {width}x{height} pixels; .* leave out"):
        sticker.read()


def test_a_folder_of_frames_is_bounded_too(tmp_path, monkeypatch):
    for i in range(5):
        saved(tmp_path / "in" / "walk" / f"{i}.png")
    monkeypatch.setattr(read_folder, "_MOST_FRAMES", 4)
    with pytest.raises(SealError, match="in: walk has 5 frames of 120x100 pixels"):
        stickers_in(tmp_path / "in")[0].read()
    monkeypatch.setattr(read_folder, "_MOST_BYTES", 100)
    with pytest.raises(SealError, match=r"in: 0\.png has over"):
        stickers_in(tmp_path / "in" / "walk")


# ------------------------------------------------------------------ what the command refuses and notes


def pack(source, out, *more):
    return cli.main(["pack", str(source), "--out", str(out), "--author", "A", "--title", "T", *more])


@pytest.mark.parametrize("more, message", [
    (("--title", "\udcff"), r"error: title: '\udcff' is no valid text (UTF-8)"),
    (("--name", "CON"), "error: name: 'CON' is reserved by Windows"),
    (("--name", "nul.txt"), "error: name: 'nul.txt' is reserved by Windows"),
    (("--name", "😀" * 64), "error: name: 256 bytes are too long for a folder; use at most 200"),
    (("--format", "gif"), "error: format: Signal takes"),
    (("--out", ""), "error: out: empty; give a folder"),
])  # fmt: skip
def test_bad_options_are_one_line(more, message, tmp_path, capsys):
    animated(tmp_path / "in" / "a.gif")
    saved(tmp_path / "in" / "b.png")
    assert pack(tmp_path / "in", tmp_path / "out", "--platform", "signal", *more) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith(message)
    assert not (tmp_path / "out").exists()


def test_bad_folders_are_one_line(tmp_path, capsys, monkeypatch):
    animated(tmp_path / "wave" / "walk" / "2.gif")
    saved(tmp_path / "wave" / "walk" / "1.png")
    os.close(os.open(os.fsencode(tmp_path / "bytes-") + b"\xff.png", os.O_CREAT | os.O_WRONLY))
    (tmp_path / "bytes").mkdir()
    (bad,) = tmp_path.glob("bytes-*")
    saved(tmp_path / "b.png").rename(tmp_path / "bytes" / bad.name)
    monkeypatch.chdir(tmp_path / "bytes")
    for source, message in (
        (tmp_path / "wave", "error: in: walk is a folder of frames, and 2.gif in it is animated"),
        (tmp_path / "bytes", r"error: name of sticker 1: 'bytes-\udcff' is no valid text (UTF-8)"),
        ("", "error: in: empty; give a folder"),
    ):
        assert pack(source, tmp_path / "out", "--platform", "signal") == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and error.startswith(message), error
    assert not (tmp_path / "out").exists()


def test_packing_twice_into_the_folder_of_pictures(tmp_path, capsys):
    saved(tmp_path / "a.png")
    (tmp_path / "b.tif").write_bytes(b"\0")
    (tmp_path / ".T.0123abcd.part").mkdir()
    for name in ("T-signal", "T-signal-2"):
        assert pack(tmp_path, tmp_path, "--platform", "signal") == 0
        assert [p.name for p in (tmp_path / name).glob("*.webp")] == ["01_a.webp"]
    notes = capsys.readouterr().err
    assert "note: not packed, since it cannot be read: b.tif;" in notes and "note: .T.0123abcd.part in " in notes


def test_a_title_that_windows_reserves_becomes_another_folder(tmp_path):
    saved(tmp_path / "in" / "nul.png")
    assert pack(tmp_path / "in", tmp_path / "out", "--platform", "signal", "--title", "CON") == 0
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["CON-signal"]


def test_a_format_for_one_kind_leaves_the_other_its_best(tmp_path):
    animated(tmp_path / "in" / "a.gif")
    saved(tmp_path / "in" / "b.png")
    assert pack(tmp_path / "in", tmp_path / "out", "--platform", "signal", "--format", "png") == 0
    assert [got.form for got in check_pack(tmp_path / "out" / "T-signal").values()] == ["apng", "png"]


@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes without a signal")
@pytest.mark.parametrize("number", [signal.SIGTERM, getattr(signal, "SIGHUP", None)])
def test_a_signal_leaves_nothing_behind(number, tmp_path):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("this run ignores the signal, as under nohup, and so does what it starts")
    for i in range(8):
        Image.fromarray(noise(1, seed=i)[0]).save(saved(tmp_path / "in" / f"{i}.png"))
    out = tmp_path / "out"
    arguments = [str(tmp_path / "in"), "--platform", "whatsapp", "--out", str(out), "--title", "T", "--author", "A"]
    running = subprocess.Popen(
        [sys.executable, "-m", "seal_core", "pack", *arguments], stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    end = time.monotonic() + 60
    while not list(out.glob(".T-*.part/*")) and time.monotonic() < end and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(number)
    error = running.communicate(timeout=60)[1]
    assert running.returncode == 128 + number and error == "\nstopped; no file is half-written.\n"
    assert not list(out.iterdir())


def test_handlers_of_signals_are_restored(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    saved(tmp_path / "in" / "a.png")
    assert pack(tmp_path / "in", tmp_path / "out", "--platform", "signal") == 0
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
