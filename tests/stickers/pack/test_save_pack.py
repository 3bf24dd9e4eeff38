"""Sticker packs: every file read back against the platforms' limits (pack_rules), and nothing half-written."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from pack_rules import check_pack, png_chunks, read
from PIL import Image
from sticker_clips import moving, noise, packed, picture, stickers

from seal_core.messages import SealError
from seal_core.stickers.emoji import REGIONS, split_emoji, spoken
from seal_core.stickers.pack import animation_encoder, platform_check, platform_files, still_encoder, webm
from seal_core.stickers.pack import save_pack as save_pack_module
from seal_core.stickers.pack.clip import Clip
from seal_core.stickers.pack.fit_byte_limit import Setting, best_fit
from seal_core.stickers.pack.pack_request import PackRequest, with_emoji
from seal_core.stickers.pack.palette import quantise
from seal_core.stickers.pack.save_pack import pack_in_words, save_pack
from seal_core.stickers.platforms import PLATFORMS

CHAT = [name for name in PLATFORMS if name != "plain"]

# ------------------------------------------------------------------ the limits, on files read back


@pytest.mark.parametrize("platform", [*CHAT, "plain"])
def test_static_packs_keep_every_limit(platform, tmp_path):
    shapes = [(120, 100), (60, 150), (1, 1), (3, 400), (512, 512), (700, 90), (33, 33), (320, 320)]
    shapes = shapes if platform == "line" else shapes[:5]
    clips = [Clip.still(picture(*shape)) for shape in shapes[:2]]
    clips += [Clip.still(np.full((height, width, 4), 255, np.uint8)) for width, height in shapes[2:]]
    clips[4] = Clip.still(noise()[0])
    made = packed(clips, platform, tmp_path)
    read_back = list(check_pack(made.folder).values())
    # The subject is where it was: as wide as the canvas allows, centred.
    first = read_back[0].frames[0]
    columns = np.flatnonzero((first[..., 3] > 127).any(axis=0))
    assert abs(columns[0] + columns[-1] - (first.shape[1] - 1)) <= 4


@pytest.mark.parametrize("platform", [*CHAT, "plain"])
def test_animated_packs_keep_every_limit(platform, tmp_path):
    clips = [moving(3 + i % 2, fps=4.0 + i) for i in range({"line": 8, "whatsapp": 3}.get(platform, 2))]
    check_pack(packed(clips, platform, tmp_path).folder)


# ------------------------------------------------------------------ what is in the files


def test_static_files_are_lossless_where_they_fit_and_hide_no_colour():
    image = picture(320, 320)
    found, size = still_encoder.encode_still(image, PLATFORMS["discord"].still, "png")
    got = read("", found.data).frames[0]
    shown = image[..., 3] > 0
    assert size == (320, 320) and str(found.setting) == "lossless"
    assert (got[shown] == image[shown]).all() and (got[~shown] == 0).all()


def test_a_palette_keeps_transparency_flat_areas_and_alpha():
    frames = moving(3).frames
    indices, palette = quantise(frames, 64)
    back = palette[indices].astype(int)
    assert len(palette) <= 64 and (palette[0] == 0).all()
    assert (back[frames[..., 3] == 0] == 0).all() and (back[frames[..., 3] == 255][:, 3] == 255).all()
    alpha = frames[..., 3:].astype(int)
    assert np.abs(back[..., :3] * back[..., 3:] - frames[..., :3] * alpha).mean() / 255 < 1.5
    assert quantise(frames[:1] * 0, 16)[1].shape == (1, 4)
    few, flat = quantise(np.full((1, 4, 4, 4), 255, np.uint8), 256)
    assert len(flat) == 2 and (flat[few] == 255).all()


def test_workflow_is_embedded_where_it_fits_and_only_there():
    tags = {"workflow": json.dumps({"nodes": "é" * 10}), "prompt": json.dumps({"1": {}})}
    image = picture(320, 320)
    png = still_encoder.encode_still(image, PLATFORMS["discord"].still, "png", tags)[0].data
    texts = dict(body.split(b"\0", 1) for kind, body in png_chunks(png) if kind == b"tEXt")
    assert {k.decode(): v.decode() for k, v in texts.items()} == tags
    made = animation_encoder.encode_animation(moving(), PLATFORMS["whatsapp"].motion, "webp", tags).found.data
    exif = Image.open(io.BytesIO(made)).getexif()
    assert exif[0x010F] == "workflow:" + tags["workflow"] and exif[0x0110] == "prompt:" + tags["prompt"]
    import av

    video = animation_encoder.encode_animation(moving(3), PLATFORMS["telegram"].motion, "webm", tags).found.data
    with av.open(io.BytesIO(video)) as container:
        assert {k.lower(): v for k, v in container.metadata.items()}["prompt"] == tags["prompt"]
    assert read("", video).frames[..., 3].min() == 0
    large = {"workflow": "x" * 200_000}
    still = still_encoder.encode_still(image, PLATFORMS["whatsapp"].still, "webp", large)[0].data
    assert len(still) <= 100 * 1024 and b"xxxx" not in still


def test_search_is_a_bisection_and_finds_the_best_that_fits():
    rungs = [Setting(quality=q) for q in range(100, 0, -1)]
    for limit in (1, 37, 64, 100, 1000):
        found = best_fit(rungs, lambda rung: b"x" * rung.quality, limit)
        assert len(found.data) == min(limit, 100) and found.probes <= 8
    drafted = best_fit(rungs, lambda r: b"x" * r.quality, 50, lambda r: b"x" * (r.quality + 1))
    assert len(drafted.data) == 50 and drafted.probes <= 11
    with pytest.raises(SealError, match=r"1 bytes at the smallest setting \(quality 1\), and 0 are allowed"):
        best_fit(rungs, lambda rung: b"x" * rung.quality, 0)


# ------------------------------------------------------------------ emoji and names


def test_what_is_one_emoji():
    family, rainbow, england = "👨‍👩‍👧‍👦", "🏳️‍🌈", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    assert split_emoji(f"😀{family}, {rainbow} 👍🏽|1️⃣{england}🇩🇪🇫🇷") == (
        "😀", family, rainbow, "👍🏽", "1️⃣", england, "🇩🇪", "🇫🇷",
    )  # fmt: skip
    assert split_emoji("☺❤😀😀") == ("☺️", "❤️", "😀")
    assert len(REGIONS) == 259
    for bad in ("a", "1", ":smile:", "😀‍", "🇽🇽", "🇩", "😀 ok", "🏴\U000e0067", "️", "👍‍👍‍"):
        with pytest.raises(SealError, match="is not an emoji"):
            split_emoji(bad)


@pytest.mark.parametrize("emoji, tag", [
    ("😀", "grinning_face"), ("❤️", "heavy_black_heart"), ("👍🏽", "thumbs_up_sign"), ("🇩🇪", "flag_de"),
    ("1️⃣", "keycap_1"), ("#️⃣", "keycap_number_sign"), ("*⃣", "keycap_asterisk"),
    ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "flag_gbeng"),
    ("🏃🏿‍♀️", "woman_runner"), ("👩🏽‍🚀", "woman_rocket"), ("👨‍👩‍👧‍👦", "man_woman_girl_boy"),
    ("🏳️‍🌈", "waving_white_flag_rainbow"), ("♀️", "female_sign"),
])  # fmt: skip
def test_what_discord_calls_an_emoji(emoji, tag):
    assert split_emoji(emoji) == (emoji,) and spoken(emoji) == tag


@pytest.mark.parametrize("platform, emoji, message", [
    ("signal", ["😀😢"], r"emoji: 2 emoji \(😀 😢\); Signal takes 1 a sticker"),
    ("whatsapp", ["😀😢🎉👍"], "WhatsApp takes 1 to 3"),
    ("telegram", ["😀", "😢"], "emoji: 2 for 3 stickers"),
    ("telegram", ["😀", "lol", "😢"], "emoji of sticker 2: 'lol' is not an emoji"),
])  # fmt: skip
def test_emoji_of_a_pack(platform, emoji, message):
    with pytest.raises(SealError, match=message):
        with_emoji(stickers([Clip.still(picture())] * 3), emoji, platform)


def test_emoji_by_the_words_in_names():
    names = ["happy, waving hello", "in love, jumping", "01_Sad_waving", "unhappy"]
    clips = stickers([Clip.still(picture())] * 4, names)
    texts = ["happy = 😀", "in love=😍🥰", "", "sad = 😢", "Happy, waving = 🙋", "🤷"]
    made = [[s.emoji for s in with_emoji(clips, texts, platform)] for platform in ("telegram", "signal")]
    assert made[0] == [("😀", "🙋"), ("😍", "🥰"), ("😢",), ("🤷",)]
    assert made[1] == [("😀",), ("😍",), ("😢",), ("🤷",)], "as many as the platform takes"


@pytest.mark.parametrize("texts, message", [
    (["happy = 😀"], r"emoji: no line is for sticker 2 \(sad\); add a line such as sad = 😀"),
    (["happy = 😀", "😢", "🎉"], "emoji: 2 lines without ="),
    (["happy = 😀", "sad = :("], r"emoji, line 2: ':\(' is not an emoji"),
    (["happy = 😀", "sad = "], "emoji, line 2: 'sad = ' wants words before the = and emoji after it"),
    ([" = 😀"], "emoji, line 1: ' = 😀' wants words"),
])  # fmt: skip
def test_emoji_by_words_that_do_not_fit(texts, message):
    with pytest.raises(SealError, match=message):
        with_emoji(stickers([Clip.still(picture())] * 2, ["happy", "sad"]), texts, "telegram")
    with pytest.raises(SealError, match=r"sticker 1 \(no name\); wire names"):
        with_emoji(stickers([Clip.still(picture())]), ["happy = 😀"], "telegram")


def test_platforms_that_want_an_emoji_get_one(tmp_path):
    made = [s.emoji for s in with_emoji(stickers([Clip.still(picture())] * 2), [], "signal")]
    assert made == [("😀",)] * 2 and with_emoji(stickers([Clip.still(picture())]), [], "line")[0].emoji == ()


def test_a_packs_folder_names_its_platform(tmp_path):
    clip = Clip.still(picture())
    made = [packed([clip], platform, tmp_path, title="My Cat").folder.name for platform in ("telegram", "signal")]
    assert made == ["My_Cat-telegram", "My_Cat-signal"]
    for name, folder in (("cat", "cat-signal"), ("Signal cats", "Signal cats"), ("", "CON-signal")):
        assert packed([clip], "signal", tmp_path, title="CON", name=name).folder.name == folder


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_pack_says_where_it_is_and_how_to_upload_it(platform, tmp_path):
    count = {"line": 8, "whatsapp": 3}.get(platform, 1)
    made = packed([Clip.still(picture())] * count, platform, tmp_path)
    first, second = pack_in_words(made).splitlines()
    assert first.startswith(str(count)) and first.endswith(f": {made.folder}")
    assert "{" not in second and second.endswith("All steps: how-to-upload.txt in that folder.")
    archives = [p.name for p in made.files if p.suffix in (".wastickers", ".zip")]
    assert all(name in second for name in archives) and ("/newpack" in second) == (platform == "telegram")


def test_names_and_folders(tmp_path):
    clip = Clip.still(picture())
    first = packed([clip, clip], "discord", tmp_path, names=["a", "Ü ber/"[:4]], title="Kätzchen: 1")
    assert first.folder.name == "Katzchen_1-discord" and [p.name for p in first.stickers] == [
        "01_sticker_a.png",
        "02_U_be.png",
    ]
    assert packed([clip], "discord", tmp_path, title="Kätzchen: 1").folder.name == "Katzchen_1-discord-2"
    assert packed([clip], "plain", tmp_path, title="猫").folder.name == "plain"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Katzchen_1-discord", "Katzchen_1-discord-2", "plain"]
    assert platform_check.counted_length("猫a", True) == 3 and platform_check.counted_length("猫a") == 2
    for name in ("a/b", "..", "a\\b", ".hidden", "x" * 65, " a", "a\n"):
        with pytest.raises(SealError, match="name: "):
            packed([clip], "plain", tmp_path, name=name)
    with pytest.raises(SealError, match="names: 'a/b' has a character"):
        packed([clip], "plain", tmp_path, names=["a/b"])


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize("platform, clips, options, message", [
    ("nope", 1, {}, "platform: 'nope' is unknown; choose one of telegram"),
    ("telegram", 0, {}, "images: no sticker in the batch"),
    ("telegram", 121, {}, "images: 121 stickers; a pack for Telegram has 1 to 120"),
    ("whatsapp", 2, {}, "images: 2 stickers; a pack for WhatsApp has 3 to 30"),
    ("line", 9, {}, "images: 9 stickers; a pack for LINE has 8, 16, 24, 32, 40"),
    ("signal", 1, {"title": " "}, "title: 1 characters; Signal takes 1 to 128"),
    ("telegram", 1, {"author": "a\nb"}, "author: .*line breaks"),
    ("line", 8, {"title": "猫" * 21}, "title: 42 characters; LINE takes 1 to 40"),
    ("telegram", 1, {"form": "gif"}, "format: Telegram takes png or webp for static stickers, not gif"),
    ("discord", 1, {"form": "gif"}, "format: Discord takes png for static stickers, not gif"),
    ("imessage", 1, {"size": 400}, "size: iMessage has no stickers of 400 px; choose 300, 408, 618"),
])  # fmt: skip
def test_bad_requests_are_refused_before_anything_is_encoded(platform, clips, options, message, tmp_path, monkeypatch):
    monkeypatch.setattr(save_pack_module, "encode_still", None)
    with pytest.raises(SealError, match=message):
        packed([Clip.still(picture())] * clips, platform, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_bad_pictures_are_named_and_leave_nothing(tmp_path):
    still, empty = Clip.still(picture()), Clip.still(picture() * 0)
    dot = np.zeros((4096, 4096, 4), np.uint8)
    dot[5, 5] = 255
    blink = Clip.at_rate(np.stack([picture(), picture() * 0, picture()]), 10)
    frozen = Clip.at_rate(np.stack([picture()] * 4), 10)
    for clips, platform, message in (
        ([still, still, empty], "whatsapp", "images: sticker 3: the picture is fully transparent"),
        ([Clip.still(dot)], "signal", "images: sticker 1: the picture shows too little"),
        ([blink], "signal", "images: sticker 1: frame 2 is fully transparent"),
        ([frozen], "telegram", "images: sticker 1: all frames are alike"),
        ([still, still, moving()], "whatsapp", "1 animated and 2 static stickers; WhatsApp does not mix"),
    ):
        with pytest.raises(SealError, match=message):
            packed(clips, platform, tmp_path)
        assert not list(tmp_path.iterdir())
    with pytest.raises(SealError, match="is no frame rate"):
        moving(fps=0.0)


def test_an_impossible_limit_fails_with_the_numbers(tmp_path, monkeypatch):
    row = PLATFORMS["signal"]
    tight = replace(row, still=replace(row.still, max_bytes=100), motion=replace(row.motion, max_bytes=200))
    monkeypatch.setitem(PLATFORMS, "signal", tight)
    for clip, limit in ((Clip.still(picture()), 100), (moving(), 200)):
        pattern = rf"images: sticker 1: [\d,]+ bytes at the smallest setting \(.*20% size\), and {limit} are allowed"
        with pytest.raises(SealError, match=pattern):
            packed([clip], "signal", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["encode_still", "manifest", "progress", "rename", "disk"])
def test_a_half_written_pack_never_stays(what, tmp_path, monkeypatch):
    class Stopped(BaseException):
        pass

    def stop(*_args, **_options):
        raise OSError(28, "No space left on device") if what in ("rename", "disk") else Stopped

    calls = []

    def third(*args, **options):
        calls.append(1)
        return stop() if len(calls) == 3 else real(*args, **options)

    real = save_pack_module.encode_still
    if what == "encode_still":
        monkeypatch.setattr(save_pack_module, "encode_still", third)
    elif what == "manifest":
        monkeypatch.setattr(save_pack_module, "add_platform_files", stop)
    elif what == "rename":
        monkeypatch.setattr(os, "rename", stop)
    elif what == "disk":
        monkeypatch.setattr(platform_files.zipfile.ZipFile, "writestr", stop)
    request = PackRequest("whatsapp", "A", "B")
    several = with_emoji(stickers([Clip.still(picture())] * 4), [], "whatsapp")
    with pytest.raises(SealError if what in ("rename", "disk") else Stopped) as caught:
        save_pack(
            several, request, tmp_path, (lambda done, _: stop() if done == 2 else None) if what == "progress" else None
        )
    assert not list(tmp_path.iterdir())
    if what in ("rename", "disk"):
        assert "out: cannot write into" in str(caught.value) and "no free disk space" in str(caught.value)


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SealError, match=r"out: cannot write into .*file"):
        packed([Clip.still(picture())], "plain", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "in the way"


def test_equal_packs_have_equal_bytes(tmp_path):
    made = [packed([moving(2)] * 3, "whatsapp", tmp_path / str(i)).folder for i in range(2)]
    assert [p.read_bytes() for p in sorted(made[0].iterdir())] == [p.read_bytes() for p in sorted(made[1].iterdir())]


# ------------------------------------------------------------------ the command line, PyAV


def test_pyav_is_needed_for_webm_alone(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    check_pack(packed([moving()], "signal", tmp_path).folder)
    with pytest.raises(SealError, match="webm needs PyAV"):
        packed([moving()], "telegram", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["My_Cat-signal"]


def test_nothing_of_torch_or_av_is_imported_with_the_package():
    script = (
        "import sys\nfrom seal_core.stickers.pack import read_folder, save_pack, webm\n"
        "print([m for m in ('av', 'torch', 'comfy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_transparent_pixels_take_on_the_nearest_colour():
    image = picture()
    filled = webm.fill_hidden_colours(image)
    shown = image[..., 3] > 0
    assert (filled[shown] == image[shown]).all() and (filled[..., 3] == image[..., 3]).all()
    assert not shown[0, 0] and (filled[0, 0, :3] > 150).all(), "the far corner has the outline's white, not black"
