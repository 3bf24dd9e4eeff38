"""Folders of animated stickers with captions."""

import json

import numpy as np
import pytest
from PIL import Image
from sticker_clips import moving

from seal_core.messages import SealError
from seal_core.motion.temporal.clip_folder import captioned_stickers, sampled_clip
from seal_core.stickers.pack.clip import Clip


def write(path, clip, **options):
    frames = [Image.fromarray(frame) for frame in clip.frames]
    times = [round(t) for t in clip.durations]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0, **options)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "a.webp", moving(6, 10.0), lossless=True)
    write(tmp_path / "b.gif", moving(4, 10.0))
    write(tmp_path / "c.png", moving(3, 10.0))
    (tmp_path / "d").mkdir()
    for i, frame in enumerate(moving(5).frames):
        Image.fromarray(frame).save(tmp_path / "d" / f"{i}.png")
    Image.fromarray(moving(1).frames[0]).save(tmp_path / "e.png")
    return tmp_path


def test_captions_come_from_beside_and_from_a_table(folder):
    (folder / "a.txt").write_text("a ball rolls\n", encoding="utf-8")
    (folder / "d.txt").write_text("a ball hops", encoding="utf-8")
    (folder / "captions.csv").write_text('file,caption\nb.gif,"a ball, waving"\nc,a ball jumps\n', encoding="utf-8")
    found = captioned_stickers(folder)
    assert [(s.file, s.caption, s.sticker.animated) for s in found] == [
        ("a.webp", "a ball rolls", True),
        ("b.gif", "a ball, waving", True),
        ("c.png", "a ball jumps", True),
        ("d", "a ball hops", True),
        ("e.png", "", False),
    ]
    assert [len(s.sticker.read().frames) for s in found] == [6, 4, 3, 5, 1]


def test_json_lines_do_as_well(folder):
    rows = [{"image": "a.webp", "text": "rolls"}, {"image": "e.png", "text": "rests"}]
    (folder / "tags.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert {s.file: s.caption for s in captioned_stickers(folder) if s.caption} == {"a.webp": "rolls", "e.png": "rests"}


def test_sampling_follows_the_clips_own_times():
    frames = np.zeros((3, 10, 10, 4), np.uint8)
    frames[..., 3] = 255
    for i in range(3):
        frames[i, ..., 0] = 100 * i
    clip = sampled_clip(Clip(frames, (600.0, 100.0, 100.0)), 8, 16)
    assert clip.images[:, 8, 8, 0].tolist() == [0, 0, 0, 0, 0, 0, 100, 200] and clip.frames == 8
    assert clip.images.shape == (8, 16, 16, 3) and clip.masks.shape == (8, 16, 16) and clip.masks.min() == 255


def test_transparency_becomes_ground_and_mask():
    sampled = sampled_clip(moving(6), 4, 32, (0, 255, 0))
    outside = sampled.masks == 0
    assert outside.any() and (sampled.images[outside] == (0, 255, 0)).all()
    assert (sampled.images[0] != sampled.images[2]).any()


def test_stills_are_clips_of_one_frame():
    still = sampled_clip(Clip.still(moving(1).frames[0]), 8, 32)
    assert still.frames == 1 and still.images.shape[0] == 8 and (still.images == still.images[0]).all()


def test_bad_folders(folder, tmp_path):
    with pytest.raises(SealError, match=r"folder: .* is not a folder"):
        captioned_stickers(folder / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SealError, match="holds no stickers"):
        captioned_stickers(tmp_path / "empty")
    (folder / "captions.csv").write_text("file,caption\nz.gif,who\n", encoding="utf-8")
    with pytest.raises(SealError, match=r"name z\.gif, which is not"):
        captioned_stickers(folder)
    (folder / "captions.csv").write_text("file,mood\na.webp,who\n", encoding="utf-8")
    with pytest.raises(SealError, match="line 2: give a file and a caption"):
        captioned_stickers(folder)
    (folder / "captions.csv").unlink()
    (folder / "a.txt").write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(SealError, match="cannot be read"):
        captioned_stickers(folder)
    with pytest.raises(SealError, match="frames"):
        sampled_clip(moving(3), 0, 32)
